"""The two brokers of a run: started side by side, asked what they serve, and removed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, NamedTuple

from compat import providers
from compat.access import OPEN, Access, connect
from compat.differential.run import ON_CONTROLLER, Plan
from compat.external import ExternalTarget
from compat.providers import OwnedTarget
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse

SETTINGS: Final[Mapping[str, str]] = {
    # Both create the internal topics with as few partitions as will do.
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    "group.min.session.timeout.ms": "1000",
    "max.request.partition.size.limit": "5",
    # Records of the cases are years old; retention must not begin in the middle of a run.
    "log.initial.task.delay.ms": "86400000",
    # A broker whose heartbeats are late on a busy machine is fenced, and answers differently for a while.
    "broker.session.timeout.ms": "120000",
}
_UPKEEP: Final[Mapping[str, str]] = {
    "log.initial.task.delay.ms": "100",
    "log.retention.check.interval.ms": "200",
    "log.retention.ms": "-1",
    "producer.id.expiration.check.interval.ms": "200",
}
LIVELY: Final[Mapping[str, str]] = {**SETTINGS, **_UPKEEP}
"""For brokers that look after their logs several times a second."""

Served = Mapping[int, range]
"""API key -> the versions that a broker says it serves."""


class Pair(NamedTuple):
    """Two running brokers; differences are those of `left` from `right`."""

    left: OwnedTarget
    right: OwnedTarget
    served: Mapping[str, tuple[Served, Served]]
    """Listener ("" or ON_CONTROLLER) -> what left and right say they serve there."""

    def plan(self, *, is_short: bool = False) -> Plan:
        """Ask for what both serve. Names get a token of the run where a broker has a past."""
        has_past = isinstance(self.left, ExternalTarget) or isinstance(self.right, ExternalTarget)
        token = f"kit-{secrets.token_hex(3)}-" if has_past else ""
        return Plan(_common(*self.served[""]), _common(*self.served[ON_CONTROLLER]), is_short, token)


def _common(left: Served, right: Served) -> Served:
    return {
        key: range(max(versions.start, other.start), min(versions.stop, other.stop))
        for key, versions in left.items()
        if (other := right.get(key)) is not None
    }


class Wanted(NamedTuple):
    """What to compare, by the names of compat/providers.py."""

    left: str
    right: str
    provider: str = "auto"
    access: Access = OPEN


def serves(target: OwnedTarget, listener: str = "") -> Served:
    """What a running broker, or its controller, advertises; nothing where that is not known."""
    access = target.access if isinstance(target, ExternalTarget) else OPEN
    if listener and isinstance(target, ExternalTarget):
        return {}
    address = f"127.0.0.1:{target.controller_port}" if listener else target.bootstrap
    with connect(address, 30.0, "compat", access) as wire:
        answer = wire.ask(ApiVersionsRequest(), 0, ApiVersionsResponse)
    return {row.api_key: range(row.min_version, row.max_version + 1) for row in answer.api_keys}


def pair_of(left: OwnedTarget, right: OwnedTarget) -> Pair:
    """Two brokers that run, with what they serve."""
    served = {listener: (serves(left, listener), serves(right, listener)) for listener in ("", ON_CONTROLLER)}
    return Pair(left, right, served)


@contextmanager
def running(
    wanted: Wanted, settings: Mapping[str, str] = SETTINGS, ends: dict[str, str] | None = None
) -> Iterator[Pair]:
    """Both brokers, from their start to their end. `ends` takes up who did not end well, in place of an exception."""
    left = providers.make(wanted.left, settings, wanted.provider, wanted.access)
    right = providers.make(wanted.right, settings, wanted.provider, wanted.access)
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda target: target.start(), (left, right)))
        yield pair_of(left, right)
        for target in (left, right):
            try:
                target.stop()
            except RuntimeError as error:
                if ends is None:
                    raise
                ends[f"the end of {target.name}"] = str(error)
    finally:
        left.remove()
        right.remove()

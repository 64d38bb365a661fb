"""Two brokers for the whole session, and the score card at its end.

`--pair LEFT,RIGHT` names the brokers (klamm,kafka unless told; kafka,kafka shows that what the normal form leaves is
what a broker repeats). `--card FILE` writes the score as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compat.differential.card import Card
from compat.targets import KAFKA_DEFAULTS, KafkaTarget, KlammTarget

_SETTINGS: Mapping[str, str] = {
    # Both create the internal topics with as few partitions as will do.
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    "group.min.session.timeout.ms": "1000",
    "max.request.partition.size.limit": "5",
    # Records of the cases are years old; retention must not begin in the middle of a run.
    "log.initial.task.delay.ms": "86400000",
}
_LIVELY: Mapping[str, str] = {
    "log.initial.task.delay.ms": "100",
    "log.retention.check.interval.ms": "200",
    "log.retention.ms": "-1",
    "producer.id.expiration.check.interval.ms": "200",
}
_card = pytest.StashKey[Card]()
Pair = tuple[KlammTarget | KafkaTarget, KlammTarget | KafkaTarget]


class PlainKlamm(KlammTarget):
    """klamm with Kafka's own defaults, so that what is configured is the same on both."""

    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--profile", "kafka"]


def _target(kind: str, settings: Mapping[str, str]) -> KlammTarget | KafkaTarget:
    if kind == "kafka":
        return KafkaTarget(settings)
    own = {name: value for name, value in KAFKA_DEFAULTS.items() if name != "process.roles"}
    return PlainKlamm({**own, **settings})


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("compat")
    group.addoption("--pair", default="klamm,kafka", help="the two brokers to compare")
    group.addoption("--card", type=Path, help="write the differential score card to this file, as JSON")


def _pair(request: pytest.FixtureRequest, settings: Mapping[str, str]) -> Iterator[Pair]:
    left, right = (_target(kind, settings) for kind in request.config.getoption("--pair").split(","))
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda target: target.start(), (left, right)))
        yield left, right
        left.stop()
        right.stop()
    finally:
        left.remove()
        right.remove()


@pytest.fixture(scope="session")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Both brokers, running."""
    yield from _pair(request, _SETTINGS)


@pytest.fixture(scope="session")
def lively_pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two more, which look after their logs all the time."""
    yield from _pair(request, {**_SETTINGS, **_LIVELY})


@pytest.fixture(scope="session")
def card(request: pytest.FixtureRequest) -> Card:
    """The score card of this session."""
    return request.config.stash.setdefault(_card, Card())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    card = config.stash.get(_card, None)
    if card is not None:
        terminalreporter.write_line(f"differential: {card.summary()}")
        path = config.getoption("--card")
        if path is not None:
            card.write(path)

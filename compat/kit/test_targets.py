"""Older releases of Kafka as targets: each is started, and what has not changed since is answered as by 4.3.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.differential.cases import all_cases
from compat.kit.pairs import SETTINGS, pair_of
from compat.kit.running import run_case
from compat.providers import OwnedTarget, make, names
from klamm.kproto.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from klamm.kproto.messages.produce import ProduceRequest

pytestmark = pytest.mark.needs("java", "mvn")
CASES = ("offsets.commit_and_fetch", "sasl.handshake")
OLDER = [name for name in names() if name.startswith("kafka-")]


@pytest.fixture(scope="module")
def newest() -> Iterator[OwnedTarget]:
    target = make("kafka", SETTINGS)
    try:
        with target:
            yield target
    finally:
        target.remove()


@pytest.mark.parametrize("name", OLDER)
def test_an_older_release(name: str, newest: OwnedTarget) -> None:
    older = make(name, SETTINGS)
    try:
        with older:
            pair = pair_of(older, newest)
            ours, theirs = pair.served[""]
            produce = ProduceRequest.__schema__.key
            # Kafka 4 has dropped what is older than 2.1 (KIP-896).
            assert ours[produce].start == 0 and ours[produce].stop < theirs[produce].stop
            assert ConsumerGroupHeartbeatRequest.__schema__.key in theirs
            for case in CASES:
                plan = pair.plan(is_short=True)._replace(token=f"{name}-")
                ran = run_case(pair, case, all_cases()[case], plan)
                assert (ran.broken, ran.cut, ran.differences) == ("", "", []), case
                assert len(ran.left) > 2
    finally:
        older.remove()

"""Elections by timer: which partitions, how many at once, and when the next ones follow."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.elect_leaders import ElectLeadersRequest
from klamm.log.machine import SetTimer
from klamm.metadata.controller.elections import ELECTIONS_MAX, ElectionControl, ElectionSettings
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.features import BOOTSTRAP
from klamm.metadata.image.image import EMPTY, TOPIC_RESOURCE, MetadataDelta, MetadataImage

TOPIC = b"t" * 16
SETTINGS = ElectionSettings(balance_interval_ms=300_000, unclean_interval_ms=60_000)


def image(partitions: int, *, unclean: bool = False, **fields: Any) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    for name, level in BOOTSTRAP.items():
        delta.apply(m.FeatureLevelRecord(name=name, feature_level=level))
    for broker_id in (1, 2):
        delta.apply(
            m.RegisterBrokerRecord(
                broker_id=broker_id,
                incarnation_id=bytes(16),
                broker_epoch=5,
                rack=None,
                fenced=False,
                log_dirs=[bytes([broker_id]) * 16],
            )
        )
    delta.apply(m.TopicRecord(name="t", topic_id=TOPIC))
    if unclean:
        delta.apply(
            m.ConfigRecord(
                resource_type=TOPIC_RESOURCE, resource_name="t", name="unclean.leader.election.enable", value="true"
            )
        )
    given = {"replicas": [1, 2], "isr": [1, 2], "leader": 2, **fields}
    for number in range(partitions):
        delta.apply(
            m.PartitionRecord(
                partition_id=number,
                topic_id=TOPIC,
                leader_epoch=0,
                partition_epoch=0,
                directories=[bytes([i]) * 16 for i in given["replicas"]],
                **given,
            )
        )
    return delta.build(50, 1)


def control(state: MetadataImage, settings: ElectionSettings = SETTINGS) -> ElectionControl:
    return ElectionControl(lambda: state, Leadership(lambda: state, 1, {}), settings)


def delay(decision: Any) -> float:
    [timer] = decision.timers
    assert isinstance(timer, SetTimer)
    return timer.delay_ms


def test_the_preferred_leaders_come_back() -> None:
    decision = control(image(3)).balance()
    assert [record.leader for record in decision.records] == [1, 1, 1]  # type: ignore[attr-defined]
    assert delay(decision) == 300_000


@pytest.mark.parametrize("fields", [{"leader": 1}, {"isr": [2]}])
def test_nothing_to_balance(fields: Any) -> None:
    decision = control(image(1, **fields)).balance()
    assert not decision.records and delay(decision) == 300_000


def test_the_rest_follows_after_a_moment() -> None:
    decision = control(image(ELECTIONS_MAX + 1)).balance()
    assert len(decision.records) == decision.response == ELECTIONS_MAX
    assert delay(decision) == 10


def test_unclean_elections_where_the_topic_allows_them() -> None:
    lost = {"isr": [], "leader": -1, "replicas": [2, 1]}
    assert not control(image(1, **lost)).elect_unclean().records
    decision = control(image(1, unclean=True, **lost)).elect_unclean()
    [record] = decision.records
    assert isinstance(record, m.PartitionChangeRecord)
    assert (record.leader, record.isr, record.leader_recovery_state) == (2, [2], 1)
    assert delay(decision) == 60_000


def test_the_timers_of_a_new_controller() -> None:
    delays = [timer.delay_ms for timer in control(image(0)).on_leadership()]
    assert delays == [60_000, 300_000]
    assert len(control(image(0), ElectionSettings(balance_interval_ms=None)).on_leadership()) == 1


def test_too_many_elections_for_one_request() -> None:
    with pytest.raises(KafkaError) as caught:
        control(image(10_001)).elect_leaders(ElectLeadersRequest(topic_partitions=None))
    assert caught.value.code == errors.POLICY_VIOLATION

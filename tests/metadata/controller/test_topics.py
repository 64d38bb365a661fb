"""Topics on several brokers: what the recording of one real node cannot show. The rest is in test_calibration.py."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.messages.create_partitions import CreatePartitionsRequest
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.uuids import UNASSIGNED_DIR
from klamm.metadata.controller.configs import ConfigControl
from klamm.metadata.controller.topics import TopicControl, TopicDefaults
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.seams import SeededEntropy

Topic = CreateTopicsRequest.CreatableTopic


def image(*brokers: m.RegisterBrokerRecord, more: Any = ()) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    delta.apply(m.FeatureLevelRecord(name="metadata.version", feature_level=30))
    for record in (*brokers, *more):
        delta.apply(record)
    return delta.build(1, 1)


def broker(broker_id: int, **fields: Any) -> m.RegisterBrokerRecord:
    given = {"incarnation_id": bytes(16), "broker_epoch": 1, "rack": None, "fenced": False, **fields}
    given.setdefault("log_dirs", [bytes([broker_id]) * 16])
    return m.RegisterBrokerRecord(broker_id=broker_id, **given)


@pytest.fixture
def control(lab: Any) -> Any:
    def make(state: MetadataImage, **defaults: int) -> TopicControl:
        configs = ConfigControl(lambda: state, lab.rules)
        return TopicControl(lambda: state, configs, lab.rules, TopicDefaults(**defaults), 1, SeededEntropy(5))

    return make


def creation(*topics: Topic, validate_only: bool = False) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=list(topics), timeout_ms=1, validate_only=validate_only)


def topic(name: str = "a", partitions: int = -1, factor: int = -1, assigned: Any = ()) -> Topic:
    rows = [Topic.CreatableReplicaAssignment(partition_index=i, broker_ids=list(b)) for i, b in enumerate(assigned)]
    return Topic(name=name, num_partitions=partitions, replication_factor=factor, assignments=rows, configs=[])


def partitions(decision: Any) -> list[m.PartitionRecord]:
    return [record for record in decision.records if isinstance(record, m.PartitionRecord)]


def test_directories_the_controller_knows(control: Any) -> None:
    state = image(broker(1), broker(2, log_dirs=[b"x" * 16, b"y" * 16]), broker(3, log_dirs=[]))
    [row] = partitions(control(state).create_topics(creation(topic(assigned=[(1, 2, 3)]))))
    assert row.directories == [b"\x01" * 16, UNASSIGNED_DIR, bytes(16)]


def test_isr_is_who_is_active(control: Any) -> None:
    state = image(broker(1, fenced=True), broker(2), broker(3, in_controlled_shutdown=True))
    [row] = partitions(control(state).create_topics(creation(topic(assigned=[(1, 2, 3)]))))
    assert (row.replicas, row.isr, row.leader, row.leader_epoch) == ([1, 2, 3], [2], 2, 0)


@pytest.mark.parametrize("assigned", [[(1, 3)], [(2,), (1,)]])
def test_partition_that_nobody_could_lead(control: Any, assigned: Any) -> None:
    state = image(broker(1, fenced=True), broker(2), broker(3, in_controlled_shutdown=True))
    decision = control(state).create_topics(creation(topic(assigned=assigned)))
    [result] = decision.response.topics
    assert (
        result.error_code == errors.INVALID_REPLICA_ASSIGNMENT and "are fenced or in controlled" in result.error_message
    )
    assert not decision.records


def test_different_replication_factors_in_one_topic(control: Any) -> None:
    state = image(broker(1), broker(2))
    [result] = control(state).create_topics(creation(topic(assigned=[(1, 2), (1,)]))).response.topics
    assert result.error_code == errors.INVALID_REPLICA_ASSIGNMENT and "which have 2 replica(s)" in result.error_message


def test_defaults(control: Any) -> None:
    state = image(*(broker(i) for i in range(1, 5)))
    decision = control(state, num_partitions=6, replication_factor=3).create_topics(creation(topic()))
    rows = partitions(decision)
    assert len(rows) == 6 and all(len(row.replicas) == 3 for row in rows)
    [result] = decision.response.topics
    assert (result.num_partitions, result.replication_factor) == (6, 3)


def test_all_brokers_fenced(control: Any) -> None:
    [result] = control(image(broker(1, fenced=True))).create_topics(creation(topic())).response.topics
    assert result.error_code == errors.INVALID_REPLICATION_FACTOR
    assert result.error_message == (
        "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their log "
        "directories cordoned."
    )


def test_cordoned_broker_gets_nothing_new(control: Any) -> None:
    state = image(broker(1), broker(2, cordoned_log_dirs=[b"\x02" * 16]))
    rows = partitions(control(state).create_topics(creation(topic(partitions=8))))
    assert {tuple(row.replicas) for row in rows} == {(1,)}
    [result] = control(state).create_topics(creation(topic(factor=2))).response.topics
    assert result.error_code == errors.INVALID_REPLICATION_FACTOR


def test_batch_of_one_request_keeps_topics_together(control: Any) -> None:
    decision = control(image(broker(1))).create_topics(creation(topic("a", 2), topic("b", 1)))
    kinds = [type(record).__name__ for record in decision.records]
    assert kinds == ["TopicRecord", "PartitionRecord", "PartitionRecord", "TopicRecord", "PartitionRecord"]
    ids = [record.topic_id for record in decision.records]
    assert ids[0] == ids[1] == ids[2] != ids[3] == ids[4]
    assert [row.partition_id for row in partitions(decision)] == [0, 1, 0]


def test_validate_only_writes_nothing_and_answers_alike(control: Any) -> None:
    state = image(broker(1))
    real = control(state).create_topics(creation(topic("a", 2)))
    checked = control(state).create_topics(creation(topic("a", 2), validate_only=True))
    assert checked.records == [] and checked.response == real.response


def test_added_partitions_keep_the_replication_factor(control: Any) -> None:
    row = m.PartitionRecord(
        partition_id=0, topic_id=b"t" * 16, replicas=[1, 2], isr=[1], leader=1, directories=[bytes(16)] * 2
    )
    state = image(broker(1), broker(2), broker(3), more=[m.TopicRecord(name="a", topic_id=b"t" * 16), row])
    request = CreatePartitionsRequest(
        topics=[CreatePartitionsRequest.CreatePartitionsTopic(name="a", count=4, assignments=None)],
        timeout_ms=1,
        validate_only=False,
    )
    rows = partitions(control(state).create_partitions(request))
    assert [r.partition_id for r in rows] == [1, 2, 3]
    assert all(len(r.replicas) == 2 and r.isr == r.replicas and r.topic_id == b"t" * 16 for r in rows)

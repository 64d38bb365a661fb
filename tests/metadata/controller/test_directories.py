"""What a controller writes of log directories: as a real one does, record by record."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest
from klamm.kproto.uuids import UNASSIGNED_DIR
from klamm.metadata.controller.brokers import BrokerControl
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.features import BOOTSTRAP
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage

A, B = b"\x01" * 16, b"\x02" * 16
TOPIC = b"t" * 16
Directory = AssignReplicasToDirsRequest.DirectoryData


def image(*partitions: m.PartitionRecord, log_dirs: tuple[bytes, ...] = (A, B), **broker: Any) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    for name, level in BOOTSTRAP.items():
        delta.apply(m.FeatureLevelRecord(name=name, feature_level=level))
    for broker_id, directories in ((1, log_dirs), (2, (b"\x09" * 16,))):
        delta.apply(
            m.RegisterBrokerRecord(
                broker_id=broker_id,
                incarnation_id=bytes([broker_id]) * 16,
                broker_epoch=5,
                rack=None,
                fenced=False,
                log_dirs=list(directories),
            )
        )
    delta.apply(m.TopicRecord(name="t", topic_id=TOPIC))
    for partition in partitions:
        delta.apply(partition)
    return delta.build(50, 1)


def partition(number: int, directory: bytes, replicas: tuple[int, ...] = (1,), **fields: Any) -> m.PartitionRecord:
    return m.PartitionRecord(
        partition_id=number,
        topic_id=TOPIC,
        replicas=list(replicas),
        isr=list(fields.get("isr", replicas)),
        leader=fields.get("leader", replicas[0]),
        leader_epoch=0,
        partition_epoch=0,
        directories=[directory if replica == 1 else b"\x09" * 16 for replica in replicas],
    )


def control(state: MetadataImage) -> BrokerControl:
    return BrokerControl(lambda: state, lambda: 77, Leadership(lambda: state, 1, {}), "c", None, 9000)


def beat(state: MetadataImage, *offline: bytes) -> list[Any]:
    request = BrokerHeartbeatRequest(
        broker_id=1,
        broker_epoch=5,
        current_metadata_offset=50,
        want_fence=False,
        want_shut_down=False,
        offline_log_dirs=list(offline),
    )
    return list(control(state).heartbeat(request).records)


def test_a_failed_directory() -> None:
    """The records of a real 4.3.1 node of its own whose second directory failed."""
    records = beat(image(partition(0, B), partition(1, A), partition(2, B)), B)
    assert records == [
        m.PartitionChangeRecord(
            partition_id=number,
            topic_id=TOPIC,
            isr=[],
            leader=-1,
            eligible_leader_replicas=[1],
            last_known_elr=[1],
        )
        for number in (0, 2)
    ] + [m.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=5, log_dirs=[A])]


def test_another_replica_takes_over() -> None:
    change, registration = beat(image(partition(0, B, (1, 2))), B)
    assert (change.isr, change.leader, change.eligible_leader_replicas) == ([2], 2, None)
    assert registration.log_dirs == [A]


def test_what_is_known_already() -> None:
    assert beat(image(partition(0, B)), b"\x07" * 16) == []
    assert beat(image(partition(0, A), log_dirs=(A,)), B) == []


def assign(state: MetadataImage, **fields: Any) -> Any:
    rows = fields.pop("rows")
    directories = [
        Directory(
            id=directory,
            topics=[
                Directory.TopicData(
                    topic_id=topic_id,
                    partitions=[Directory.TopicData.PartitionData(partition_index=n) for n in numbers],
                )
            ],
        )
        for directory, topic_id, numbers in rows
    ]
    given = {"broker_id": 1, "broker_epoch": 5, **fields}
    return control(state).directories.assign(AssignReplicasToDirsRequest(directories=directories, **given))


def codes(decision: Any) -> list[int]:
    return [
        row.error_code
        for directory in decision.response.directories
        for topic in directory.topics
        for row in topic.partitions
    ]


def test_assignments() -> None:
    state = image(partition(0, UNASSIGNED_DIR), partition(1, UNASSIGNED_DIR, (2, 1)), partition(2, B))
    decision = assign(state, rows=[(A, TOPIC, [0, 1]), (B, TOPIC, [2])])
    assert codes(decision) == [errors.NONE] * 3
    assert list(decision.records) == [
        m.PartitionChangeRecord(partition_id=0, topic_id=TOPIC, directories=[A]),
        m.PartitionChangeRecord(partition_id=1, topic_id=TOPIC, directories=[b"\x09" * 16, A]),
    ]


def test_refused_assignments() -> None:
    state = image(partition(0, A), partition(1, A, (2,)))
    decision = assign(state, rows=[(B, b"u" * 16, [0]), (B, TOPIC, [7, 1])])
    expected = [errors.UNKNOWN_TOPIC_ID, errors.UNKNOWN_TOPIC_OR_PARTITION, errors.NOT_LEADER_OR_FOLLOWER]
    assert codes(decision) == expected and not decision.records
    for fields, code in (
        ({"broker_id": 9}, errors.STALE_BROKER_EPOCH),
        ({"broker_epoch": 4}, errors.STALE_BROKER_EPOCH),
    ):
        with pytest.raises(KafkaError) as caught:
            assign(state, rows=[], **fields)
        assert caught.value.code == code


def test_a_replica_in_a_directory_that_is_offline() -> None:
    decision = assign(image(partition(0, UNASSIGNED_DIR), log_dirs=(A,)), rows=[(B, TOPIC, [0])])
    assert codes(decision) == [errors.NONE]
    moved, lost = decision.records
    assert moved.directories == [B]
    assert (lost.isr, lost.leader) == ([], -1)

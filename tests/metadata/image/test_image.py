"""Deltas and images: what each record changes, what is shared, what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from klamm.kproto import metadata_records as m
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.metadata.record_codec import TYPES

A, B = b"a" * 16, b"b" * 16


def after(image: MetadataImage, *records: Message) -> MetadataImage:
    delta = MetadataDelta(image)
    for record in records:
        delta.apply(record)
    return delta.build(image.offset + len(records), 1)


def partition(topic_id: bytes, number: int, **fields: Any) -> m.PartitionRecord:
    given = {"replicas": [1, 2], "isr": [1, 2], "leader": 1, "leader_epoch": 0, "partition_epoch": 0, **fields}
    return m.PartitionRecord(partition_id=number, topic_id=topic_id, directories=[A, B], **given)


def broker(broker_id: int, epoch: int = 5) -> m.RegisterBrokerRecord:
    return m.RegisterBrokerRecord(broker_id=broker_id, incarnation_id=A, broker_epoch=epoch, rack=None, log_dirs=[A])


TWO_TOPICS = (
    m.TopicRecord(name="a", topic_id=A),
    partition(A, 0),
    partition(A, 1),
    m.TopicRecord(name="b", topic_id=B),
    partition(B, 0),
)


def test_every_record_type_can_be_replayed() -> None:
    from klamm.metadata.image.image import _REPLAY

    assert set(_REPLAY) == set(TYPES.values())


def test_no_op_changes_the_offset_only() -> None:
    before = after(EMPTY, *TWO_TOPICS)
    delta = MetadataDelta(before)
    delta.apply(m.NoOpRecord())
    assert delta.is_empty
    image = delta.build(99, 7)
    assert image == before._replace(offset=99, epoch=7)
    assert image.topics is before.topics


def test_change_of_one_topic_shares_the_others() -> None:
    before = after(EMPTY, *TWO_TOPICS)
    change = m.PartitionChangeRecord(partition_id=1, topic_id=A, isr=[1])
    image = after(before, change)
    assert image.topics.by_name["a"].partitions[1].isr == (1,)
    assert before.topics.by_name["a"].partitions[1].isr == (1, 2), "the image before is as it was"
    assert image.topics.by_name["b"] is before.topics.by_name["b"]
    assert image.topics.by_name["a"].partitions[0] is before.topics.by_name["a"].partitions[0]
    assert image.cluster is before.cluster and image.configs is before.configs


def test_topic_goes_with_its_configs() -> None:
    config = m.ConfigRecord(resource_type=2, resource_name="a", name="retention.ms", value="1")
    before = after(EMPTY, *TWO_TOPICS, config)
    delta = MetadataDelta(before)
    delta.apply(m.RemoveTopicRecord(topic_id=A))
    image = delta.build(9, 1)
    assert list(image.topics.by_name) == ["b"] and list(image.topics.by_id) == [B] and image.configs == {}
    assert delta.topics is not None and list(delta.topics.deleted_topics) == [A]


def test_topic_made_again_within_one_delta() -> None:
    before = after(EMPTY, *TWO_TOPICS)
    new = b"n" * 16
    image = after(before, m.RemoveTopicRecord(topic_id=A), m.TopicRecord(name="a", topic_id=new), partition(new, 0))
    assert image.topics.by_name["a"].topic_id == new and set(image.topics.by_id) == {B, new}


def test_topic_made_and_removed_within_one_delta() -> None:
    delta = MetadataDelta(EMPTY)
    for record in (*TWO_TOPICS, m.RemoveTopicRecord(topic_id=A)):
        delta.apply(record)
    assert delta.topics is not None and not delta.topics.deleted_topics, "nobody has ever seen it"
    assert list(delta.build(1, 1).topics.by_name) == ["b"]


def test_clear_elr() -> None:
    kept = {"eligible_leader_replicas": [2], "last_known_elr": [1]}
    before = after(
        EMPTY,
        m.TopicRecord(name="a", topic_id=A),
        partition(A, 0, **kept),
        partition(A, 1),
        m.TopicRecord(name="b", topic_id=B),
        partition(B, 0, **kept),
    )
    one = after(before, m.ClearElrRecord(topic_name="a"))
    assert [p.elr for t in one.topics.by_id.values() for p in t.partitions.values()] == [(), (), (2,)]
    assert one.topics.by_name["a"].partitions[0].partition_epoch == 1
    assert one.topics.by_name["a"].partitions[1] is before.topics.by_name["a"].partitions[1]
    every = after(before, m.ClearElrRecord(topic_name=""))
    assert {p.elr + p.last_known_elr for t in every.topics.by_id.values() for p in t.partitions.values()} == {()}


def test_brokers() -> None:
    image = after(EMPTY, broker(2), broker(1))
    assert list(image.cluster.brokers) == [1, 2] and image.cluster.brokers[1].fenced
    change = m.BrokerRegistrationChangeRecord
    image = after(image, change(broker_id=1, broker_epoch=5, fenced=-1))
    assert image.cluster.is_active(1) and not image.cluster.is_active(2) and not image.cluster.is_active(3)
    image = after(image, change(broker_id=1, broker_epoch=5, in_controlled_shutdown=1))
    assert not image.cluster.is_active(1) and not image.cluster.brokers[1].fenced
    assert not image.cluster.brokers[1].takes_replicas
    image = after(image, change(broker_id=1, broker_epoch=5, fenced=1))
    assert image.cluster.brokers[1].fenced and image.cluster.brokers[1].takes_replicas
    image = after(image, change(broker_id=1, broker_epoch=5, cordoned_log_dirs=[A]))
    assert not image.cluster.brokers[1].takes_replicas
    assert list(after(image, m.UnregisterBrokerRecord(broker_id=1, broker_epoch=5)).cluster.brokers) == [2]
    old = after(image, m.UnfenceBrokerRecord(id=2, epoch=5))
    assert not old.cluster.brokers[2].fenced
    assert after(old, m.FenceBrokerRecord(id=2, epoch=5)).cluster.brokers[2].fenced


def test_registration_both_ways() -> None:
    record = broker(1)
    record.end_points = [record.BrokerEndpoint(name="P", host="h", port=9, security_protocol=1)]
    record.features = [record.BrokerFeature(name="f", min_supported_version=1, max_supported_version=3)]
    record.cordoned_log_dirs = []
    assert after(EMPTY, record).cluster.brokers[1].to_record() == record


def test_features_configs_and_producer_ids() -> None:
    image = after(
        EMPTY,
        m.FeatureLevelRecord(name="metadata.version", feature_level=30),
        m.FeatureLevelRecord(name="group.version", feature_level=1),
        m.ProducerIdsRecord(broker_id=1, broker_epoch=1, next_producer_id=1000),
        m.ConfigRecord(resource_type=4, resource_name="", name="a", value="1"),
        m.ConfigRecord(resource_type=4, resource_name="", name="b", value="2"),
    )
    assert image.metadata_version == 30 and image.next_producer_id == 1000
    assert image.config(4, "") == {"a": "1", "b": "2"} and image.config(4, "1") == {}
    image = after(
        image,
        m.FeatureLevelRecord(name="group.version", feature_level=0),
        m.ConfigRecord(resource_type=4, resource_name="", name="a", value=None),
    )
    assert image.features == {"metadata.version": 30} and image.config(4, "") == {"b": "2"}
    image = after(image, m.ConfigRecord(resource_type=4, resource_name="", name="b", value=None))
    assert image.configs == {}


def test_what_this_node_keeps_for_others() -> None:
    entity = m.ClientQuotaRecord.EntityData(entity_type="user", entity_name=None)
    scram = m.UserScramCredentialRecord(
        name="u", mechanism=1, salt=b"s", stored_key=b"k", server_key=b"v", iterations=1
    )
    acl = m.AccessControlEntryRecord(
        id=A,
        resource_type=2,
        resource_name="r",
        pattern_type=3,
        principal="p",
        host="*",
        operation=1,
        permission_type=3,
    )
    image = after(EMPTY, m.ClientQuotaRecord(entity=[entity], key="rate", value=1.5, remove=False), scram, acl)
    assert image.client_quotas == {(("user", None),): {"rate": 1.5}}
    assert image.scram_credentials == {(1, "u"): scram} and image.acls == {A: acl}
    image = after(
        image,
        m.ClientQuotaRecord(entity=[entity], key="rate", value=0, remove=True),
        m.RemoveUserScramCredentialRecord(name="u", mechanism=1),
        m.RemoveAccessControlEntryRecord(id=A),
    )
    assert (image.client_quotas, image.scram_credentials, image.acls) == ({}, {}, {})


@pytest.mark.parametrize(
    "record",
    [
        m.PartitionChangeRecord(partition_id=0, topic_id=b"x" * 16),
        m.PartitionChangeRecord(partition_id=7, topic_id=A),
        m.PartitionRecord(partition_id=0, topic_id=b"x" * 16),
        m.RemoveTopicRecord(topic_id=b"x" * 16),
        m.BrokerRegistrationChangeRecord(broker_id=9, broker_epoch=1),
        m.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=6, fenced=1),
        m.UnregisterBrokerRecord(broker_id=9, broker_epoch=1),
    ],
)
def test_records_that_fit_nothing(record: Message) -> None:
    delta = MetadataDelta(after(EMPTY, *TWO_TOPICS, broker(1)))
    with pytest.raises(ProtocolError):
        delta.apply(record)


def test_local_changes() -> None:
    before = after(EMPTY, *TWO_TOPICS)
    delta = MetadataDelta(before)
    delta.apply(m.PartitionChangeRecord(partition_id=0, topic_id=A, leader=2))
    delta.apply(m.PartitionChangeRecord(partition_id=1, topic_id=A, replicas=[2, 3], leader=2, isr=[2]))
    delta.apply(m.RemoveTopicRecord(topic_id=B))
    assert delta.topics is not None
    mine = delta.topics.local_changes(1)
    assert sorted((p.name, p.partition_id) for p in mine.deleted) == [("a", 1), ("b", 0)]
    assert [(p.name, p.partition_id) for p in mine.followers] == [("a", 0)] and not mine.leaders
    others = delta.topics.local_changes(2)
    assert [(p.name, p.partition_id) for p in others.leaders] == [("a", 0), ("a", 1)]


def test_ten_thousand_partitions_are_cheap_to_add_to() -> None:
    """A new topic copies two tables of topics, not 10,000 partitions: far below a millisecond each."""
    records: list[Message] = []
    for topic in range(100):
        topic_id = topic.to_bytes(16, "big")
        records.append(m.TopicRecord(name=f"t{topic}", topic_id=topic_id))
        records += [partition(topic_id, number) for number in range(100)]
    image = after(EMPTY, *records)
    assert image.topics.partition_count() == 10_000
    began = time.perf_counter()
    for number in range(200):
        topic_id = (1000 + number).to_bytes(16, "big")
        image = after(image, m.TopicRecord(name=f"new{number}", topic_id=topic_id), partition(topic_id, 0))
    took_ms = (time.perf_counter() - began) * 1000
    assert took_ms / 200 < 1.0

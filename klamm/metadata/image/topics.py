"""Topics by name and by id.

Copy on write per topic: a change to one topic copies its partition table and the two outer tables, never the
partitions of other topics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from klamm.kproto.errors import ProtocolError
from klamm.kproto.metadata_records import (
    ClearElrRecord,
    PartitionChangeRecord,
    PartitionRecord,
    RemoveTopicRecord,
    TopicRecord,
)
from klamm.kproto.uuids import uuid_text
from klamm.metadata.image.partition import PartitionRegistration, from_record


class TopicImage(NamedTuple):
    """One topic. `partitions` is not to be changed."""

    name: str
    topic_id: bytes
    partitions: Mapping[int, PartitionRegistration]


class TopicsImage(NamedTuple):
    """All topics. The two tables hold the same objects and are not to be changed."""

    by_name: Mapping[str, TopicImage]
    by_id: Mapping[bytes, TopicImage]

    def partition(self, topic_id: bytes, partition_id: int) -> PartitionRegistration | None:
        topic = self.by_id.get(topic_id)
        return topic.partitions.get(partition_id) if topic is not None else None

    def partition_count(self) -> int:
        return sum(len(topic.partitions) for topic in self.by_id.values())


EMPTY_TOPICS = TopicsImage({}, {})


class TopicPartition(NamedTuple):
    """A partition of a certain incarnation of a topic."""

    name: str
    topic_id: bytes
    partition_id: int


class LocalChanges(NamedTuple):
    """What a delta means for one broker's replicas."""

    deleted: list[TopicPartition]
    leaders: dict[TopicPartition, PartitionRegistration]
    followers: dict[TopicPartition, PartitionRegistration]


class TopicDelta:
    """The changes of one topic. `image` is the topic before: without partitions when the delta creates it."""

    __slots__ = ("image", "partition_changes")

    def __init__(self, image: TopicImage) -> None:
        self.image = image
        self.partition_changes: dict[int, PartitionRegistration] = {}

    @property
    def name(self) -> str:
        return self.image.name

    @property
    def topic_id(self) -> bytes:
        return self.image.topic_id

    def partition(self, partition_id: int) -> PartitionRegistration:
        """The partition as it is after the changes so far. Raises ProtocolError when there is none."""
        found = self.partition_changes.get(partition_id) or self.image.partitions.get(partition_id)
        if found is None:
            raise ProtocolError(f"a change of {self.name}-{partition_id}, which does not exist")
        return found

    def build(self) -> TopicImage:
        if not self.partition_changes:
            return self.image
        return self.image._replace(partitions={**self.image.partitions, **self.partition_changes})


class TopicsDelta:
    """`changed_topics` are created or changed ones by id, `deleted_topics` the images of those that went."""

    def __init__(self, image: TopicsImage) -> None:
        self.image = image
        self.changed_topics: dict[bytes, TopicDelta] = {}
        self.deleted_topics: dict[bytes, TopicImage] = {}

    def create(self, record: TopicRecord) -> None:
        self.changed_topics[record.topic_id] = TopicDelta(TopicImage(record.name, record.topic_id, {}))

    def create_partition(self, record: PartitionRecord) -> None:
        self._topic(record.topic_id).partition_changes[record.partition_id] = from_record(record)

    def change_partition(self, record: PartitionChangeRecord) -> None:
        topic = self._topic(record.topic_id)
        topic.partition_changes[record.partition_id] = topic.partition(record.partition_id).merge(record)

    def remove(self, record: RemoveTopicRecord) -> str:
        """Gives the name of the topic that went, whose configs go with it."""
        name = self._topic(record.topic_id).name
        del self.changed_topics[record.topic_id]
        before = self.image.by_id.get(record.topic_id)
        if before is not None:
            self.deleted_topics[record.topic_id] = before
        return name

    def clear_elr(self, record: ClearElrRecord) -> None:
        """Empty the eligible leader replicas of one topic, or of all (an empty name): the minimum ISR has changed."""
        for topic_id in list(self._named(record.topic_name)):
            topic = self._topic(topic_id)
            for partition_id in {**topic.image.partitions, **topic.partition_changes}:
                partition = topic.partition(partition_id)
                if partition.elr or partition.last_known_elr:
                    topic.partition_changes[partition_id] = partition._replace(
                        elr=(), last_known_elr=(), partition_epoch=partition.partition_epoch + 1
                    )

    def build(self) -> TopicsImage:
        by_name, by_id = dict(self.image.by_name), dict(self.image.by_id)
        for topic_id, gone in self.deleted_topics.items():
            del by_id[topic_id]
            del by_name[gone.name]
        for topic_id, delta in self.changed_topics.items():
            by_id[topic_id] = by_name[delta.name] = delta.build()
        return TopicsImage(by_name, by_id)

    def local_changes(self, broker_id: int) -> LocalChanges:
        """The replicas on `broker_id` that this delta deletes, makes leader, or makes (or keeps) follower."""
        changes = LocalChanges([], {}, {})
        for topic in self.deleted_topics.values():
            for partition_id, partition in topic.partitions.items():
                if broker_id in partition.replicas:
                    changes.deleted.append(TopicPartition(topic.name, topic.topic_id, partition_id))
        for delta in self.changed_topics.values():
            for partition_id, partition in delta.partition_changes.items():
                where = TopicPartition(delta.name, delta.topic_id, partition_id)
                if partition.leader == broker_id:
                    changes.leaders[where] = partition
                elif broker_id in partition.replicas:
                    changes.followers[where] = partition
                else:
                    before = delta.image.partitions.get(partition_id)
                    if before is not None and broker_id in before.replicas:
                        changes.deleted.append(where)
        return changes

    def _named(self, name: str) -> Iterator[bytes]:
        for topic_id, topic in self.image.by_id.items():
            if topic_id not in self.deleted_topics and name in ("", topic.name):
                yield topic_id
        for topic_id, delta in self.changed_topics.items():
            if topic_id not in self.image.by_id and name in ("", delta.name):
                yield topic_id

    def _topic(self, topic_id: bytes) -> TopicDelta:
        delta = self.changed_topics.get(topic_id)
        if delta is None:
            image = self.image.by_id.get(topic_id)
            if image is None or topic_id in self.deleted_topics:
                raise ProtocolError(f"a change of the topic with id {uuid_text(topic_id)}, which does not exist")
            delta = self.changed_topics[topic_id] = TopicDelta(image)
        return delta

"""The partitions that this broker has replicas of, kept in step with the metadata image.

The metadata decides, this follows: a published delta creates, changes and deletes logs here. Look-ups are by topic
name or topic id and say with Kafka's error codes why there is no such partition.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.uuids import LOST_DIR, MIGRATING_DIR, UNASSIGNED_DIR, uuid_text
from klamm.metadata.image.image import TOPIC_RESOURCE
from klamm.server.partition import Partition

if TYPE_CHECKING:
    from klamm.log.log_dirs import LogDirs
    from klamm.metadata.image.image import MetadataDelta, MetadataImage
    from klamm.metadata.image.partition import PartitionRegistration
    from klamm.server.settings import Settings

log = logging.getLogger(__name__)


class Replicas:
    """The local partitions."""

    def __init__(self, node_id: int, log_dirs: LogDirs, settings: Settings) -> None:
        self._node_id = node_id
        self._log_dirs = log_dirs
        self._settings = settings
        self._by_name: dict[tuple[str, int], Partition] = {}
        self._by_id: dict[tuple[bytes, int], Partition] = {}
        self._image: MetadataImage | None = None
        self._touched: list[Partition] = []
        self._listeners: list[Callable[[Partition, bool], None]] = []

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._by_name.values())

    def get(self, topic: str, index: int) -> Partition:
        """The partition that this broker leads. Raises KafkaError 3, or 6 when another broker leads it."""
        found = self._by_name.get((topic, index))
        if found is None:
            raise KafkaError(self._why_not(topic, index))
        return found

    def by_id(self, topic_id: bytes, index: int) -> Partition:
        """The partition that this broker leads. Raises KafkaError 100, 3 or 6."""
        found = self._by_id.get((topic_id, index))
        if found is None:
            image = self._image
            topic = image.topics.by_id.get(topic_id) if image is not None else None
            raise KafkaError(errors.UNKNOWN_TOPIC_ID if topic is None else self._why_not(topic.name, index))
        return found

    def _why_not(self, topic: str, index: int) -> int:
        image = self._image
        known = image.topics.by_name.get(topic) if image is not None else None
        if known is None or index not in known.partitions:
            return errors.UNKNOWN_TOPIC_OR_PARTITION
        return errors.NOT_LEADER_OR_FOLLOWER

    def on_leadership(self, listener: Callable[[Partition, bool], None]) -> None:
        """Have `listener(partition, leads)` called when this broker begins or ends to lead a partition."""
        self._listeners.append(listener)

    def publish(self, delta: MetadataDelta, image: MetadataImage) -> None:
        """Follow a change of the metadata."""
        self._image = image
        if delta.topics is not None:
            changes = delta.topics.local_changes(self._node_id)
            for gone in changes.deleted:
                self._delete(gone.name, gone.topic_id, gone.partition_id)
            for where, registration in changes.leaders.items():
                self._lead(image, where.name, where.topic_id, where.partition_id, registration)
        for resource_type, name in delta.configs or ():
            if resource_type == TOPIC_RESOURCE:
                self._reconfigure(image, name)
            else:
                for topic in {p.topic for p in self}:
                    self._reconfigure(image, topic)

    def _reconfigure(self, image: MetadataImage, topic: str) -> None:
        known = image.topics.by_name.get(topic)
        if known is None:
            return
        config = self._settings.log_config(image, topic)
        min_insync_replicas = self._settings.min_insync_replicas(image, topic)
        for index in known.partitions:
            found = self._by_name.get((topic, index))
            if found is not None:
                found.log.config = config
                found.min_insync_replicas = min_insync_replicas

    def _lead(
        self, image: MetadataImage, topic: str, topic_id: bytes, index: int, registration: PartitionRegistration
    ) -> None:
        found = self._by_id.get((topic_id, index))
        if found is not None:
            found.leader_epoch = registration.leader_epoch
            found.isr = registration.isr
            _begin_epoch(found)
            return
        stale = self._by_name.get((topic, index))
        if stale is not None:
            self._delete(topic, stale.topic_id, index)
        partition_log = self._log_dirs.create(
            topic, index, topic_id, self._settings.log_config(image, topic), self._directory(registration)
        )
        partition = Partition(
            topic,
            topic_id,
            index,
            partition_log,
            self._node_id,
            registration.leader_epoch,
            registration.isr,
            self._touched.append,
        )
        partition.min_insync_replicas = self._settings.min_insync_replicas(image, topic)
        _begin_epoch(partition)
        self._by_name[topic, index] = self._by_id[topic_id, index] = partition
        for listener in self._listeners:
            listener(partition, True)

    def _directory(self, registration: PartitionRegistration) -> bytes | None:
        """The directory that the controller has put the replica in, unless it left the choice to the broker."""
        directory = registration.directory(self._node_id)
        return None if directory in (MIGRATING_DIR, UNASSIGNED_DIR, LOST_DIR) else directory

    def _delete(self, topic: str, topic_id: bytes, index: int) -> None:
        partition = self._by_id.pop((topic_id, index), None)
        if partition is None:
            return
        self._by_name.pop((topic, index), None)
        for listener in self._listeners:
            listener(partition, False)
        self._log_dirs.delete(topic, index)
        partition.wake()
        log.info("deleted %s-%d (%s)", topic, index, uuid_text(topic_id))

    def read_done(self) -> None:
        """Wake the fetches that wait for partitions which have been appended to since the last call."""
        if self._touched:
            touched, self._touched[:] = list(self._touched), []
            for partition in touched:
                partition.wake()


def _begin_epoch(partition: Partition) -> None:
    """A leader's epoch begins where its log ends, before the first append: an empty log knows its epoch (KIP-101)."""
    partition.log.epochs.assign(partition.leader_epoch, partition.log.next_offset)

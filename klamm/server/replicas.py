"""The partitions that this broker has replicas of, kept in step with the metadata image.

The metadata decides, this follows: a published delta creates, changes and deletes logs here. Look-ups are by topic
name or topic id and say with Kafka's error codes why there is no such partition.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.uuids import LOST_DIR, MIGRATING_DIR, UNASSIGNED_DIR, uuid_text
from klamm.metadata.image.image import TOPIC_RESOURCE
from klamm.metadata.image.topics import TopicPartition
from klamm.server.partition import Partition

if TYPE_CHECKING:
    from klamm.log.log_dirs import LogDirs
    from klamm.log.partition_log import PartitionLog
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
        self._min_insync_replicas: dict[str, int] = {}
        self._listeners: list[Callable[[Partition, bool], None]] = []
        self._offline: dict[tuple[str, int], bytes | None] = {}
        """(topic, partition) to topic id of what is in a directory that has failed, or may be in one."""
        self.on_directory: Callable[[bytes, int, bytes], None] = lambda _topic_id, _index, _directory_id: None
        """Told of a replica that is in another directory than the metadata says: (topic id, partition, directory)."""

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._by_name.values())

    def get(self, topic: str, index: int) -> Partition:
        """The partition that this broker leads. Raises KafkaError 3, 6 when another broker leads it, 56."""
        found = self._by_name.get((topic, index))
        if found is None:
            raise KafkaError(self._why_not(topic, index))
        return found

    def by_id(self, topic_id: bytes, index: int) -> Partition:
        """The partition that this broker leads. Raises KafkaError 100, 3, 6 or 56."""
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
        if (topic, index) in self._offline:
            return errors.KAFKA_STORAGE_ERROR
        return errors.NOT_LEADER_OR_FOLLOWER

    def on_leadership(self, listener: Callable[[Partition, bool], None]) -> None:
        """Have `listener(partition, leads)` called when this broker begins or ends to lead a partition."""
        self._listeners.append(listener)

    def start(self, image: MetadataImage) -> None:
        """Take on what the metadata has here. The logs are loaded; what follows comes by `publish`."""
        self._image = image
        self._min_insync_replicas.clear()
        for topic in image.topics.by_id.values():
            for index, registration in topic.partitions.items():
                if self._node_id not in registration.replicas:
                    continue
                where = TopicPartition(topic.name, topic.topic_id, index)
                if registration.leader == self._node_id:
                    self._lead(image, where, registration, is_new=False)
                else:
                    self._follow(where, is_new=False)
                self._check_directory(where, registration)

    def publish(self, delta: MetadataDelta, image: MetadataImage) -> None:
        """Follow a change of the metadata."""
        self._image = image
        self._min_insync_replicas.clear()
        if delta.topics is not None:
            known = delta.topics.image
            changes = delta.topics.local_changes(self._node_id)
            for gone in changes.deleted:
                self._delete(gone.name, gone.topic_id, gone.partition_id)
            for where, registration in changes.leaders.items():
                is_new = known.partition(where.topic_id, where.partition_id) is None
                self._lead(image, where, registration, is_new=is_new)
                self._check_directory(where, registration)
            for where, registration in changes.followers.items():
                self._follow(where, is_new=known.partition(where.topic_id, where.partition_id) is None)
                self._check_directory(where, registration)
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
                found.min_insync_replicas = _effective(min_insync_replicas, known.partitions[index])

    def _lead(
        self, image: MetadataImage, where: TopicPartition, registration: PartitionRegistration, *, is_new: bool
    ) -> None:
        topic, topic_id, index = where
        found = self._by_id.get((topic_id, index))
        if found is not None:
            found.leader_epoch = registration.leader_epoch
            found.isr = registration.isr
            found.min_insync_replicas = _effective(self._min_insync_replicas_of(image, topic), registration)
            _begin_epoch(found)
            return
        stale = self._by_name.get((topic, index))
        if stale is not None:
            self._delete(topic, stale.topic_id, index)
        if self._offline.get((topic, index)) == topic_id:
            return
        try:
            partition_log = self._log(image, where, self._directory(registration), is_new)
        except KafkaError as error:
            log.error("%s-%d cannot be led here: %s", topic, index, error.message)
            self._offline[topic, index] = topic_id
            return
        self._offline.pop((topic, index), None)
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
        partition.min_insync_replicas = _effective(self._min_insync_replicas_of(image, topic), registration)
        _begin_epoch(partition)
        self._by_name[topic, index] = self._by_id[topic_id, index] = partition
        for listener in self._listeners:
            listener(partition, True)

    def _min_insync_replicas_of(self, image: MetadataImage, topic: str) -> int:
        """Looked up once for all partitions of a topic that one change of the metadata brings."""
        found = self._min_insync_replicas.get(topic)
        if found is None:
            found = self._min_insync_replicas[topic] = self._settings.min_insync_replicas(image, topic)
        return found

    def _log(
        self, image: MetadataImage, where: TopicPartition, directory_id: bytes | None, is_new: bool
    ) -> PartitionLog:
        """The partition's log, made if it is not there. Raises KafkaError."""
        found = self._log_dirs.get(where.name, where.partition_id)
        config = self._settings.log_config(image, where.name) if found is None else found.config
        return self._log_dirs.create(
            where.name, where.partition_id, where.topic_id, config, directory_id, is_new=is_new
        )

    def _follow(self, where: TopicPartition, *, is_new: bool) -> None:
        """Another broker leads, or nobody: lead it no more."""
        partition = self._by_id.pop((where.topic_id, where.partition_id), None)
        if partition is not None:
            self._by_name.pop((where.name, where.partition_id), None)
            self._resign(partition)
        elif not is_new and self._log_dirs.has_offline and self._log_dirs.get(where.name, where.partition_id) is None:
            self._offline.setdefault((where.name, where.partition_id), where.topic_id)

    def _resign(self, partition: Partition) -> None:
        for listener in self._listeners:
            listener(partition, False)
        partition.wake()

    def _check_directory(self, where: TopicPartition, registration: PartitionRegistration) -> None:
        """Only this broker knows where the replica is: the controller is told when it has something else."""
        actual = self._log_dirs.directory_id_of(where.name, where.partition_id)
        if actual is not None and actual != registration.directory(self._node_id):
            self.on_directory(where.topic_id, where.partition_id, actual)

    def on_directory_offline(self, logs: Sequence[PartitionLog]) -> None:
        """The directory of these logs has failed: they answer KAFKA_STORAGE_ERROR from now on."""
        for lost in logs:
            key = lost.topic, lost.partition
            self._offline[key] = lost.topic_id
            partition = self._by_name.pop(key, None)
            if partition is not None:
                del self._by_id[partition.topic_id, partition.index]
                self._resign(partition)

    def _directory(self, registration: PartitionRegistration) -> bytes | None:
        """The directory that the controller has put the replica in, unless it left the choice to the broker."""
        directory = registration.directory(self._node_id)
        return None if directory in (MIGRATING_DIR, UNASSIGNED_DIR, LOST_DIR) else directory

    def _delete(self, topic: str, topic_id: bytes, index: int) -> None:
        if self._offline.get((topic, index)) == topic_id:
            del self._offline[topic, index]
        partition = self._by_id.pop((topic_id, index), None)
        if partition is not None:
            self._by_name.pop((topic, index), None)
            for listener in self._listeners:
                listener(partition, False)
        elif (known := self._log_dirs.get(topic, index)) is None or known.topic_id != topic_id:
            return
        try:
            self._log_dirs.delete(topic, index)
        except KafkaError as error:
            log.error("%s-%d could not be deleted: %s", topic, index, error.message)
        if partition is not None:
            partition.wake()
        log.info("deleted %s-%d (%s)", topic, index, uuid_text(topic_id))

    def read_done(self) -> None:
        """Wake the fetches that wait for partitions which have been appended to since the last call."""
        if self._touched:
            touched, self._touched[:] = list(self._touched), []
            for partition in touched:
                partition.wake()


def _effective(min_insync_replicas: int, registration: PartitionRegistration) -> int:
    """No partition waits for more replicas than it has, as in Kafka since 4.0."""
    return min(min_insync_replicas, len(registration.replicas))


def _begin_epoch(partition: Partition) -> None:
    """A leader's epoch begins where its log ends, before the first append: an empty log knows its epoch (KIP-101)."""
    partition.log.epochs.assign(partition.leader_epoch, partition.log.next_offset)

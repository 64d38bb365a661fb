"""The partitions that this broker has replicas of, kept in step with the metadata image.

The metadata decides, this follows: a published delta creates, changes and deletes logs here, and makes their replicas
leaders and followers. Look-ups are by topic name or topic id and say with Kafka's error codes why there is no such
partition.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.uuids import LOST_DIR, MIGRATING_DIR, UNASSIGNED_DIR, uuid_text
from klamm.log.isr import Replication
from klamm.metadata.image.image import TOPIC_RESOURCE
from klamm.metadata.image.topics import TopicPartition
from klamm.server.followed_partition import FollowedPartition
from klamm.server.in_turns import InTurns
from klamm.server.log_dir_moves import LogDirMoves
from klamm.server.partition import Partition
from klamm.server.replica_surroundings import ReplicaSurroundings, ReplicationPorts

if TYPE_CHECKING:
    from klamm.log.log_dirs import LogDirs
    from klamm.log.partition_log import PartitionLog
    from klamm.metadata.image.image import MetadataDelta, MetadataImage
    from klamm.metadata.image.partition import PartitionRegistration
    from klamm.server.replica import Replica
    from klamm.server.replication_quota import ReplicationQuota
    from klamm.server.settings import Settings

log = logging.getLogger(__name__)


class Replicas:
    """The local partitions. `ports` None: this broker is alone."""

    def __init__(
        self, node_id: int, log_dirs: LogDirs, settings: Settings, ports: ReplicationPorts | None = None
    ) -> None:
        self._node_id = node_id
        self._log_dirs = log_dirs
        self._settings = settings
        self._around = ReplicaSurroundings(node_id, settings, log_dirs.clock, ports)
        self._by_name: dict[tuple[str, int], Partition] = {}
        self._by_id: dict[tuple[bytes, int], Partition] = {}
        self._followed_by_name: dict[tuple[str, int], FollowedPartition] = {}
        self._followed_by_id: dict[tuple[bytes, int], FollowedPartition] = {}
        self._in_turns = InTurns(log_dirs.clock)
        self._min_insync_replicas: dict[str, int] = {}
        self._listeners: list[Callable[[Partition, bool], None]] = []
        self._offline: dict[tuple[str, int], bytes | None] = {}
        """(topic, partition) to topic id of what is in a directory that has failed, or may be in one."""
        self.on_directory: Callable[[bytes, int, bytes], None] = lambda _topic_id, _index, _directory_id: None
        """Told of a replica that is in another directory than the metadata says: (topic id, partition, directory)."""
        self.moves = LogDirMoves(
            log_dirs,
            log_dirs.clock,
            self._around.moving_quota,
            lambda topic_id, index, directory_id: self.on_directory(topic_id, index, directory_id),
            self._moved,
        )
        self.touched = self._around.touched
        self.read_done = self._around.turn_done
        """Wake the fetches that wait for partitions which have been appended to since the last call."""
        self.is_stale = self._around.is_stale

    # -- looking up --

    def __iter__(self) -> Iterator[Partition]:
        """The led ones."""
        return iter(self._by_name.values())

    @property
    def followed(self) -> Sequence[FollowedPartition]:
        return list(self._followed_by_id.values())

    @property
    def image(self) -> MetadataImage | None:
        """The metadata that the replicas follow."""
        return self._around.image

    @property
    def leader_quota(self) -> ReplicationQuota:
        """The throttle of what followers fetch here."""
        return self._around.leader_quota

    @property
    def selects_by_rack(self) -> bool:
        """Whether consumers are sent to replicas in their rack (KIP-392)."""
        return self._around.selects_by_rack

    def get(self, topic: str, index: int) -> Partition:
        """The partition that this broker leads. Raises KafkaError 3, 6 when another broker leads it, 56."""
        found = self._by_name.get((topic, index))
        if found is None:
            raise KafkaError(self._why_not(topic, index))
        return found

    def at_epoch(self, topic: str, index: int, leader_epoch: int) -> Partition:
        """The partition that this broker leads, in that epoch (-1: any). Raises KafkaError as `get` does, or 74 or 75.

        The epoch comes before leadership: a follower knows it as well.
        """
        found = self._by_name.get((topic, index))
        replica = found or self._followed_by_name.get((topic, index))
        if replica is not None and (code := replica.check_epoch(leader_epoch)):
            raise KafkaError(code)
        if found is None:
            raise KafkaError(self._why_not(topic, index))
        return found

    def by_id(self, topic_id: bytes, index: int) -> Partition:
        """The partition that this broker leads. Raises KafkaError 100, 3, 6 or 56."""
        found = self._by_id.get((topic_id, index))
        if found is None:
            raise KafkaError(self._why_not_by_id(topic_id, index))
        return found

    def readable(self, topic: str | bytes, index: int) -> Replica:
        """The partition by its topic's name or id, led or followed. Raises KafkaError as `get` and `by_id` do."""
        if isinstance(topic, bytes):
            found = self._by_id.get((topic, index)) or self._followed_by_id.get((topic, index))
        else:
            found = self._by_name.get((topic, index)) or self._followed_by_name.get((topic, index))
        if found is None:
            raise KafkaError(
                self._why_not_by_id(topic, index) if isinstance(topic, bytes) else self._why_not(topic, index)
            )
        return found

    def _why_not_by_id(self, topic_id: bytes, index: int) -> int:
        image = self.image
        if image is None:
            return errors.NOT_LEADER_OR_FOLLOWER
        topic = image.topics.by_id.get(topic_id)
        return errors.UNKNOWN_TOPIC_ID if topic is None else self._why_not(topic.name, index)

    def _why_not(self, topic: str, index: int) -> int:
        image = self.image
        if image is None:
            # What this broker led before it was started again it does not serve yet; that there is no such topic
            # would be a lie.
            return errors.NOT_LEADER_OR_FOLLOWER
        known = image.topics.by_name.get(topic)
        if known is None or index not in known.partitions:
            return errors.UNKNOWN_TOPIC_OR_PARTITION
        if (topic, index) in self._offline:
            return errors.KAFKA_STORAGE_ERROR
        return errors.NOT_LEADER_OR_FOLLOWER

    def on_leadership(self, listener: Callable[[Partition, bool], None]) -> None:
        """Have `listener(partition, leads)` called when this broker begins or ends to lead a partition."""
        self._listeners.append(listener)

    # -- following the metadata --

    def start(self, image: MetadataImage) -> None:
        """Take on what the metadata has here. The logs are loaded; what follows comes by `publish`."""
        self._around.image = image
        self._around.reconfigure()
        self._min_insync_replicas.clear()
        for topic in image.topics.by_id.values():
            for index, registration in topic.partitions.items():
                if self._node_id not in registration.replicas:
                    continue
                where = TopicPartition(topic.name, topic.topic_id, index)
                if registration.leader == self._node_id:
                    self._lead(image, where, registration, is_new=False)
                else:
                    self._follow(image, where, registration, is_new=False)
                self._check_directory(where, registration)
        self.moves.resume()
        self._around.every_half_lag(self._check_isr)

    def publish(self, delta: MetadataDelta, image: MetadataImage) -> None:
        """Follow a change of the metadata: at once where it is small, else over some turns of the event loop."""
        self._around.image = image
        self._in_turns.do(self._take_in(delta, image))

    def _take_in(self, delta: MetadataDelta, image: MetadataImage) -> Iterator[None]:
        """A step each partition."""
        self._min_insync_replicas.clear()
        if delta.topics is not None:
            known = delta.topics.image
            changes = delta.topics.local_changes(self._node_id)
            for gone in changes.deleted:
                self._delete(gone.name, gone.topic_id, gone.partition_id)
                yield
            for where, registration in changes.leaders.items():
                is_new = known.partition(where.topic_id, where.partition_id) is None
                self._lead(image, where, registration, is_new=is_new)
                self._check_directory(where, registration)
                yield
            for where, registration in changes.followers.items():
                is_new = known.partition(where.topic_id, where.partition_id) is None
                self._follow(image, where, registration, is_new=is_new)
                self._check_directory(where, registration)
                yield
        if delta.configs:
            self._around.reconfigure()
        for resource_type, name in delta.configs or ():
            if resource_type == TOPIC_RESOURCE:
                self._reconfigure(image, name)
            else:
                for topic in {p.topic for p in (*self, *self.followed)}:
                    self._reconfigure(image, topic)
        if delta.brokers:
            self._brokers_changed()
        self.read_done()

    def _brokers_changed(self) -> None:
        """Nobody waits any longer for a broker that is fenced, be it for records or for their deletion."""
        for partition in list(self):
            if partition.replication is not None:
                partition.advance()
                partition.check_low_watermark()

    def _check_isr(self) -> None:
        for partition in list(self):
            partition.check_isr()

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
                found.set_min_insync_replicas(_effective(min_insync_replicas, known.partitions[index]))
            elif (followed := self._followed_by_name.get((topic, index))) is not None:
                followed.log.config = config

    # -- leading --

    def _lead(
        self, image: MetadataImage, where: TopicPartition, registration: PartitionRegistration, *, is_new: bool
    ) -> None:
        topic, topic_id, index = where
        found = self._by_id.get((topic_id, index))
        if found is not None:
            self._lead_on(image, found, registration)
            return
        self._drop_stale(where)
        followed = self._stop_following(where)
        partition_log = followed.log if followed is not None else self._open(image, where, registration, is_new)
        if partition_log is None:
            return
        replication = self._replication(registration, partition_log) if len(registration.replicas) > 1 else None
        min_insync_replicas = _effective(self._min_insync_replicas_of(image, topic), registration)
        if replication is not None:
            replication.min_isr = min_insync_replicas
        partition = Partition(
            topic,
            topic_id,
            index,
            partition_log,
            self._node_id,
            registration.leader_epoch,
            registration.isr,
            self.touched,
            replication,
            self._around,
        )
        partition.min_insync_replicas = min_insync_replicas
        _begin_epoch(partition)
        self._by_name[topic, index] = self._by_id[topic_id, index] = partition
        for listener in self._listeners:
            listener(partition, True)
        if followed is not None:
            followed.wake()

    def _lead_on(self, image: MetadataImage, found: Partition, registration: PartitionRegistration) -> None:
        """Another epoch, other replicas or another ISR of a partition that is led already."""
        replication = found.replication
        if replication is None and len(registration.replicas) > 1:
            replication = found.replication = self._replication(registration, found.log)
        elif replication is not None and not self._take_over(replication, registration, found.log):
            return
        found.leader_epoch = registration.leader_epoch
        found.isr = registration.isr
        found.set_min_insync_replicas(_effective(self._min_insync_replicas_of(image, found.topic), registration))
        _begin_epoch(found)
        if replication is not None:
            found.isr_changed()

    def _replication(self, registration: PartitionRegistration, partition_log: PartitionLog) -> Replication:
        replication = Replication(self._node_id, self._around.lag_max_ms)
        self._take_over(replication, registration, partition_log)
        return replication

    def _take_over(
        self, replication: Replication, registration: PartitionRegistration, partition_log: PartitionLog
    ) -> bool:
        return replication.lead(
            registration.replicas,
            registration.isr,
            registration.leader_epoch,
            registration.partition_epoch,
            partition_log.next_offset,
            self._around.now_ms(),
        )

    def _min_insync_replicas_of(self, image: MetadataImage, topic: str) -> int:
        """Looked up once for all partitions of a topic that one change of the metadata brings."""
        found = self._min_insync_replicas.get(topic)
        if found is None:
            found = self._min_insync_replicas[topic] = self._settings.min_insync_replicas(image, topic)
        return found

    def _open(
        self, image: MetadataImage, where: TopicPartition, registration: PartitionRegistration, is_new: bool
    ) -> PartitionLog | None:
        """The partition's log, made if it is not there; None, and the partition is offline, where that cannot be."""
        key = where.name, where.partition_id
        if self._offline.get(key) == where.topic_id:
            return None
        found = self._log_dirs.get(*key)
        config = self._settings.log_config(image, where.name) if found is None else found.config
        try:
            directory = self._directory(registration)
            if found is None and directory is None:
                directory = self.moves.wanted_directory(*key)
            opened = self._log_dirs.create(*key, where.topic_id, config, directory, is_new=is_new)
        except KafkaError as error:
            log.error("%s-%d cannot be served here: %s", *key, error.message)
            self._offline[key] = where.topic_id
            return None
        self._offline.pop(key, None)
        return opened

    def _drop_stale(self, where: TopicPartition) -> None:
        """What is left of an earlier topic of that name."""
        key = where.name, where.partition_id
        stale = self._by_name.get(key) or self._followed_by_name.get(key)
        if stale is not None and stale.topic_id != where.topic_id:
            self._delete(where.name, stale.topic_id, where.partition_id)

    # -- following --

    def _follow(
        self, image: MetadataImage, where: TopicPartition, registration: PartitionRegistration, *, is_new: bool
    ) -> None:
        """Another broker leads, or nobody: lead it no more, and fetch from who does."""
        topic, topic_id, index = where
        partition = self._by_id.pop((topic_id, index), None)
        if partition is not None:
            self._by_name.pop((topic, index), None)
            self._resign(partition)
        self._drop_stale(where)
        followed = self._followed_by_id.get((topic_id, index))
        if followed is None:
            partition_log = partition.log if partition is not None else self._open(image, where, registration, is_new)
            if partition_log is None:
                return
            followed = FollowedPartition(topic, topic_id, index, partition_log, -1, -1, self.touched)
            self._followed_by_id[topic_id, index] = self._followed_by_name[topic, index] = followed
        if followed.leader_epoch == registration.leader_epoch:
            return
        followed.leader_id, followed.leader_epoch = registration.leader, registration.leader_epoch
        if registration.has_leader:
            self._around.follow(followed)
        else:
            self._around.unfollow(topic_id, index)

    def _stop_following(self, where: TopicPartition) -> FollowedPartition | None:
        followed = self._followed_by_id.pop((where.topic_id, where.partition_id), None)
        if followed is not None:
            self._followed_by_name.pop((where.name, where.partition_id), None)
            self._around.unfollow(where.topic_id, where.partition_id)
        return followed

    def _resign(self, partition: Partition, code: int = errors.NOT_LEADER_OR_FOLLOWER) -> None:
        for listener in self._listeners:
            listener(partition, False)
        partition.resign(code)

    # -- directories --

    def _check_directory(self, where: TopicPartition, registration: PartitionRegistration) -> None:
        """Only this broker knows where the replica is: the controller is told when it has something else."""
        actual = self._log_dirs.directory_id_of(where.name, where.partition_id)
        named = registration.directory(self._node_id)
        is_moving = self.moves.on_directory(where.name, where.partition_id, named)
        if actual is not None and actual != named and not is_moving:
            self.on_directory(where.topic_id, where.partition_id, actual)

    def move(self, topic: str, index: int, path: str) -> int:
        """Move a replica to the log directory at `path`, while it serves; gives the error code."""
        key = topic, index
        if key in self._offline:
            return errors.KAFKA_STORAGE_ERROR
        found = self._by_name.get(key) or self._followed_by_name.get(key)
        return self.moves.move(topic, index, path, None if found is None else found.topic_id)

    def _moved(self, moved: PartitionLog) -> None:
        """A replica goes on with another log, the same records in another directory."""
        key = moved.topic, moved.partition
        found = self._by_name.get(key)
        if found is not None:
            moved.producers.must_verify = True
            found.log = moved
        elif (followed := self._followed_by_name.get(key)) is not None:
            followed.log = moved

    def on_directory_offline(self, logs: Sequence[PartitionLog]) -> None:
        """The directory of these logs has failed: they answer KAFKA_STORAGE_ERROR from now on."""
        for lost in logs:
            key = lost.topic, lost.partition
            self._offline[key] = lost.topic_id
            self.moves.forget(*key)
            partition = self._by_name.pop(key, None)
            if partition is not None:
                del self._by_id[partition.topic_id, partition.index]
                self._resign(partition, errors.KAFKA_STORAGE_ERROR)
            followed = self._followed_by_name.get(key)
            if followed is not None:
                self._stop_following(TopicPartition(followed.topic, followed.topic_id, followed.index))
                followed.wake()

    def _directory(self, registration: PartitionRegistration) -> bytes | None:
        """The directory that the controller has put the replica in, unless it left the choice to the broker."""
        directory = registration.directory(self._node_id)
        return None if directory in (MIGRATING_DIR, UNASSIGNED_DIR, LOST_DIR) else directory

    def _delete(self, topic: str, topic_id: bytes, index: int) -> None:
        if self._offline.get((topic, index)) == topic_id:
            del self._offline[topic, index]
        partition = self._by_id.pop((topic_id, index), None)
        followed = self._stop_following(TopicPartition(topic, topic_id, index))
        self.moves.forget(topic, index)
        if partition is not None:
            self._by_name.pop((topic, index), None)
            for listener in self._listeners:
                listener(partition, False)
        elif followed is None and ((known := self._log_dirs.get(topic, index)) is None or known.topic_id != topic_id):
            return
        try:
            self._log_dirs.delete(topic, index)
        except KafkaError as error:
            log.error("%s-%d could not be deleted: %s", topic, index, error.message)
        if partition is not None:
            partition.resign(self._why_not(topic, index))
        if followed is not None:
            followed.wake()
        log.info("deleted %s-%d (%s)", topic, index, uuid_text(topic_id))

    def close(self) -> None:
        """Fetch and ask nothing more; the logs stay as they are."""
        self._in_turns.close()
        self._around.close()
        self.moves.close()


def _effective(min_insync_replicas: int, registration: PartitionRegistration) -> int:
    """No partition waits for more replicas than it has, as in Kafka since 4.0."""
    return min(min_insync_replicas, len(registration.replicas))


def _begin_epoch(partition: Partition) -> None:
    """A leader's epoch begins where its log ends, before the first append: an empty log knows its epoch (KIP-101)."""
    partition.log.epochs.assign(partition.leader_epoch, partition.log.next_offset)

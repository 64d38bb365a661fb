"""All log directories of a node and the partitions in them.

Opens and locks the directories, loads every partition found there, creates and deletes partitions, writes checkpoints.
Timers belong to the node: it calls `checkpoint_*`, `check_retention` and `flush_due` at Kafka's intervals. A directory
that fails takes its partitions offline; the others serve on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log import checkpoint, meta_properties, recovery, upkeep
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import UNKNOWN_BROKER_EPOCH, LogDir, LogDirError
from klamm.log.partition_metadata import InconsistentTopicId

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.io_thread import IoThread
    from klamm.log.partition_log import PartitionLog
    from klamm.seams import Clock, Entropy

_logger = logging.getLogger(__name__)

METADATA_TOPIC: Final = "__cluster_metadata"
DELETE_SUFFIX: Final = "-delete"
_PARTITION_DIRECTORY: Final = re.compile(r"(?P<topic>[a-zA-Z0-9._-]+)-(?P<partition>\d+)\Z")
_DELETED_DIRECTORY: Final = re.compile(r"[a-zA-Z0-9._-]+\.[0-9a-f]{32}-(delete|stray)\Z")

TopicPartition = checkpoint.TopicPartition


def _deleted_to(log: PartitionLog) -> int | None:
    """The log start offset where it does not show in the name of the first segment."""
    return log.log_start_offset if log.log_start_offset > log.segments[0].base_offset else None


_CHECKPOINTS: Final[dict[str, Callable[[PartitionLog], int | None]]] = {
    checkpoint.RECOVERY_POINT: lambda log: log.recovery_point,
    checkpoint.HIGH_WATERMARK: lambda log: log.high_watermark,
    checkpoint.LOG_START_OFFSET: _deleted_to,
}


class LogDirDescription(NamedTuple):
    """One directory for DescribeLogDirs. `partitions`: (topic, partition) to (size in bytes, end offset)."""

    path: str
    error: int
    total_bytes: int
    usable_bytes: int
    partitions: dict[TopicPartition, tuple[int, int]]


class LogDirs:
    """The partitions of a node, by (topic, partition).

    The life of it: `open`, `load`, work, `close`. `node_id` and `cluster_id` None accept what the directories say.
    """

    def __init__(
        self,
        paths: Iterable[str],
        *,
        disk: Disk,
        clock: Clock,
        entropy: Entropy,
        writer: IoThread,
        flusher: IoThread,
        default_config: LogConfig | None = None,
    ) -> None:
        self.disk = disk
        self.clock = clock
        self.entropy = entropy
        self.writer = writer
        self.flusher = flusher
        self.default_config = default_config or LogConfig()
        self.directories = [LogDir(path, disk, clock, entropy, writer=writer, flusher=flusher) for path in paths]
        for directory in self.directories:
            directory.on_recovery_point_lowered = self._recovery_point_lowered
        self.logs: dict[TopicPartition, PartitionLog] = {}
        self._leaving: dict[TopicPartition, PartitionLog] = {}
        self.metadata_log: PartitionLog | None = None
        self.previous_broker_epoch = UNKNOWN_BROKER_EPOCH
        """The broker epoch that the last clean stop noted, for BrokerRegistration; -1 after an unclean one."""
        self.directory_ids: dict[str, bytes] = {}
        """Path to directory id of every formatted directory."""
        self._clean: dict[str, bool] = {}

    # -- starting --

    def open(self) -> meta_properties.MetaProperties | None:
        """Lock the directories and read who they belong to; None when none has been formatted.

        Raises LogDirError, InvalidMetaProperties.
        """
        opened: list[LogDir] = []
        found: meta_properties.MetaProperties | None = None
        try:
            for directory in self.directories:
                directory.open()
                opened.append(directory)
                properties = directory.read_meta_properties()
                if properties is None:
                    continue
                if found is not None and (found.cluster_id, found.node_id) != (
                    properties.cluster_id,
                    properties.node_id,
                ):
                    raise LogDirError(
                        f"{directory.path} belongs to node {properties.node_id} of cluster {properties.cluster_id}, "
                        f"{self.directories[0].path} to node {found.node_id} of cluster {found.cluster_id}"
                    )
                if properties.directory_id in self.directory_ids.values():
                    raise LogDirError(f"{directory.path} has the directory id of another log directory")
                self.directory_ids[directory.path] = properties.directory_id
                found = found or properties
        except BaseException:
            for directory in opened:
                directory.release()
            raise
        return found

    def format(self, cluster_id: str, node_id: int) -> None:
        """Write `meta.properties` into the directories that have none. After `open`. Raises OSError."""
        for directory in self.directories:
            if directory.path not in self.directory_ids:
                directory_id = self.entropy.uuid()
                directory.write_meta_properties(meta_properties.MetaProperties(cluster_id, node_id, directory_id))
                self.directory_ids[directory.path] = directory_id

    def load(
        self,
        config_of: Callable[[str], LogConfig] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Open every partition found, recovering those that were not closed. Raises LogDirError.

        `config_of` gives the configuration of a topic by its name. `progress(done, total)` is called as it goes.
        """
        total_by_directory = []
        epochs: list[int | None] = []
        for directory in self.directories:
            try:
                broker_epoch = directory.take_clean_shutdown()
                names = [
                    name for name in self.disk.list_directory(directory.path) if self._is_partition(directory, name)
                ]
            except OSError as error:
                directory.fail(error)
                continue
            epochs.append(broker_epoch)
            self._clean[directory.path] = broker_epoch is not None
            total_by_directory.append((directory, names))
        if epochs and None not in epochs:
            self.previous_broker_epoch = max(epoch for epoch in epochs if epoch is not None)
        total = sum(len(names) for _, names in total_by_directory)
        done = 0
        for directory, names in total_by_directory:
            checkpoints = self._checkpoints(directory)
            if names and not self._clean[directory.path]:
                _logger.info("recovering %d logs in %s, the last stop was not clean", len(names), directory.path)
            for name in names:
                self._load_one(directory, name, checkpoints, config_of)
                done += 1
                if progress is not None:
                    progress(done, total)

    def _is_partition(self, directory: LogDir, name: str) -> bool:
        """Whether `name` is a partition's directory; one that was being deleted goes on being deleted."""
        path = f"{directory.path}/{name}"
        if not self.disk.is_directory(path):
            return False
        if _DELETED_DIRECTORY.match(name):
            if name.endswith(DELETE_SUFFIX):
                directory.delete_later([path], self.default_config.file_delete_delay_ms)
            return False
        match = _PARTITION_DIRECTORY.match(name)
        return match is not None and match["topic"] != METADATA_TOPIC

    def _checkpoints(self, directory: LogDir) -> tuple[dict[TopicPartition, int], ...]:
        return tuple(
            directory.read_checkpoint(name)
            for name in (checkpoint.RECOVERY_POINT, checkpoint.LOG_START_OFFSET, checkpoint.HIGH_WATERMARK)
        )

    def _load_one(
        self,
        directory: LogDir,
        name: str,
        checkpoints: tuple[dict[TopicPartition, int], ...],
        config_of: Callable[[str], LogConfig] | None,
    ) -> None:
        topic, _, index = name.rpartition("-")
        key = (topic, int(index))
        if directory.failure is not None:
            return
        if key in self.logs:
            raise LogDirError(f"{topic}-{index} is in {self.logs[key].log_dir.path} and in {directory.path}")
        recovery_points, log_starts, high_watermarks = checkpoints
        try:
            self.logs[key] = recovery.open_log(
                directory,
                f"{directory.path}/{name}",
                topic,
                int(index),
                self.default_config if config_of is None else config_of(topic),
                is_clean=self._clean[directory.path],
                recovery_point=recovery_points.get(key, 0),
                log_start_offset=log_starts.get(key, 0),
                high_watermark=high_watermarks.get(key, 0),
            )
        except InconsistentTopicId as error:
            raise LogDirError(str(error)) from None
        except OSError as error:
            directory.fail(error)

    def open_metadata_log(self, config: LogConfig, directory: LogDir | None = None) -> PartitionLog:
        """The log of `__cluster_metadata-0`, in the first directory unless told. After `load`. Raises OSError."""
        directory = directory or self.directories[0]
        key = (METADATA_TOPIC, 0)
        recovery_points, log_starts, _ = self._checkpoints(directory)
        self.metadata_log = recovery.open_log(
            directory,
            f"{directory.path}/{METADATA_TOPIC}-0",
            METADATA_TOPIC,
            0,
            config,
            is_clean=self._clean.get(directory.path, False),
            recovery_point=recovery_points.get(key, 0),
            log_start_offset=log_starts.get(key, 0),
        )
        return self.metadata_log

    # -- partitions --

    def get(self, topic: str, partition: int) -> PartitionLog | None:
        """The log of a partition, None if it is not here."""
        return self.logs.get((topic, partition))

    def create(
        self, topic: str, partition: int, topic_id: bytes, config: LogConfig, directory_id: bytes | None = None
    ) -> PartitionLog:
        """Make a partition's directory, in the directory given or in the one with the fewest partitions.

        An existing log of that topic id is given as it is. Raises KafkaError: KAFKA_STORAGE_ERROR,
        INCONSISTENT_TOPIC_ID.
        """
        log = self.logs.get((topic, partition))
        if log is not None:
            try:
                log.assign_topic_id(topic_id)
            except InconsistentTopicId as error:
                raise KafkaError(errors.INCONSISTENT_TOPIC_ID, str(error)) from None
            return log
        leaving = self._leaving.pop((topic, partition), None)
        if leaving is not None and leaving.jobs:
            # What still syncs the deleted partition knows it by the path that the new one is about to have.
            self.flusher.drain()
        directory = self._choose(directory_id)
        try:
            log = recovery.open_log(
                directory, f"{directory.path}/{topic}-{partition}", topic, partition, config, topic_id=topic_id
            )
        except InconsistentTopicId as error:
            raise KafkaError(errors.INCONSISTENT_TOPIC_ID, str(error)) from None
        except OSError as error:
            raise directory.fail(error) from error
        self.logs[topic, partition] = log
        return log

    def _choose(self, directory_id: bytes | None) -> LogDir:
        online = [directory for directory in self.directories if directory.failure is None]
        if directory_id is not None:
            online = [d for d in online if self.directory_ids.get(d.path) == directory_id]
        if not online:
            raise KafkaError(errors.KAFKA_STORAGE_ERROR, "no log directory is online that could take the partition")
        if len(online) == 1:
            return online[0]
        counts = {directory.path: 0 for directory in online}
        for log in self.logs.values():
            if log.log_dir.path in counts:
                counts[log.log_dir.path] += 1
        return min(online, key=lambda directory: counts[directory.path])

    def delete(self, topic: str, partition: int) -> None:
        """Take a partition away at once; its files go after `file.delete.delay.ms`. Raises KAFKA_STORAGE_ERROR."""
        log = self.logs.pop((topic, partition), None)
        if log is None:
            return
        directory = log.log_dir
        unique = self.entropy.uuid().hex()
        # The suffix must fit the 255 bytes of a file name, whatever the length of the topic's.
        name = f"{topic}-{partition}"[: 255 - len(unique) - 1 - len(DELETE_SUFFIX)]
        target = f"{directory.path}/{name}.{unique}{DELETE_SUFFIX}"
        try:
            self.disk.rename(log.directory, target)
            log.close_files()
        except OSError as error:
            raise directory.fail(error) from error
        if log.jobs:
            self._leaving[topic, partition] = log
        directory.delete_later([target], log.config.file_delete_delay_ms)

    # -- periodic work --

    def checkpoint_high_watermarks(self) -> None:
        """Every `replica.high.watermark.checkpoint.interval.ms` (5 s)."""
        self._checkpoint(checkpoint.HIGH_WATERMARK)

    def checkpoint_recovery_points(self) -> None:
        """Every `log.flush.offset.checkpoint.interval.ms` (60 s)."""
        self._checkpoint(checkpoint.RECOVERY_POINT)

    def _recovery_point_lowered(self, directory: LogDir) -> None:
        try:
            self._write_checkpoint(directory, checkpoint.RECOVERY_POINT)
        except OSError as error:
            raise directory.fail(error) from error

    def checkpoint_log_start_offsets(self) -> None:
        """Every `log.flush.start.offset.checkpoint.interval.ms` (60 s). Only those that the file names do not tell."""
        self._checkpoint(checkpoint.LOG_START_OFFSET)

    def _checkpoint(self, name: str) -> None:
        for directory in self.directories:
            if directory.failure is None:
                directory.write_checkpoint(name, self._offsets(directory, name))

    def _write_checkpoint(self, directory: LogDir, name: str) -> None:
        checkpoint.write_offsets(self.disk, f"{directory.path}/{name}", self._offsets(directory, name))

    def _offsets(self, directory: LogDir, name: str) -> dict[TopicPartition, int]:
        """What the checkpoint of that name is to say. The metadata log's high watermark is the quorum's, not here."""
        offset_of = _CHECKPOINTS[name]
        logs = dict(self.logs)
        if self.metadata_log is not None and name != checkpoint.HIGH_WATERMARK:
            logs[METADATA_TOPIC, 0] = self.metadata_log
        return {
            key: offset
            for key, log in logs.items()
            if log.log_dir is directory and (offset := offset_of(log)) is not None
        }

    def check_retention(self, now_ms: int) -> None:
        """Every `log.retention.check.interval.ms` (5 min): drop old segments of all logs."""
        for log in list(self.logs.values()):
            if log.log_dir.failure is None:
                try:
                    upkeep.delete_old_segments(log, now_ms)
                except KafkaError as error:
                    _logger.warning("%s-%d: %s", log.topic, log.partition, error.message)

    def set_producer_id_expiration(self, expiration_ms: int) -> None:
        """`producer.id.expiration.ms`, for the producers that are in snapshots too."""
        for directory in self.directories:
            directory.producer_id_expiration_ms = expiration_ms

    def remove_expired_producers(self, now_ms: int) -> None:
        """Every `producer.id.expiration.check.interval.ms` (10 min)."""
        for log in self.logs.values():
            log.producers.remove_expired(now_ms, log.log_dir.producer_id_expiration_ms)

    def flush_due(self, now_ms: int) -> None:
        """Every `log.flush.scheduler.interval.ms` (never, by default): `flush.ms`."""
        for log in self.logs.values():
            if log.log_dir.failure is None:
                upkeep.flush_if_due(log, now_ms)

    # -- describing --

    def describe(self) -> list[LogDirDescription]:
        """Every directory with its space and partitions (DescribeLogDirs)."""
        described = []
        for directory in self.directories:
            partitions = {
                key: (log.size_bytes, log.log_end_offset) for key, log in self.logs.items() if log.log_dir is directory
            }
            error, space = errors.KAFKA_STORAGE_ERROR, (-1, -1)
            if directory.failure is None:
                try:
                    space = self.disk.space(directory.path)
                    error = errors.NONE
                except OSError as caught:
                    directory.fail(caught)
            described.append(LogDirDescription(directory.path, error, *space, partitions if error == 0 else {}))
        return described

    # -- stopping --

    def close(self, broker_epoch: int = UNKNOWN_BROKER_EPOCH) -> None:
        """Stop cleanly: wait for the threads, close all logs, checkpoint, note the clean stop, give the locks back."""
        self.writer.close()
        self.flusher.close()
        logs: Mapping[str, list[PartitionLog]] = {directory.path: [] for directory in self.directories}
        for log in (*self.logs.values(), *((self.metadata_log,) if self.metadata_log is not None else ())):
            logs[log.log_dir.path].append(log)
        for directory in self.directories:
            try:
                for log in logs[directory.path]:
                    upkeep.close(log)
                if directory.failure is None:
                    for name in _CHECKPOINTS:
                        self._write_checkpoint(directory, name)
                    directory.write_clean_shutdown(broker_epoch)
            except KafkaError as error:
                _logger.error("%s was not closed cleanly: %s", directory.path, error.message)
            except OSError as error:
                directory.fail(error)
            finally:
                directory.release()

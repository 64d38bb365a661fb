"""All log directories of a node and the partitions in them.

Opens and locks the directories, loads every partition found there, creates and deletes partitions, writes checkpoints.
Timers belong to the node: it calls `checkpoint_*`, `check_retention` and `flush_due` at Kafka's intervals. A directory
that fails takes its partitions offline; the others serve on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log import checkpoint, recovery, upkeep
from klamm.log.dir_identity import identify, open_all
from klamm.log.directory_choice import candidates
from klamm.log.io_thread import Completion
from klamm.log.leftovers import begin_delete, leave_alone, make_stray
from klamm.log.loading import METADATA_TOPIC, Belongs, Loading, Progress, plan_directories
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import UNKNOWN_BROKER_EPOCH, LogDir, LogDirError
from klamm.log.meta_properties import MetaProperties
from klamm.log.partition_metadata import InconsistentTopicId

if TYPE_CHECKING:
    from klamm.log.cleaner.log_cleaner import LogCleaner
    from klamm.log.disk import Disk
    from klamm.log.io_thread import IoThread
    from klamm.log.partition_log import PartitionLog
    from klamm.seams import Clock, Entropy

_logger = logging.getLogger(__name__)

TopicPartition = checkpoint.TopicPartition


def _deleted_to(log: PartitionLog) -> int | None:
    """The log start offset where it does not show in the name of the first segment."""
    return log.log_start_offset if log.log_start_offset > log.segments[0].base_offset else None


_CHECKPOINTS: Final[dict[str, Callable[[PartitionLog], int | None]]] = {
    checkpoint.RECOVERY_POINT: lambda log: log.recovery_point,
    checkpoint.HIGH_WATERMARK: lambda log: log.high_watermark,
    checkpoint.LOG_START_OFFSET: _deleted_to,
}


_GONE_MAX: Final = 4096
"""Of so many deleted partitions it is remembered that the checkpoints tell of them."""


def _signed(directory_id: bytes) -> tuple[int, int]:
    return int.from_bytes(directory_id[:8], "big", signed=True), int.from_bytes(directory_id[8:], "big", signed=True)


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
        recovery_threads_per_directory: int = 1,
        metadata_path: str | None = None,
    ) -> None:
        """`metadata_path`: where the metadata log is, if not in one of `paths`; no partition goes there."""
        self.disk = disk
        self.clock = clock
        self.entropy = entropy
        self.writer = writer
        self.flusher = flusher
        self.default_config = default_config or LogConfig()
        self.recovery_threads_per_directory = recovery_threads_per_directory
        self.directories = [LogDir(path, disk, clock, entropy, writer=writer, flusher=flusher) for path in paths]
        if metadata_path is not None and all(directory.path != metadata_path for directory in self.directories):
            own = LogDir(metadata_path, disk, clock, entropy, writer=writer, flusher=flusher)
            own.holds_partitions = False
            self.directories.append(own)
        for directory in self.directories:
            directory.on_recovery_point_lowered = self._recovery_point_lowered
        self.logs: dict[TopicPartition, PartitionLog] = {}
        self.futures: dict[TopicPartition, PartitionLog] = {}
        """The copies of those that move to another directory (`future_log.py`)."""
        self._leaving: dict[TopicPartition, PartitionLog] = {}
        self._gone: dict[LogDir, set[TopicPartition]] = {directory: set() for directory in self.directories}
        """Partitions that are not there any more, and of which a directory's checkpoints may still tell."""
        self.cordoned: frozenset[str] = frozenset()
        """Paths of the directories that new partitions are to keep away from (KIP-1066)."""
        self.metadata_log: PartitionLog | None = None
        self.cleaner: LogCleaner | None = None
        """Who compacts; it is told what happens to logs, and closed with them."""
        self.previous_broker_epoch = UNKNOWN_BROKER_EPOCH
        """The broker epoch that the last clean stop noted, for BrokerRegistration; -1 after an unclean one."""
        self.directory_ids: dict[str, bytes] = {}
        """Path to directory id of every formatted directory that is online."""
        self.on_offline: Callable[[LogDir, bytes | None, list[PartitionLog]], None] | None = None
        """Told when a directory has failed: (it, its id, the logs that were in it)."""
        self._is_clean: dict[str, bool] | None = None
        self._is_loaded = False

    # -- starting --

    def open(self) -> MetaProperties | None:
        """Lock the directories and read who they belong to; None when none has been formatted.

        A directory that cannot be used is offline from the start, unless it is the only one. Raises LogDirError,
        InvalidMetaProperties.
        """
        opened = open_all(self.directories)
        try:
            found, self.directory_ids = identify(opened, self.entropy)
            if not self.online:
                reasons = "; ".join(f"{directory.path}: {directory.reason}" for directory in self._failed)
                raise LogDirError(f"no log directory can be used: {reasons}")
        except BaseException:
            for directory in opened:
                directory.release()
            raise
        for directory in self.healthy:
            directory.on_failure = self._on_failure
        return found

    def format(self, cluster_id: str, node_id: int) -> None:
        """Write `meta.properties` into the directories that have none. After `open`. Raises OSError."""
        for directory in self.healthy:
            if directory.path not in self.directory_ids:
                directory_id = self.entropy.uuid()
                directory.write_meta_properties(MetaProperties(cluster_id, node_id, directory_id))
                self.directory_ids[directory.path] = directory_id

    @property
    def healthy(self) -> list[LogDir]:
        """The directories that have not failed."""
        return [directory for directory in self.directories if directory.failure is None]

    @property
    def online(self) -> list[LogDir]:
        """The directories that serve partitions."""
        return [directory for directory in self.healthy if directory.holds_partitions]

    @property
    def _failed(self) -> list[LogDir]:
        return [d for d in self.directories if d.holds_partitions and d.failure is not None]

    @property
    def has_offline(self) -> bool:
        """Whether a directory for partitions has failed, now or at the start."""
        return bool(self._failed)

    @property
    def registered_ids(self) -> list[bytes]:
        """The ids of the directories that serve partitions, in Kafka's order: as two signed numbers."""
        return sorted((self.directory_ids[directory.path] for directory in self.online), key=_signed)

    @property
    def cordoned_ids(self) -> list[bytes]:
        """The ids of the directories that are cordoned, as `registered_ids`."""
        return sorted((self.directory_ids[d.path] for d in self.online if d.path in self.cordoned), key=_signed)

    def take_clean_shutdowns(self) -> dict[str, bool]:
        """Which directories were stopped cleanly, by path; their notes are removed when this is first asked."""
        if self._is_clean is None:
            self._is_clean = {}
            epochs: set[int | None] = set()
            for directory in self.directories:
                broker_epoch = None
                if directory.failure is not None:
                    _logger.error("log directory %s is offline: %s", directory.path, directory.reason)
                else:
                    try:
                        broker_epoch = directory.take_clean_shutdown()
                    except OSError as error:
                        directory.fail(error)
                self._is_clean[directory.path] = broker_epoch is not None
                if directory.holds_partitions:
                    epochs.add(broker_epoch)
            # As in Kafka, the epoch counts only if every directory tells the same.
            epoch = epochs.pop() if len(epochs) == 1 else None
            self.previous_broker_epoch = UNKNOWN_BROKER_EPOCH if epoch is None else epoch
        return self._is_clean

    def load(
        self,
        config_of: Callable[[str], LogConfig] | None = None,
        progress: Progress | None = None,
        belongs: Belongs | None = None,
    ) -> None:
        """Open every partition found, recovering those that were not closed. Raises LogDirError.

        `config_of` gives the configuration of a topic by its name. `progress(done, total)` is called as it goes, on
        any thread. `belongs` tells which partitions the metadata knows here: the others become strays.
        """
        loading = self.begin_load(config_of, progress, belongs)
        loading.run()
        self.finish_load(loading)

    def begin_load(
        self,
        config_of: Callable[[str], LogConfig] | None = None,
        progress: Progress | None = None,
        belongs: Belongs | None = None,
    ) -> Loading:
        """The first part of `load`: its result is to be run, on whatever thread, and given to `finish_load`."""
        is_clean = self.take_clean_shutdowns()
        plans = plan_directories(
            {directory: is_clean[directory.path] for directory in self.online},
            self.directory_ids,
            belongs,
            self.default_config.file_delete_delay_ms,
        )
        return Loading(
            plans,
            config_of or (lambda _: self.default_config),
            belongs,
            self.clock,
            threads_per_directory=self.recovery_threads_per_directory,
            progress=progress,
        )

    def finish_load(self, loading: Loading) -> None:
        """Take over what was loaded. Raises LogDirError, and what else keeps the node from starting."""
        if loading.refusal is not None:
            raise loading.refusal
        for directory, error in loading.failures:
            directory.fail(error)
        for log in loading.logs:
            if log.log_dir.failure is not None:
                continue
            other = self.logs.setdefault((log.topic, log.partition), log)
            if other is log:
                continue
            if log.topic_id is not None and other.topic_id is not None:
                raise LogDirError(
                    f"{log.topic}-{log.partition} is in {other.log_dir.path} and in {log.log_dir.path}: "
                    "delete the one in the directory that failed last"
                )
            # The one that names its topic is the one that was in use.
            if other.topic_id is None:
                self.logs[log.topic, log.partition] = log
            self._leave(log if log.topic_id is None else other)
        for directory, name, parsed in loading.strays:
            if directory.failure is None:
                self._stray(directory, name, parsed.topic, parsed.partition)
        for future in loading.futures:
            self._take_over_future(future)
        self._is_loaded = True
        for plan in loading.plans:
            told = plan.recovery_points.keys() | plan.log_starts.keys() | plan.high_watermarks.keys()
            self._gone[plan.directory] |= told - self._in(plan.directory).keys()
        self._take_back_recovery_points(loading)

    def _take_over_future(self, future: PartitionLog) -> None:
        key = future.topic, future.partition
        current = self.logs.get(key)
        if (
            current is not None
            and current.topic_id == future.topic_id
            and current.log_dir is not future.log_dir
            and future.log_dir.failure is None
            and key not in self.futures
        ):
            self.futures[key] = future
        else:
            future.close_files()
            leave_alone(future.directory)

    def _take_back_recovery_points(self, loading: Loading) -> None:
        """Logs that end below their recovery point: it must not vouch for what is appended there from now on."""
        for plan in loading.plans:
            directory, points = plan.directory, plan.recovery_points
            logs = [log for log in (*loading.logs, *loading.futures) if log.log_dir is directory]
            if any(log.recovery_point < points.get((log.topic, log.partition), 0) for log in logs):
                self._recovery_point_lowered(directory)

    def _leave(self, log: PartitionLog) -> None:
        log.close_files()
        self._stray(log.log_dir, log.directory.rpartition("/")[2], log.topic, log.partition)

    def _stray(self, directory: LogDir, name: str, topic: str, index: int) -> None:
        try:
            make_stray(directory, name, topic, index)
        except OSError as error:
            directory.fail(error)

    def open_metadata_log(self, config: LogConfig, directory: LogDir | None = None) -> PartitionLog:
        """The log of `__cluster_metadata-0`, in the first directory unless told. After `open`. Raises OSError."""
        directory = directory or self.directories[0]
        key = (METADATA_TOPIC, 0)
        self.metadata_log = recovery.open_log(
            directory,
            f"{directory.path}/{METADATA_TOPIC}-0",
            METADATA_TOPIC,
            0,
            config,
            is_clean=self.take_clean_shutdowns()[directory.path],
            recovery_point=directory.read_checkpoint(checkpoint.RECOVERY_POINT).get(key, 0),
            log_start_offset=directory.read_checkpoint(checkpoint.LOG_START_OFFSET).get(key, 0),
        )
        return self.metadata_log

    # -- partitions --

    def get(self, topic: str, partition: int) -> PartitionLog | None:
        """The log of a partition, None if it is not here."""
        return self.logs.get((topic, partition))

    def create(
        self,
        topic: str,
        partition: int,
        topic_id: bytes,
        config: LogConfig,
        directory_id: bytes | None = None,
        *,
        is_new: bool = True,
    ) -> PartitionLog:
        """Make a partition's directory, in the directory given or in the one with the fewest partitions.

        An existing log of that topic id is given as it is. `is_new`: the partition cannot be in a directory that is
        offline. Raises KafkaError: KAFKA_STORAGE_ERROR, INCONSISTENT_TOPIC_ID.
        """
        log = self.logs.get((topic, partition))
        if log is not None:
            try:
                log.assign_topic_id(topic_id)
            except InconsistentTopicId as error:
                raise KafkaError(errors.INCONSISTENT_TOPIC_ID, str(error)) from None
            return log
        if not is_new and self.has_offline:
            offline = ", ".join(directory.path for directory in self._failed)
            raise KafkaError(errors.KAFKA_STORAGE_ERROR, f"{topic}-{partition} may be in {offline}, which is offline")
        leaving = self._leaving.pop((topic, partition), None)
        if leaving is not None and leaving.jobs:
            # What still syncs the deleted partition knows it by the path that the new one is about to have.
            self.flusher.drain()
        for directory in self._candidates(self.online, directory_id):
            try:
                self.forget_gone(directory, (topic, partition))
                log = recovery.open_log(
                    directory, f"{directory.path}/{topic}-{partition}", topic, partition, config, topic_id=topic_id
                )
            except InconsistentTopicId as error:
                raise KafkaError(errors.INCONSISTENT_TOPIC_ID, str(error)) from None
            except OSError as error:
                directory.fail(error)
                continue
            self.logs[topic, partition] = log
            return log
        raise KafkaError(errors.KAFKA_STORAGE_ERROR, f"no log directory is online that could take {topic}-{partition}")

    def _candidates(self, online: list[LogDir], directory_id: bytes | None) -> list[LogDir]:
        """Where a new partition may go, best first: where it is asked for, else by `directory_choice`."""
        if directory_id is not None:
            return [d for d in online if self.directory_ids.get(d.path) == directory_id]
        return candidates(online, self.cordoned, (*self.logs.values(), *self.futures.values()))

    def directory_id_of(self, topic: str, partition: int) -> bytes | None:
        """The id of the directory that a partition's log is in; None when it is not here."""
        log = self.logs.get((topic, partition))
        return None if log is None else self.directory_ids.get(log.log_dir.path)

    def delete(self, topic: str, partition: int) -> None:
        """Take a partition away at once; its files go after `file.delete.delay.ms`. Raises KAFKA_STORAGE_ERROR."""
        if self.cleaner is not None:
            self.cleaner.forget((topic, partition))
        log = self.logs.pop((topic, partition), None)
        if log is None:
            return
        self._delete(log)
        if log.jobs:
            self._leaving[topic, partition] = log

    def delete_future(self, topic: str, partition: int) -> None:
        """Give the move of a partition up: its copy goes as `delete` does it. Raises KAFKA_STORAGE_ERROR."""
        future = self.futures.pop((topic, partition), None)
        if future is not None and future.log_dir.failure is None:
            self._delete(future)

    def _delete(self, log: PartitionLog) -> None:
        directory, name = log.log_dir, log.directory.rpartition("/")[2]
        self._gone[directory].add((log.topic, log.partition))
        try:
            if len(self._gone[directory]) > _GONE_MAX:
                self._forget_gone(directory)
            begin_delete(directory, name, log.topic, log.partition, log.config.file_delete_delay_ms)
            log.close_files()
        except OSError as error:
            raise directory.fail(error) from error

    def forget_gone(self, directory: LogDir, key: TopicPartition) -> None:
        """Before a partition begins in a directory: what the checkpoints tell there is of no other. Raises OSError."""
        if key in self._gone[directory]:
            self._forget_gone(directory)

    def _forget_gone(self, directory: LogDir) -> None:
        """Have the checkpoints tell nothing of partitions that are gone: a new one of that name may soon be there.

        After a crash its records would be judged by the offsets of the old one. Raises OSError.
        """
        self.flusher.drain()  # an older state may be on its way
        for name in _CHECKPOINTS:
            self._write_checkpoint(directory, name)
        self._gone[directory].clear()

    # -- failing --

    def _on_failure(self, directory: LogDir) -> None:
        # Whoever met the error is still at work on the log: what follows waits until it is through.
        self.clock.call_later(0, lambda: self._take_offline(directory))

    def _take_offline(self, directory: LogDir) -> None:
        """Let go of everything in a directory that has failed, so that it could be unmounted."""
        directory_id = self.directory_ids.pop(directory.path, None)
        gone = [log for log in self.logs.values() if log.log_dir is directory]
        for log in self._in(directory).values():
            log.close_files()
        self.logs = {key: log for key, log in self.logs.items() if log.log_dir is not directory}
        self.futures = {key: log for key, log in self.futures.items() if log.log_dir is not directory}
        directory.release()
        if self.on_offline is not None:
            self.on_offline(directory, directory_id, gone)

    # -- periodic work --

    def checkpoint_high_watermarks(self) -> None:
        """Every `replica.high.watermark.checkpoint.interval.ms` (5 s)."""
        self._checkpoint(checkpoint.HIGH_WATERMARK)

    def checkpoint_recovery_points(self) -> None:
        """Every `log.flush.offset.checkpoint.interval.ms` (60 s)."""
        self._checkpoint(checkpoint.RECOVERY_POINT)

    def _recovery_point_lowered(self, directory: LogDir, is_start_lower: bool = False) -> None:
        try:
            if is_start_lower:
                self._write_checkpoint(directory, checkpoint.LOG_START_OFFSET)
            self._write_checkpoint(directory, checkpoint.RECOVERY_POINT)
            if self.cleaner is not None:
                self.cleaner.log_was_cut(directory)
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
        logs = self._in(directory)
        if name == checkpoint.HIGH_WATERMARK:
            logs.pop((METADATA_TOPIC, 0), None)
        return {key: offset for key, log in logs.items() if (offset := offset_of(log)) is not None}

    def _in(self, directory: LogDir) -> dict[TopicPartition, PartitionLog]:
        """All logs in a directory, copies and the metadata log too."""
        known = (*self.logs.items(), *self.futures.items())
        found = {key: log for key, log in known if log.log_dir is directory}
        if self.metadata_log is not None and self.metadata_log.log_dir is directory:
            found[METADATA_TOPIC, 0] = self.metadata_log
        return found

    def check_retention(self, now_ms: int) -> None:
        """Every `log.retention.check.interval.ms` (5 min): drop old segments of all logs."""
        for log in list(self.logs.values()):
            if self.cleaner is not None and self.cleaner.does_retention_of(log):
                continue
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
            log.producers.remove_expired(now_ms - log.log_dir.producer_id_expiration_ms)

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
            if not directory.holds_partitions:
                continue
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
        """Stop cleanly: wait for the threads, close all logs, checkpoint, note the clean stop, give the locks back.

        Before `load` is through nothing has changed, so that what was clean stays so.
        """
        if self.cleaner is not None:
            self.cleaner.close()
        self.writer.close()
        self.flusher.close()
        for directory in self.directories:
            directory.on_failure = None  # nobody follows it up any more, and the logs are closed on threads
            try:
                self._close_logs(self._in(directory).values())
                if directory.failure is not None:
                    continue
                if self._is_loaded:
                    for name in _CHECKPOINTS:
                        self._write_checkpoint(directory, name)
                    directory.write_clean_shutdown(broker_epoch)
                elif self._is_clean is not None and self._is_clean[directory.path]:
                    directory.write_clean_shutdown(self.previous_broker_epoch)
            except KafkaError as error:
                _logger.error("%s was not closed cleanly: %s", directory.path, error.message)
            except OSError as error:
                directory.fail(error)
            finally:
                directory.release()

    def _close_logs(self, logs: Iterable[PartitionLog]) -> None:
        """Close logs side by side: it is syncs that take the time. Raises KafkaError, OSError."""
        closings = []
        for log in logs:
            closing = Completion()
            self.flusher.submit(partial(upkeep.close, log), closing.finish, lane=log.directory)
            closings.append(closing)
        self.flusher.close()
        for closing in closings:
            if (error := closing.exception()) is not None:
                raise error

    def release(self) -> None:
        """Let go of the directories as they are, as a process that is killed does."""
        if self.cleaner is not None:
            self.cleaner.close()
        for directory in self.directories:
            directory.on_failure = None
            directory.release()

"""One log directory: its lock, its identity, its health, and the slow work on its disk.

A directory whose disk fails goes offline for good, as in Kafka: after an error of a write or an fsync nobody knows what
is on the disk, so nothing is retried and all its logs answer KAFKA_STORAGE_ERROR until the node is started again.
"""

from __future__ import annotations

import json
import logging
import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log import checkpoint, meta_properties
from klamm.log.disk import LockedError

if TYPE_CHECKING:
    from klamm.log.disk import Disk, Lock
    from klamm.log.io_thread import IoThread
    from klamm.log.meta_properties import MetaProperties
    from klamm.seams import Clock, Entropy, Timer

_logger = logging.getLogger(__name__)

CLEAN_SHUTDOWN: Final = ".kafka_cleanshutdown"
LOCK: Final = ".lock"
UNKNOWN_BROKER_EPOCH: Final = -1


class LogDirError(Exception):
    """A log directory that cannot be used, in words for the person who starts the node."""


class LogDir:
    """One directory of `log.dirs`, with what the logs in it share.

    `writer` takes the large writes, `flusher` the syncs; both may be inline.
    """

    def __init__(
        self, path: str, disk: Disk, clock: Clock, entropy: Entropy, *, writer: IoThread, flusher: IoThread
    ) -> None:
        self.path = path
        self.disk = disk
        self.clock = clock
        self.entropy = entropy
        self.writer = writer
        self.flusher = flusher
        self.holds_partitions = True
        """False for a directory with nothing but the metadata log."""
        self.failure: OSError | None = None
        """What took the directory offline; None while it serves."""
        self.on_failure: Callable[[LogDir], None] | None = None
        self.on_recovery_point_lowered: Callable[[LogDir, bool], None] | None = None
        self.producer_id_expiration_ms = 86_400_000
        """A producer that has sent nothing for so long, by its records' time, is forgotten."""
        self._lock: Lock | None = None
        self._deletes: dict[int, tuple[list[str], Timer]] = {}
        self._delete_id = 0

    # -- opening and closing --

    def open(self) -> None:
        """Make the directory if it is missing and take its lock.

        One that cannot be used is offline (`failure`); one that somebody uses raises LogDirError.
        """
        try:
            self._make()
            self.disk.list_directory(self.path)
            self._lock = self.disk.lock(f"{self.path}/{LOCK}")
        except LockedError as error:
            raise LogDirError(
                f"{self.path} is in use by another Kafka or klamm node ({LOCK}: {error.strerror})"
            ) from None
        except OSError as error:
            self.failure = error

    def _make(self) -> None:
        """Make the directory and its parents, and sync the names of those that are new: it holds synced files soon."""
        missing = []
        path = self.path.rstrip("/")
        while path and not self.disk.exists(path):
            missing.append(path)
            path = posixpath.dirname(path)
        self.disk.make_directory(self.path)
        for made in missing:
            self.disk.fsync_directory(posixpath.dirname(made) or ".")

    def release(self) -> None:
        """Give the lock back. Files that wait for their delete are found and removed at the next start."""
        for _, timer in self._deletes.values():
            timer.cancel()
        self._deletes.clear()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def read_meta_properties(self) -> MetaProperties | None:
        """None when the directory has not been formatted. Raises InvalidMetaProperties."""
        return meta_properties.read(self.disk, f"{self.path}/{meta_properties.FILE}")

    def write_meta_properties(self, properties: MetaProperties) -> None:
        meta_properties.write(self.disk, f"{self.path}/{meta_properties.FILE}", properties)

    def take_clean_shutdown(self) -> int | None:
        """Was the last stop clean? The broker epoch of that stop (-1: not noted) or None; the note is removed."""
        path = f"{self.path}/{CLEAN_SHUTDOWN}"
        try:
            data = self.disk.read(path)
        except FileNotFoundError:
            return None
        self.disk.remove(path)
        self.disk.fsync_directory(self.path)
        try:
            return int(json.loads(data)["brokerEpoch"])
        except (ValueError, KeyError, TypeError):
            return UNKNOWN_BROKER_EPOCH

    def write_clean_shutdown(self, broker_epoch: int) -> None:
        """Note that everything in the directory has been closed and synced."""
        note = json.dumps({"version": 0, "brokerEpoch": broker_epoch}, separators=(",", ":"))
        self.disk.write_atomic(f"{self.path}/{CLEAN_SHUTDOWN}", note.encode())

    # -- checkpoints --

    def read_checkpoint(self, name: str) -> dict[checkpoint.TopicPartition, int]:
        """Offsets by partition; a file that cannot be read counts as none, as in Kafka."""
        path = f"{self.path}/{name}"
        try:
            return checkpoint.read_offsets(self.disk, path)
        except (checkpoint.MalformedCheckpoint, OSError) as error:
            _logger.warning("checkpoint ignored: %s", error)
            return {}

    def write_checkpoint(self, name: str, offsets: dict[checkpoint.TopicPartition, int]) -> None:
        """Replace a checkpoint, on the flusher."""

        def done(error: BaseException | None) -> None:
            if isinstance(error, OSError):
                self.fail(error)

        path = f"{self.path}/{name}"
        self.flusher.submit(lambda: checkpoint.write_offsets(self.disk, path, offsets), done)

    def recovery_point_lowered(self, *, is_start_lower: bool = False) -> None:
        """A log was cut below its recovery point: the checkpoint must say so before anything is appended there.

        `is_start_lower`: below its start offset, too. A start that lies beyond the end would cost it all its records.
        """
        if self.on_recovery_point_lowered is not None:
            self.on_recovery_point_lowered(self, is_start_lower)

    # -- health --

    def fail(self, error: OSError) -> KafkaError:
        """Take the directory offline because of `error`; gives the error for the request that met it."""
        if self.failure is None:
            self.failure = error
            _logger.error("log directory %s is offline: %s", self.path, _told(error))
            if self.on_failure is not None:
                self.on_failure(self)
        return self.storage_error()

    def fail_unless_deleted(self, error: OSError, directory: str) -> KafkaError | None:
        """`fail`, unless the error only says that a partition's directory has been deleted meanwhile: None then.

        That a name is missing must have been said by the disk itself: one that has failed finds nothing any more.
        """
        if isinstance(error, FileNotFoundError):
            try:
                if not self.disk.exists(directory):
                    return None
            except OSError as met:
                error = met
        return self.fail(error)

    @property
    def reason(self) -> str:
        """Why the directory is offline, in words."""
        error = self.failure
        return "" if error is None else error.strerror or str(error)

    def storage_error(self) -> KafkaError:
        return KafkaError(errors.KAFKA_STORAGE_ERROR, f"log directory {self.path} is offline")

    # -- deletes --

    def delete_later(self, paths: list[str], delay_ms: int) -> None:
        """Remove files or directories, already renamed, after `file.delete.delay.ms`; readers may still hold them."""
        self._delete_id += 1
        delete_id = self._delete_id
        self._deletes[delete_id] = paths, self.clock.call_later(delay_ms, lambda: self._delete(delete_id))

    def delete_now(self) -> None:
        """Carry out the deletes that still wait for their time."""
        for delete_id in list(self._deletes):
            self._delete(delete_id)

    def _delete(self, delete_id: int) -> None:
        paths, timer = self._deletes.pop(delete_id)
        timer.cancel()
        if self.failure is not None:
            return
        disk = self.disk

        def remove() -> None:
            for path in paths:
                if disk.is_directory(path):
                    disk.remove_tree(path)
                else:
                    disk.remove(path)

        def done(error: BaseException | None) -> None:
            if error is not None:
                _logger.warning("could not delete %s: %s", ", ".join(paths), error)

        self.flusher.submit(remove, done)


def _told(error: OSError) -> str:
    """An error in words, with the file that it is about."""
    return f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"

"""Replicas that move from one log directory of this broker to another (KIP-113, KIP-858), one after another.

The copy is made beside the replica and runs after it. When it has caught up, the controller is told of the new
directory; when the metadata names that, the copy takes the replica's place.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log import future_log, upkeep

if TYPE_CHECKING:
    from collections.abc import Callable

    from klamm.log.log_dir import LogDir
    from klamm.log.log_dirs import LogDirs
    from klamm.log.partition_log import PartitionLog
    from klamm.seams import Clock, Timer
    from klamm.server.replication_quota import ReplicationQuota

log = logging.getLogger(__name__)

_CHUNK_BYTES: Final = 1_048_576
_CAUGHT_UP_MS: Final = 20.0
"""How soon to look again whether the replica that moves has grown."""
_NAME_BYTES_MAX: Final = 255
_SUFFIX_BYTES: Final = len(".-future") + 32

Key = tuple[str, int]


class Move(NamedTuple):
    """One move: the copy, and the id of the directory that it is in."""

    topic_id: bytes
    future: PartitionLog
    directory_id: bytes


class LogDirMoves:
    """`assign` tells the controller of (topic id, partition, directory id); `replaced` gets the log of a replica that
    has moved.
    """

    def __init__(
        self,
        log_dirs: LogDirs,
        clock: Clock,
        quota: ReplicationQuota,
        assign: Callable[[bytes, int, bytes], None],
        replaced: Callable[[PartitionLog], None],
    ) -> None:
        self._log_dirs = log_dirs
        self._clock = clock
        self._quota = quota
        self._assign = assign
        self._replaced = replaced
        self._moves: dict[Key, Move] = {}
        self._assigned: set[Key] = set()
        self._confirmed: set[Key] = set()
        self._wanted: dict[Key, bytes] = {}
        self._timer: Timer | None = None

    # -- asking --

    def move(self, topic: str, index: int, path: str, topic_id: bytes | None) -> int:
        """Move a replica to the directory at `path`; gives the error code. `topic_id` None: no replica is here.

        A replica that is to come will be made in that directory. A move to somewhere else is given up.
        """
        key = topic, index
        if len(topic.encode()) + len(f"-{index}") + _SUFFIX_BYTES > _NAME_BYTES_MAX:
            return errors.INVALID_TOPIC_EXCEPTION
        target = next((d for d in self._log_dirs.directories if d.path == path and d.holds_partitions), None)
        if target is None:
            return errors.LOG_DIR_NOT_FOUND
        if target.failure is not None:
            return errors.KAFKA_STORAGE_ERROR
        if path in self._log_dirs.cordoned:
            return errors.INVALID_REPLICA_ASSIGNMENT
        known = self._moves.get(key)
        if known is not None and known.future.log_dir is not target:
            self.forget(topic, index)
            known = None
        current = self._log_dirs.get(topic, index)
        if topic_id is None or current is None:
            self._wanted[key] = self._log_dirs.directory_ids[target.path]
            return errors.REPLICA_NOT_AVAILABLE
        if current.log_dir is target or known is not None:
            return errors.NONE
        return self._begin(key, topic_id, current, target)

    def _begin(self, key: Key, topic_id: bytes, current: PartitionLog, target: LogDir) -> int:
        try:
            future = future_log.create(self._log_dirs, current, target)
        except KafkaError as error:
            return error.code
        self._moves[key] = Move(topic_id, future, self._log_dirs.directory_ids[target.path])
        log.info("%s-%d moves from %s to %s", *key, current.log_dir.path, target.path)
        self._go_on(0)
        return errors.NONE

    def resume(self) -> None:
        """Go on with the moves that the last stop has interrupted."""
        for key, future in self._log_dirs.futures.items():
            assert future.topic_id is not None
            self._moves[key] = Move(future.topic_id, future, self._log_dirs.directory_ids[future.log_dir.path])
            log.info("%s-%d goes on moving to %s", *key, future.log_dir.path)
        self._go_on(0)

    def wanted_directory(self, topic: str, index: int) -> bytes | None:
        """Where a replica that is about to be made was asked to be."""
        return self._wanted.pop((topic, index), None)

    # -- what the metadata says --

    def on_directory(self, topic: str, index: int, directory_id: bytes) -> bool:
        """The metadata names the directory of a replica; True when that needs no correction, for it is on its way."""
        key = topic, index
        known = self._moves.get(key)
        if known is None or key not in self._assigned:
            return False
        if known.directory_id == directory_id:
            self._confirmed.add(key)
            self._go_on(0)
        return True

    def forget(self, topic: str, index: int) -> None:
        """The replica is deleted or offline, or is to move elsewhere: no move any more."""
        key = topic, index
        self._moves.pop(key, None)
        self._assigned.discard(key)
        self._confirmed.discard(key)
        try:
            self._log_dirs.delete_future(topic, index)
        except KafkaError as error:
            log.error("the copy of %s-%d could not be deleted: %s", topic, index, error.message)

    def futures(self) -> list[tuple[PartitionLog, int]]:
        """The copies, and how far each is behind."""
        found = []
        for key, known in self._moves.items():
            current = self._log_dirs.get(*key)
            end = known.future.log_end_offset if current is None else current.log_end_offset
            found.append((known.future, end - known.future.log_end_offset))
        return found

    def close(self) -> None:
        """Move nothing more. What was not moved by now is where it was, and is gone on with at the next start."""
        if self._timer is not None:
            self._timer.cancel()
        self._moves.clear()

    # -- moving --

    def _go_on(self, delay_ms: float) -> None:
        if self._timer is None and self._moves:
            self._timer = self._clock.call_later(delay_ms, self._step)

    def _step(self) -> None:
        self._timer = None
        delay_ms = _CAUGHT_UP_MS
        for key in list(self._moves):
            known = self._moves[key]
            current = self._log_dirs.get(*key)
            if current is None or current.topic_id != known.topic_id or known.future.log_dir.failure is not None:
                self.forget(*key)
                continue
            try:
                if self._move_some(key, known, current):
                    delay_ms = 0
                    break  # one at a time, so that each is done soon
            except KafkaError as error:
                log.warning("%s-%d does not move: %s", *key, error.message)
                self.forget(*key)
        self._go_on(delay_ms)

    def _move_some(self, key: Key, known: Move, current: PartitionLog) -> bool:
        """Bring one move on; True when there is more to copy."""
        future = known.future
        if future.has_pending_writes:
            return False
        if self._quota.is_exceeded():
            return False
        copied = future_log.copy_some(current, future, _CHUNK_BYTES)
        if copied:
            self._quota.record(copied)
            return True
        if not future_log.is_caught_up(current, future):
            return False
        if key not in self._assigned:
            # All of it is synced while the controller is asked, so that the end is short.
            upkeep.flush(future)
            self._assigned.add(key)
            self._assign(known.topic_id, key[1], known.directory_id)
        elif key in self._confirmed and not future.is_flushing:
            self._end(key, known, current)
        return False

    def _end(self, key: Key, known: Move, current: PartitionLog) -> None:
        replaced = future_log.take_place(self._log_dirs, current, known.future)
        del self._moves[key]
        self._assigned.discard(key)
        self._confirmed.discard(key)
        log.info("%s-%d has moved to %s", *key, replaced.log_dir.path)
        self._replaced(replaced)

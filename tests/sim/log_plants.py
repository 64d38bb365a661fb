"""Faults planted into the log, each one a promise broken: the simulation must find every one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from klamm.log import soundness, upkeep
from klamm.log.faulty_disk import FaultyDisk, FaultyFile
from klamm.log.partition_log import PartitionLog
from klamm.log.segment import LogSegment


@contextmanager
def _patched(target: Any, name: str, value: Any) -> Iterator[None]:
    usual = target.__dict__[name] if isinstance(target, type) else getattr(target, name)
    setattr(target, name, value)
    try:
        yield
    finally:
        setattr(target, name, usual)


def skip_the_fsync() -> AbstractContextManager[None]:
    """A flush tells that it is done and has synced no segment."""
    return _patched(upkeep, "_sync_file", lambda disk, path: None)


def no_directory_fsync() -> AbstractContextManager[None]:
    """Names of new files are never synced."""
    return _patched(FaultyDisk, "fsync_directory", lambda self, path: None)


def recovery_point_ahead() -> AbstractContextManager[None]:
    """The checkpoint says that all that was written is synced."""
    return _patched(PartitionLog, "recovery_point", property(lambda log: log.log_end_offset))


@contextmanager
def keep_a_torn_batch() -> Iterator[None]:
    """Recovery takes whatever has the length of a batch."""

    header = soundness.HEADER

    class Believing:
        """Headers whose CRC is always the one that is computed."""

        @staticmethod
        def unpack_from(data: Any, at: int = 0) -> tuple[Any, ...]:
            fields = header.unpack_from(data, at)
            return (*fields[:4], 0, *fields[5:])

    with _patched(soundness, "HEADER", Believing), _patched(soundness, "_crc32c", lambda: lambda *_: 0):
        yield


@contextmanager
def trust_an_index() -> Iterator[None]:
    """A start after a crash takes the index files as they lie there, and nobody looks where their entries point."""
    take = LogSegment.take

    def trusting(self: LogSegment, part: Any) -> None:
        take(self, part)
        self._offset_index = self._time_index = None

    with _patched(LogSegment, "take", trusting), _patched(LogSegment, "_checked", lambda self, offset, at: at):
        yield


def retry_a_failed_fsync() -> AbstractContextManager[None]:
    """A sync that fails is tried again, and its second answer believed."""
    fsync = FaultyFile.fsync

    def stubborn(self: FaultyFile) -> None:
        try:
            fsync(self)
        except OSError:
            fsync(self)

    return _patched(FaultyFile, "fsync", stubborn)


def answer_before_the_fsync() -> AbstractContextManager[None]:
    """With `flush.messages=1` the producer is answered while the sync still runs."""

    flush = upkeep.flush

    def answering(log: PartitionLog) -> Any:
        completion = flush(log)
        if not completion.done():
            log.flush_waiters.clear()
            completion.finish()
        return completion

    return _patched(upkeep, "flush", answering)


PLANTS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "skip-the-fsync": skip_the_fsync,
    "trust-an-index": trust_an_index,
    "keep-a-torn-batch": keep_a_torn_batch,
    "no-directory-fsync": no_directory_fsync,
    "recovery-point-ahead": recovery_point_ahead,
    "retry-a-failed-fsync": retry_a_failed_fsync,
    "answer-before-the-fsync": answer_before_the_fsync,
}

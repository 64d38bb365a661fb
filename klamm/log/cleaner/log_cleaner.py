"""The log cleaner: which compacted log is cleaned next, by whom, and what comes of it.

All decisions are made on the event loop: a round chooses the dirtiest log, its pass runs step by step on a cleaner's
thread, and after each step the loop puts the cleaned segment in its place, if the log is still the one that the pass
was planned for. Nothing waits for a pass: a partition that is deleted, cut or taken offline meanwhile ends it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final

from klamm.kproto.errors import KafkaError
from klamm.log import checkpoint, swap, upkeep
from klamm.log.cleaner import metrics as cleaner_metrics
from klamm.log.cleaner.cleaning import ChildEnded, CleanedGroup, Pass
from klamm.log.cleaner.metrics import CleanerMetrics
from klamm.log.cleaner.offset_map import OffsetMap
from klamm.log.cleaner.plan import CleanerSettings, CleaningPlan, Dirtiness, dirtiness, is_due, plan
from klamm.log.cleaner.throttle import Throttle
from klamm.log.io_thread import InlineIo

if TYPE_CHECKING:
    from klamm.log.checkpoint import TopicPartition
    from klamm.log.cleaner.child import ChildPass, CleanerChild
    from klamm.log.io_thread import IoThread
    from klamm.log.log_dir import LogDir
    from klamm.log.log_dirs import LogDirs
    from klamm.log.partition_log import PartitionLog
    from klamm.log.segment import LogSegment
    from klamm.seams import Timer

_logger = logging.getLogger(__name__)

CHILD_FROM_BYTES: Final = 2 << 20
"""A pass over less is made on the cleaner's thread: a child takes longer to start."""


class CleaningAborted(Exception):
    """The pass has no object any more."""


class _Worker:
    """One cleaner thread."""

    def __init__(self, thread: IoThread, settings: CleanerSettings) -> None:
        self.thread = thread
        self.child: CleanerChild | None = None
        self.map = OffsetMap(settings.map_bytes, settings.load_factor)
        self.cleaning: _Cleaning | None = None
        self.timer: Timer | None = None
        self.is_stopped = False


class _Cleaning:
    """A pass under way."""

    def __init__(self, key: TopicPartition, log: PartitionLog, dirt: Dirtiness, segments: list[LogSegment]) -> None:
        self.key = key
        self.log = log
        self.dirt = dirt
        self.segments = {segment.base_offset: (segment, segment.size) for segment in segments}
        """Those that are still to be replaced, with their sizes at the beginning."""
        self.run: Pass | ChildPass
        self.steps: Generator[CleanedGroup, None, None] = _no_groups()
        self.group: CleanedGroup | None = None
        self.is_aborted = False

    def step(self) -> None:
        """On the cleaner's thread: clean the next group. Behind the last one, sync the names of those put in place:

        no checkpoint may say of segments that they are clean whose renames a crash could take back.
        """
        self.group = next(self.steps, None)
        if self.group is None:
            self.log.log_dir.disk.fsync_directory(self.log.directory)


class LogCleaner:
    """The cleaners of a node. `start` after the logs are loaded, `close` before they are closed."""

    def __init__(
        self,
        log_dirs: LogDirs,
        settings: CleanerSettings,
        new_thread: Callable[[str], IoThread],
        wait: Callable[[float], object] | None = None,
        new_child: Callable[[], CleanerChild] | None = None,
    ) -> None:
        """`new_thread(name)` makes a cleaner's thread. `wait(seconds)` is how the throttle blocks one, for tests.

        `new_child` is for the real disk: larger passes are made in a process of its own.
        """
        self._log_dirs = log_dirs
        self._clock = log_dirs.clock
        self._settings = settings
        self._new_thread = new_thread
        self._new_child = new_child
        self._stopping = threading.Event()
        self._throttle = Throttle(
            settings.io_bytes_per_second_max, self._clock.monotonic_ms, wait or self._stopping.wait
        )
        self._workers: list[_Worker] = []
        self._is_running = False
        self.offsets: dict[TopicPartition, int] = {}
        """Up to where each log is clean."""
        self.in_progress: dict[TopicPartition, PartitionLog] = {}
        self.uncleanable: dict[TopicPartition, PartitionLog] = {}
        self.metrics = CleanerMetrics()

    # -- life --

    def start(self) -> None:
        """Read the checkpoints and set the cleaners going."""
        for directory in self._log_dirs.directories:
            if directory.failure is None:
                for key, offset in directory.read_checkpoint(checkpoint.CLEANER_OFFSET).items():
                    log = self._log_dirs.logs.get(key)
                    if log is not None and log.log_dir is directory:
                        self.offsets[key] = offset
        self._is_running = True
        self._start_workers()

    def _start_workers(self) -> None:
        if not self._settings.is_enabled:
            return
        try:
            for n in range(self._settings.threads):
                worker = _Worker(self._new_thread(f"klamm-cleaner-{n}"), self._settings)
                self._workers.append(worker)
                self._rest(worker, 0)
        except ValueError as error:
            _logger.error("no log is compacted until this setting changes: %s", error)
            self.metrics.dead_thread_count = self._settings.threads

    def reconfigure(self, settings: CleanerSettings) -> None:
        """Go by other settings: as in Kafka the cleaners end what they do and are replaced, dead ones too."""
        if settings == self._settings:
            return
        self._settings = settings
        self._throttle.bytes_per_second = settings.io_bytes_per_second_max
        if self._is_running:
            self._stop_workers()
            self.metrics.dead_thread_count = 0
            self._start_workers()

    def close(self) -> None:
        """Abort what is under way and give the threads back."""
        self._is_running = False
        self._stop_workers()

    def _stop_workers(self) -> None:
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.is_stopped = True
            if worker.timer is not None:
                worker.timer.cancel()
            if worker.cleaning is not None:
                worker.cleaning.is_aborted = True
        self._stopping.set()
        for worker in workers:
            worker.thread.close()
            if worker.child is not None:
                worker.child.close()
        self._stopping.clear()

    # -- what happens to logs --

    def does_retention_of(self, log: PartitionLog) -> bool:
        """Whether old segments of a log are the cleaner's to delete: of compacted ones, and of one under way."""
        return log.config.is_compact or (log.topic, log.partition) in self.in_progress

    def forget(self, key: TopicPartition) -> None:
        """A partition is being deleted: another of its name is to begin anew."""
        self._abort(key)
        if self.uncleanable.pop(key, None) is not None:
            self._count_uncleanable()
        log = self._log_dirs.logs.get(key)
        if self.offsets.pop(key, None) is not None and log is not None and log.log_dir.failure is None:
            log.log_dir.write_checkpoint(checkpoint.CLEANER_OFFSET, self._offsets_of(log.log_dir))

    def log_was_cut(self, log_dir: LogDir) -> None:
        """Logs of a directory may end earlier than they did, and nothing behind an end is clean. Raises OSError."""
        has_changed = False
        for key, offset in self.offsets.items():
            log = self._log_dirs.logs.get(key)
            if log is not None and log.log_dir is log_dir and log.log_end_offset < offset:
                self.offsets[key] = log.log_end_offset
                has_changed = True
        for worker in self._workers:
            cleaning = worker.cleaning
            if cleaning is not None and cleaning.log.log_dir is log_dir and not self._is_as_planned(cleaning):
                cleaning.is_aborted = True
        if has_changed:
            path = f"{log_dir.path}/{checkpoint.CLEANER_OFFSET}"
            checkpoint.write_offsets(log_dir.disk, path, self._offsets_of(log_dir))

    def _abort(self, key: TopicPartition) -> None:
        for worker in self._workers:
            if worker.cleaning is not None and worker.cleaning.key == key:
                worker.cleaning.is_aborted = True

    # -- rounds --

    def _rest(self, worker: _Worker, delay_ms: float) -> None:
        worker.timer = self._clock.call_later(delay_ms, lambda: self._round(worker))

    def _round(self, worker: _Worker) -> None:
        """Look for the dirtiest log and begin its cleaning; without one, rest for `log.cleaner.backoff.ms`."""
        if worker.is_stopped:
            return
        try:
            chosen = self._choose()
            if chosen is not None:
                self._begin(worker, *chosen)
                return
            self._delete_old_segments()
            if worker.child is not None:
                worker.child.close()
        except Exception:
            _logger.exception("a log cleaner has ended; a change of its settings starts another")
            self.metrics.dead_thread_count += 1
            return
        self._rest(worker, self._settings.backoff_ms)

    def _choose(self) -> tuple[TopicPartition, PartitionLog, Dirtiness] | None:
        metrics, now_ms = self.metrics, self._clock.time_ms()
        metrics.last_run_ms = now_ms
        best: tuple[float, TopicPartition, PartitionLog, Dirtiness] | None = None
        max_ratio, max_delay_ms = 0.0, 0
        for key, log in self._log_dirs.logs.items():
            if not log.config.is_compact or key in self.in_progress or key in self.uncleanable:
                continue
            dirt = self._dirtiness(key, log, now_ms)
            if dirt is None:
                continue
            max_ratio, max_delay_ms = max(max_ratio, dirt.ratio), max(max_delay_ms, dirt.delay_ms)
            if is_due(log, dirt) and (best is None or dirt.ratio > best[0]) and _is_synced(log, dirt):
                best = dirt.ratio, key, log, dirt
        metrics.max_dirty_percent = int(100 * max_ratio)
        metrics.max_compaction_delay_secs = max_delay_ms // 1000
        return None if best is None else best[1:]

    def _dirtiness(self, key: TopicPartition, log: PartitionLog, now_ms: int) -> Dirtiness | None:
        """None also for a log that cannot be looked at, which is left alone from now on."""
        if log.log_dir.failure is not None:
            return None
        try:
            return dirtiness(log, self.offsets.get(key), now_ms)
        except OSError as error:
            log.log_dir.fail(error)
        except Exception as error:
            self._give_up(key, log, error)
        return None

    def _delete_old_segments(self) -> None:
        """Retention of the compacted logs: what is below their start, and with `compact,delete` what is too old."""
        now_ms = self._clock.time_ms()
        for key, log in list(self._log_dirs.logs.items()):
            if not log.config.is_compact or key in self.in_progress or key in self.uncleanable:
                continue
            if log.log_dir.failure is None:
                try:
                    upkeep.delete_old_segments(log, now_ms)
                except KafkaError as error:
                    _logger.warning("%s-%d: %s", *key, error.message)

    # -- a pass --

    def _begin(self, worker: _Worker, key: TopicPartition, log: PartitionLog, dirt: Dirtiness) -> None:
        segments = [segment for segment in log.segments if segment.base_offset < dirt.upper_bound_offset]
        cleaning = worker.cleaning = _Cleaning(key, log, dirt, segments)
        self.in_progress[key] = log
        for segment in segments:
            if (writes := segment.index_writes()) is not None:
                log.submit(writes, _nothing)  # none may come later, upon the cleaned segment's files

        def spend(size: int) -> None:
            if cleaning.is_aborted:
                raise CleaningAborted
            self._throttle.spend(size)
            if cleaning.is_aborted:
                raise CleaningAborted

        try:
            planned = plan(log, dirt, self._clock.time_ms())
        except Exception as error:
            self._ended(worker, cleaning, error)
            return
        cleaning.run = self._pass(worker, log, planned, spend)
        cleaning.steps = cleaning.run.groups()
        self._advance(worker, cleaning)

    def _pass(
        self, worker: _Worker, log: PartitionLog, planned: CleaningPlan, spend: Callable[[int], None]
    ) -> Pass | ChildPass:
        now_ms = self._clock.monotonic_ms
        if self._new_child is not None and sum(segment.size for segment in planned.segments) >= CHILD_FROM_BYTES:
            worker.child = worker.child or self._new_child()
            return worker.child.run(planned, self._settings, spend, now_ms)
        chunk_bytes = self._settings.chunk_bytes
        return Pass(log.log_dir.disk, planned, worker.map, chunk_bytes=chunk_bytes, checkpoint=spend, now_ms=now_ms)

    def _advance(self, worker: _Worker, cleaning: _Cleaning) -> None:
        if cleaning.is_aborted:
            self._ended(worker, cleaning, CleaningAborted())
        else:
            worker.thread.submit(cleaning.step, lambda error: self._stepped(worker, cleaning, error))

    def _stepped(self, worker: _Worker, cleaning: _Cleaning, error: BaseException | None) -> None:
        if error is not None or cleaning.group is None:
            self._ended(worker, cleaning, error)
        else:
            # What the flusher still has to write of the old segments it must have written before they are renamed.
            cleaning.log.submit(_no_work, lambda _: self._put_in_place(worker, cleaning))

    def _put_in_place(self, worker: _Worker, cleaning: _Cleaning) -> None:
        """Swap the cleaned segment in, if its originals are still what they were."""
        group, log = cleaning.group, cleaning.log
        assert group is not None
        if cleaning.is_aborted or not self._is_as_planned(cleaning):
            disk, directory, base_offset = log.log_dir.disk, log.directory, group.base_offset
            self._on_thread(worker, lambda: swap.remove_cleaned(disk, directory, base_offset))
            self._ended(worker, cleaning, CleaningAborted())
            return
        old = [cleaning.segments.pop(planned.base_offset)[0] for planned in group.replaced]
        try:
            deleted = swap.swap_in(log, group.base_offset, group.size, group.suffixes, old)
        except OSError as error:
            self._ended(worker, cleaning, error)
            return
        log.log_dir.delete_later(deleted, log.config.file_delete_delay_ms)
        self._clock.call_later(0, lambda: self._advance(worker, cleaning))

    def _is_current(self, cleaning: _Cleaning) -> bool:
        log = cleaning.log
        return self._log_dirs.logs.get(cleaning.key) is log and log.log_dir.failure is None

    def _is_as_planned(self, cleaning: _Cleaning) -> bool:
        """Whether the log is there and has all segments that are still to be replaced, uncut."""
        if not self._is_current(cleaning):
            return False
        there = {segment.base_offset: segment for segment in cleaning.log.segments}
        active = cleaning.log.active_segment
        return all(
            there.get(base_offset) is segment and segment.size == size and segment is not active
            for base_offset, (segment, size) in cleaning.segments.items()
        )

    def _on_thread(self, worker: _Worker, work: Callable[[], object]) -> None:
        """Have the worker's thread do something that may fail; a thread that was given back is not called again."""
        (InlineIo() if worker.is_stopped else worker.thread).submit(work, _nothing)

    def _ended(self, worker: _Worker, cleaning: _Cleaning, error: BaseException | None) -> None:
        worker.cleaning = None
        key, log = cleaning.key, cleaning.log
        del self.in_progress[key]
        # Not left to the garbage collector: it clears the map and the child, which the next pass is to have.
        self._on_thread(worker, cleaning.steps.close)
        if isinstance(error, ChildEnded):
            _logger.warning("%s; from now on its work is done by a thread", error)
            self._new_child = None
            error = CleaningAborted()
        # What is met in a log that was changed meanwhile means nothing.
        if not cleaning.is_aborted and self._is_as_planned(cleaning):
            if error is None:
                self._succeeded(cleaning)
            elif isinstance(error, OSError):
                log.log_dir.fail(error)
            elif not isinstance(error, CleaningAborted):
                self._give_up(key, log, error)
        if not worker.is_stopped:
            self._delete_old_segments()
            self._rest(worker, self._settings.backoff_ms if error is not None else 0)

    def _succeeded(self, cleaning: _Cleaning) -> None:
        key, log, run = cleaning.key, cleaning.log, cleaning.run
        self.offsets[key] = run.end_offset
        self.metrics.ran(run.stats)
        name = f"{key[0]}-{key[1]}"
        first = cleaning.dirt.first_dirty_offset
        _logger.info("%s", cleaner_metrics.describe(name, first, run.end_offset, len(log.segments), run.stats))
        # By the flusher, as the others who write that file: an older state cannot come behind a newer one.
        log.log_dir.write_checkpoint(checkpoint.CLEANER_OFFSET, self._offsets_of(log.log_dir))

    def _give_up(self, key: TopicPartition, log: PartitionLog, error: BaseException) -> None:
        """A log that cannot be cleaned is left as it is; the others are cleaned on."""
        _logger.warning("%s-%d cannot be compacted and is left alone until the next start: %s", *key, error)
        self.uncleanable[key] = log
        self._count_uncleanable()

    def _count_uncleanable(self) -> None:
        now_ms = self._clock.time_ms()
        counts: dict[str, int] = {}
        sizes: dict[str, int] = {}
        for key, log in self.uncleanable.items():
            path = log.log_dir.path
            counts[path] = counts.get(path, 0) + 1
            dirt = dirtiness(log, self.offsets.get(key), now_ms)
            sizes[path] = sizes.get(path, 0) + (dirt.cleanable_bytes if dirt is not None else 0)
        self.metrics.uncleanable_partitions_count = counts
        self.metrics.uncleanable_bytes = sizes

    # -- checkpoints --

    def _offsets_of(self, log_dir: LogDir) -> dict[TopicPartition, int]:
        logs = self._log_dirs.logs
        return {
            key: offset
            for key, offset in self.offsets.items()
            if (log := logs.get(key)) is not None and log.log_dir is log_dir
        }


def _no_groups() -> Generator[CleanedGroup, None, None]:
    yield from ()


def _is_synced(log: PartitionLog, dirt: Dirtiness) -> bool:
    """Whether all that is to be cleaned is on the disk; it is on its way there if not.

    Else a crash could take the newer record of a key, for which the older one has just been removed.
    """
    if log.synced_offset < dirt.upper_bound_offset:
        upkeep.flush(log)
    return log.synced_offset >= dirt.upper_bound_offset


def _no_work() -> None:
    pass


def _nothing(_: BaseException | None) -> None:
    pass

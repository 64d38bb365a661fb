"""Opening all partitions of the log directories at the start: in parallel, with progress.

`Loading.run` may be called off the event loop: it touches files and its own results, nothing else. `LogDirs` takes the
results over afterwards, on the event loop.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.log import checkpoint, recovery
from klamm.log.leftovers import PartitionName, parse_name, topic_id_of
from klamm.log.log_dir import LogDir, LogDirError

if TYPE_CHECKING:
    from klamm.log.checkpoint import TopicPartition
    from klamm.log.log_config import LogConfig
    from klamm.log.partition_log import PartitionLog
    from klamm.seams import Clock

_logger = logging.getLogger(__name__)

METADATA_TOPIC: Final = "__cluster_metadata"
_NOT_OURS: Final = (f"{METADATA_TOPIC}-0", "remote-log-index-cache")
"""What else Kafka keeps in a log directory."""
_REPORT_INTERVAL_MS: Final = 5000

Progress = Callable[[int, int], None]
Belongs = Callable[[str, int, bytes | None], bytes | None]
"""(topic, partition, topic id that the directory names or None) to the id of the log directory that the metadata has
this replica in; None when the metadata knows no such replica here."""


class DirectoryPlan(NamedTuple):
    """What is to be loaded from one log directory."""

    directory: LogDir
    is_clean: bool
    names: list[tuple[str, PartitionName]]
    recovery_points: dict[TopicPartition, int]
    log_starts: dict[TopicPartition, int]
    high_watermarks: dict[TopicPartition, int]


def plan_directory(directory: LogDir, is_clean: bool) -> tuple[DirectoryPlan, list[tuple[str, PartitionName]]]:
    """What is in a log directory: partitions to load, and those with a suffix. Raises OSError, LogDirError."""
    disk = directory.disk
    names: list[tuple[str, PartitionName]] = []
    suffixed: list[tuple[str, PartitionName]] = []
    for name in disk.list_directory(directory.path):
        path = f"{directory.path}/{name}"
        if name in _NOT_OURS or not disk.is_directory(path):
            continue
        parsed = parse_name(name)
        if parsed is None:
            raise LogDirError(
                f"{path} is no partition's directory, and nothing else may be in a log directory: move it elsewhere"
            )
        (suffixed if parsed.suffix else names).append((name, parsed))
    plan = DirectoryPlan(
        directory,
        is_clean,
        names,
        directory.read_checkpoint(checkpoint.RECOVERY_POINT),
        directory.read_checkpoint(checkpoint.LOG_START_OFFSET),
        directory.read_checkpoint(checkpoint.HIGH_WATERMARK),
    )
    return plan, suffixed


class Loading:
    """Opens the logs of some directories. `run` once; then `logs`, `failures`, `strays` and `refusal` tell."""

    def __init__(
        self,
        plans: Sequence[DirectoryPlan],
        config_of: Callable[[str], LogConfig],
        belongs: Belongs | None,
        clock: Clock,
        *,
        threads_per_directory: int,
        progress: Progress | None,
    ) -> None:
        self.logs: list[PartitionLog] = []
        self.failures: list[tuple[LogDir, OSError]] = []
        self.strays: list[tuple[LogDir, str, PartitionName]] = []
        self.refusal: BaseException | None = None
        """What keeps the node from starting."""
        self.plans = plans
        self._config_of = config_of
        self._belongs = belongs
        self._clock = clock
        self._threads_per_directory = threads_per_directory
        self._progress = progress
        self._total = sum(len(plan.names) for plan in plans)
        self._done = 0
        self._lock = threading.Lock()
        self._is_stopped = False
        self._began_ms = self._reported_ms = clock.monotonic_ms()

    def stop(self) -> None:
        """Begin no further log."""
        self._is_stopped = True

    def run(self) -> None:
        """Open everything. Errors are kept, not raised."""
        for plan in self.plans:
            if plan.names and not plan.is_clean:
                _logger.info(
                    "recovering %d logs in %s, the last stop was not clean", len(plan.names), plan.directory.path
                )
        # Everything made here stays: the collector would walk it again and again.
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            self._run_threads()
        finally:
            if was_enabled:
                gc.enable()
        if self._total:
            took_ms = self._clock.monotonic_ms() - self._began_ms
            _logger.info("loaded %d logs in %.0f ms", len(self.logs), took_ms)

    def _run_threads(self) -> None:
        threads = []
        for plan in self.plans:
            waiting = deque(plan.names)
            # Taking clean logs over is all bookkeeping, for which threads only compete; recovery reads and checks.
            count = 1 if plan.is_clean or plan.directory.disk.is_memory else self._threads_per_directory
            for number in range(min(count, len(waiting))):
                name = f"klamm-recovery-{number}"
                threads.append(threading.Thread(target=self._work, args=(plan, waiting), name=name, daemon=True))
        if len(threads) <= 1 or all(plan.directory.disk.is_memory for plan in self.plans):
            for plan in self.plans:
                self._work(plan, deque(plan.names))
            return
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, plan: DirectoryPlan, waiting: deque[tuple[str, PartitionName]]) -> None:
        while waiting and not self._is_stopped:
            try:
                name, parsed = waiting.popleft()
            except IndexError:
                return  # another thread has taken the last one
            try:
                self._load(plan, name, parsed)
            except OSError as error:
                with self._lock:
                    self.failures.append((plan.directory, error))
                return
            except Exception as error:
                self.refusal = self.refusal or error
                self._is_stopped = True
                return
            self._report()

    def _load(self, plan: DirectoryPlan, name: str, parsed: PartitionName) -> None:
        directory, key = plan.directory, (parsed.topic, parsed.partition)
        path = f"{directory.path}/{name}"
        if self._belongs is not None and self._belongs(*key, topic_id_of(directory.disk, path)) is None:
            with self._lock:
                self.strays.append((directory, name, parsed))
            return
        log = recovery.open_log(
            directory,
            path,
            *key,
            self._config_of(parsed.topic),
            is_clean=plan.is_clean,
            recovery_point=plan.recovery_points.get(key, 0),
            log_start_offset=plan.log_starts.get(key, 0),
            high_watermark=plan.high_watermarks.get(key, 0),
        )
        self.logs.append(log)

    def _report(self) -> None:
        with self._lock:
            self._done += 1
            done = self._done
            if self._progress is not None:
                self._progress(done, self._total)
            now_ms = self._clock.monotonic_ms()
            if now_ms - self._reported_ms >= _REPORT_INTERVAL_MS and done < self._total:
                self._reported_ms = now_ms
                _logger.info("loaded %d of %d logs", done, self._total)

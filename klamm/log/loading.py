"""Opening all partitions of the log directories at the start: in parallel, with progress.

`Loading.run` may be called off the event loop: it touches files and its own results, nothing else. `LogDirs` takes the
results over afterwards, on the event loop.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.log import checkpoint, recovery
from klamm.log.leftovers import FUTURE_SUFFIX, PartitionName, begin_delete, parse_name, promote, resume, topic_id_of
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
    cleaned: dict[TopicPartition, int]


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
        directory.read_checkpoint(checkpoint.CLEANER_OFFSET),
    )
    return plan, suffixed


def plan_directories(
    directories: Mapping[LogDir, bool], ids: Mapping[str, bytes], belongs: Belongs | None, delete_delay_ms: int
) -> list[DirectoryPlan]:
    """What is to be loaded from the directories, each with whether it was stopped cleanly. `ids`: theirs, by path.

    What a rename has begun is gone on with. A directory that fails is offline, and has no plan. Raises LogDirError.
    """
    plans: list[DirectoryPlan] = []
    moved: list[tuple[DirectoryPlan, str, PartitionName]] = []
    for directory, is_clean in directories.items():
        try:
            plan, suffixed = plan_directory(directory, is_clean)
            plans.append(plan)
            for name, parsed in suffixed:
                home = ids[directory.path]
                if parsed.suffix == FUTURE_SUFFIX and belongs is not None:
                    if _is_at_home(directory, name, parsed, home, belongs):
                        moved.append((plan, name, parsed))
                    else:
                        plan.names.append((name, parsed))
                else:
                    resume(directory, name, parsed, delete_delay_ms)
        except OSError as error:
            directory.fail(error)
    for plan, name, parsed in moved:
        _take_place(plans, plan, name, parsed, delete_delay_ms)
    return [plan for plan in plans if plan.directory.failure is None]


def _is_at_home(directory: LogDir, name: str, parsed: PartitionName, home: bytes, belongs: Belongs) -> bool:
    """Whether the metadata has the replica in the directory that it was being moved to."""
    topic_id = topic_id_of(directory.disk, f"{directory.path}/{name}")
    return topic_id is not None and belongs(parsed.topic, parsed.partition, topic_id) == home


def _take_place(
    plans: Sequence[DirectoryPlan], plan: DirectoryPlan, name: str, parsed: PartitionName, delete_delay_ms: int
) -> None:
    """A replica that was moved takes the place of the one that it was moved from."""
    old = f"{parsed.topic}-{parsed.partition}", PartitionName(parsed.topic, parsed.partition)
    for other in plans:
        if old in other.names:
            try:
                begin_delete(other.directory, old[0], parsed.topic, parsed.partition, delete_delay_ms)
                other.names.remove(old)
            except OSError as error:
                other.directory.fail(error)
    try:
        promote(plan.directory, name, parsed)
        plan.names.append(old)
    except OSError as error:
        plan.directory.fail(error)


class Loading:
    """Opens the logs of some directories. `run` once; then `logs`, `futures`, `failures`, `strays` and `refusal`
    tell.
    """

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
        self.futures: list[PartitionLog] = []
        """Copies of unfinished moves."""
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
            cleaned_offset=plan.cleaned.get(key, 0),
        )
        (self.futures if parsed.suffix else self.logs).append(log)

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

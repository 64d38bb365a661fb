"""The same directory cleaned by either side, with what it took."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from compat.compaction.making import TOPIC, TOPIC_CONFIG, CleaningKafka
from compat.compaction.reading import read
from klamm.kproto import records
from klamm.log import checkpoint
from klamm.log.cleaner.child import CleanerChild
from klamm.log.cleaner.log_cleaner import LogCleaner
from klamm.log.cleaner.plan import CleanerSettings
from klamm.log.disk import RealDisk
from klamm.log.io_thread import ThreadIo
from klamm.log.log_config import LogConfig
from klamm.log.log_dirs import LogDirs
from klamm.seams import SystemClock, SystemEntropy

_TIMEOUT_S = 120.0
_KEY = (TOPIC, 0)
_PASS = re.compile(r"\(dirty section = \[(\d+), (\d+)\]\)")
_OUR_PASS = re.compile(r"offsets (\d+) to (\d+) cleaned")
_TOOK = re.compile(r"([\d,.]+) MB of log processed in ([\d,.]+) seconds")


class Cleaned(NamedTuple):
    """One cleaning: the seconds it took by its own clock, the bytes read for it, the dirty parts of its passes."""

    seconds: float
    size_bytes: int
    passes: list[tuple[int, int]]

    @property
    def end_offset(self) -> int:
        return self.passes[-1][1]


def cleaned_up_to(data_dir: Path) -> int | None:
    return checkpoint.read_offsets(RealDisk(), str(data_dir / checkpoint.CLEANER_OFFSET)).get(_KEY)


def by_kafka(kafka: CleaningKafka, *, to_the_end: bool = False) -> Cleaned:
    """Start the node, wait for the end of the one pass that is due, or of all up to the active segment; stop it."""
    kafka.clean_at(100)
    before = cleaned_up_to(kafka.data_dir)
    last = active_base(kafka.data_dir)
    told = kafka.log_file.stat().st_size if kafka.log_file.exists() else 0
    kafka.start()
    try:
        deadline = time.monotonic() + _TIMEOUT_S
        while (end := cleaned_up_to(kafka.data_dir)) in (None, before) or (to_the_end and end != last):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kafka has not cleaned the log:\n{kafka.log_tail()}")
            time.sleep(0.05)
        kafka.stop()
    finally:
        kafka.kill()
    text = _of_topic(kafka.log_file.read_bytes()[told:].decode())
    passes = [(int(first), int(end)) for first, end in _PASS.findall(text)]
    took = [(float(mb.replace(",", "")), float(s.replace(",", ""))) for mb, s in _TOOK.findall(text)]
    if not passes or (len(passes) != 1 and not to_the_end):
        raise RuntimeError(f"Kafka has made {len(passes)} passes:\n{text[-4000:]}")
    return Cleaned(sum(s for _, s in took), int(sum(mb for mb, _ in took) * (1 << 20)), passes)


def active_base(data_dir: Path) -> int:
    """The base offset of the topic's active segment."""
    return max(int(path.stem) for path in (data_dir / f"{TOPIC}-0").glob("*.log"))


def _of_topic(text: str) -> str:
    """The passes over the topic: Kafka's report is of several lines, the first names the log."""
    return "\n".join(part for part in text.split("Log cleaner thread")[1:] if f"cleaned log {TOPIC}-0 " in part[:200])


def kafka_time_ms(directory: Path, old: Path) -> int | None:
    """When Kafka has cleaned, by its clock: from a delete horizon that it has set; None if it has set none."""
    before = {b.base_timestamp for b in read(old) if b.attributes & records.DELETE_HORIZON}
    horizons = {b.base_timestamp for b in read(directory) if b.attributes & records.DELETE_HORIZON} - before
    return min(horizons) - int(TOPIC_CONFIG["delete.retention.ms"]) if horizons else None


class _ClockAt(SystemClock):
    """The system's clock with a wall time that stands still: delete horizons are then the same on both sides."""

    def __init__(self, loop: asyncio.AbstractEventLoop, time_ms: int) -> None:
        super().__init__(loop)
        self._time_ms = time_ms

    def time_ms(self) -> int:
        return self._time_ms


class _Passes(logging.Handler):
    """Notes the dirty parts of the passes that the cleaner tells of."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.found: list[tuple[int, int]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if (told := _OUR_PASS.search(record.getMessage())) is not None:
            self.found.append((int(told[1]), int(told[2])))


def by_klamm(
    data_dir: Path,
    time_ms: int | None = None,
    settings: CleanerSettings | None = None,
    *,
    config: Mapping[str, str] = TOPIC_CONFIG,
    to_the_end: bool = False,
) -> Cleaned:
    """Open the directory, have it cleaned once, or up to the active segment, close it. `time_ms`: the wall clock's."""
    logger, passes = logging.getLogger("klamm.log.cleaner.log_cleaner"), _Passes()
    level = logger.level
    logger.addHandler(passes)
    logger.setLevel(logging.INFO)
    try:
        seconds, size_bytes = asyncio.run(
            _by_klamm(data_dir, time_ms, settings or CleanerSettings(), config, to_the_end)
        )
    finally:
        logger.removeHandler(passes)
        logger.setLevel(level)
    if len(passes.found) != 1 and not to_the_end:
        raise RuntimeError(f"klamm has made {len(passes.found)} passes and not one")
    return Cleaned(seconds, size_bytes, passes.found)


async def _by_klamm(
    data_dir: Path, time_ms: int | None, settings: CleanerSettings, config: Mapping[str, str], to_the_end: bool
) -> tuple[float, int]:
    loop = asyncio.get_running_loop()
    clock = SystemClock(loop) if time_ms is None else _ClockAt(loop, time_ms)
    log_dirs = LogDirs(
        [str(data_dir)],
        disk=RealDisk(),
        clock=clock,
        entropy=SystemEntropy(),
        writer=ThreadIo("writer", loop.call_soon_threadsafe),
        flusher=ThreadIo("flusher", loop.call_soon_threadsafe),
    )
    log_dirs.open()
    log_dirs.load(lambda topic: LogConfig(config if topic == TOPIC else None))
    cleaner = LogCleaner(
        log_dirs, settings, lambda name: ThreadIo(name, loop.call_soon_threadsafe), new_child=CleanerChild
    )
    log_dirs.logs[_KEY].advance_high_watermark()
    before, last = cleaned_up_to(data_dir), active_base(data_dir)
    cleaner.start()
    deadline = loop.time() + _TIMEOUT_S
    while (end := cleaned_up_to(data_dir)) == before or (to_the_end and end != last):
        if loop.time() > deadline or cleaner.uncleanable:
            raise RuntimeError(f"klamm has not cleaned the log; uncleanable: {sorted(cleaner.uncleanable)}")
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # for the deletes
    cleaner.close()
    log_dirs.close()
    return cleaner.metrics.clean_time_secs, cleaner.metrics.bytes_read

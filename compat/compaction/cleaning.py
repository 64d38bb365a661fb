"""The same directory cleaned by either side, with what it took."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import NamedTuple

from compat.compaction.making import TOPIC, TOPIC_CONFIG, CleaningKafka
from compat.compaction.reading import read
from klamm.kproto import records
from klamm.log import checkpoint
from klamm.log.cleaner import LogCleaner
from klamm.log.cleaner_child import CleanerChild
from klamm.log.cleaning_plan import CleanerSettings
from klamm.log.disk import RealDisk
from klamm.log.io_thread import ThreadIo
from klamm.log.log_config import LogConfig
from klamm.log.log_dirs import LogDirs
from klamm.seams import SystemClock, SystemEntropy

_TIMEOUT_S = 120.0
_KEY = (TOPIC, 0)
_TOOK = re.compile(r"([\d,.]+) MB of log processed in ([\d,.]+) seconds")


class Cleaned(NamedTuple):
    """One cleaning: the seconds it took by its own clock, the bytes read for it, up to which offset it went."""

    seconds: float
    size_bytes: int
    end_offset: int


def cleaned_up_to(data_dir: Path) -> int | None:
    return checkpoint.read_offsets(RealDisk(), str(data_dir / checkpoint.CLEANER_OFFSET)).get(_KEY)


def by_kafka(kafka: CleaningKafka) -> Cleaned:
    """Start the node, wait for the end of the one pass that is due, stop it."""
    kafka.clean_at(100)
    before = cleaned_up_to(kafka.data_dir)
    told = kafka.log_file.stat().st_size if kafka.log_file.exists() else 0
    kafka.start()
    try:
        deadline = time.monotonic() + _TIMEOUT_S
        while (end := cleaned_up_to(kafka.data_dir)) in (None, before):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kafka has not cleaned the log:\n{kafka.log_tail()}")
            time.sleep(0.05)
        kafka.stop()
    finally:
        kafka.kill()
    text = kafka.log_file.read_bytes()[told:].decode()
    passes = [(float(mb.replace(",", "")), float(s.replace(",", ""))) for mb, s in _TOOK.findall(_of_topic(text))]
    if len(passes) != 1:
        raise RuntimeError(f"Kafka has made {len(passes)} passes and not one:\n{text[-4000:]}")
    assert end is not None
    return Cleaned(passes[0][1], int(passes[0][0] * (1 << 20)), end)


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


def by_klamm(data_dir: Path, time_ms: int | None = None, settings: CleanerSettings | None = None) -> Cleaned:
    """Open the directory, clean until nothing is due, close it. `time_ms`: the wall clock's time."""
    return asyncio.run(_by_klamm(data_dir, time_ms, settings or CleanerSettings()))


async def _by_klamm(data_dir: Path, time_ms: int | None, settings: CleanerSettings) -> Cleaned:
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
    log_dirs.load(lambda topic: LogConfig(TOPIC_CONFIG if topic == TOPIC else None))
    cleaner = LogCleaner(
        log_dirs, settings, lambda name: ThreadIo(name, loop.call_soon_threadsafe), new_child=CleanerChild
    )
    log_dirs.logs[_KEY].advance_high_watermark()
    before = cleaned_up_to(data_dir)
    cleaner.start()
    deadline = loop.time() + _TIMEOUT_S
    while cleaned_up_to(data_dir) == before:
        if loop.time() > deadline or cleaner.uncleanable:
            raise RuntimeError(f"klamm has not cleaned the log; uncleanable: {sorted(cleaner.uncleanable)}")
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # for the deletes
    cleaner.close()
    if cleaner.metrics.runs != 1:
        raise RuntimeError(f"klamm has made {cleaner.metrics.runs} passes and not one")
    log_dirs.close()
    end = cleaned_up_to(data_dir)
    assert end is not None
    return Cleaned(cleaner.metrics.max_clean_time_secs, cleaner.metrics.bytes_read, end)

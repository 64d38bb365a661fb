"""Logs on the disk in memory, with a clock that the test moves."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto.records import Record, build_batch
from klamm.log import recovery
from klamm.log.io_thread import InlineIo, IoThread
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import LogDir
from klamm.log.log_dirs import LogDirs
from klamm.log.memory_disk import MemoryDisk
from klamm.log.partition_log import PartitionLog
from klamm.seams import SeededEntropy
from tests.clock import FakeClock
from tests.log.data_directory import make_data_directory


class Lab:
    """A disk, a clock and the logs on them; `reopen` starts again from what is on the disk."""

    def __init__(self) -> None:
        self.disk: Any = MemoryDisk()
        self.clock = FakeClock()
        self.entropy = SeededEntropy(1)
        self.writer: IoThread = InlineIo()
        self.flusher: IoThread = InlineIo()

    def log_dir(self, path: str = "/data") -> LogDir:
        self.disk.make_directory(path)
        return LogDir(path, self.disk, self.clock, self.entropy, writer=self.writer, flusher=self.flusher)

    def open(
        self, config: dict[str, Any] | None = None, *, log_dir: LogDir | None = None, **kwargs: Any
    ) -> PartitionLog:
        place = log_dir or self.log_dir()
        return recovery.open_log(place, f"{place.path}/t-0", "t", 0, LogConfig(config), **kwargs)

    def dirs(self, *paths: str, config: dict[str, Any] | None = None) -> LogDirs:
        return LogDirs(
            paths or ("/data",),
            disk=self.disk,
            clock=self.clock,
            entropy=self.entropy,
            writer=self.writer,
            flusher=self.flusher,
            default_config=LogConfig(config),
        )

    def started(self, *paths: str, config: dict[str, Any] | None = None, load: bool = True, **kwargs: Any) -> LogDirs:
        """Directories that were formatted just now; `kwargs` are for `LogDirs.load`."""
        dirs = self.dirs(*paths, config=config)
        dirs.open()
        dirs.format("cluster", 1)
        if load:
            dirs.load(**kwargs)
        return dirs

    def batch(
        self, count: int = 1, *, size: int = 20, timestamp: int | None = None, key: bytes | None = b"k", **fields: Any
    ) -> memoryview:
        """A batch as a producer sends it: `count` records with values of `size` bytes, 1 ms apart."""
        first = self.clock.time_ms() if timestamp is None else timestamp
        records = [Record(n, first + n, key, b"v" * size) for n in range(count)]
        return memoryview(bytearray(build_batch(records, base_offset=0, **fields)))

    def append(self, log: PartitionLog, batch: memoryview | None = None, epoch: int = 0, **kwargs: Any) -> Any:
        """Append and commit, as a leader without followers."""
        appended = log.append_as_leader(
            self.batch() if batch is None else batch, epoch, now_ms=self.clock.time_ms(), **kwargs
        )
        log.advance_high_watermark()
        return appended


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with something of everything; not to be touched."""
    path = tmp_path_factory.mktemp("sound") / "data"
    make_data_directory(path)
    return path


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """A copy of it for the test."""
    shutil.copytree(sound, tmp_path / "data")
    return tmp_path / "data"

"""A broker with two log directories, klamm or real Kafka, whose disks can be made to fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from compat.disk_errors.shim import Rules
from compat.kafka_jars import ROOT
from compat.targets import KafkaTarget, KlammTarget

SETTINGS = {
    # Kafka maps its indexes: on a disk that is full a mapped page kills the process, which is not what is asked here.
    "log.index.size.max.bytes": "4096",
    "log.segment.bytes": "4194304",
    "offsets.topic.num.partitions": "4",
    "replica.high.watermark.checkpoint.interval.ms": "500",
    "log.dir.failure.timeout.ms": "10000",
}


class _Klamm(KlammTarget):
    def _command(self) -> Sequence[str]:
        command = list(super()._command())
        at = command.index("--data-dir")
        return [*command[:at], *command[at + 2 :]]


class Disks:
    """The broker, its directories `first` (with the metadata) and `second`, and the rules of its disks."""

    def __init__(self, kind: str, *, second_size_mib: int | None = None) -> None:
        """`second_size_mib`: the second directory is on a file system in memory of that size (needs root)."""
        self.directory = Path(tempfile.mkdtemp(prefix=f"compat-disk-{kind}-"))
        self.first, self.second = self.directory / "first", self.directory / "second"
        self._mount = self.directory / "mount" if second_size_mib else None
        if self._mount is not None:
            self._mount.mkdir()
            options = f"size={second_size_mib}m"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._mount)], check=True)
            self.second = self._mount / "second"
        self.rules = Rules(self.directory / "rules")
        settings = {**SETTINGS, "log.dirs": f"{self.first},{self.second}"}
        made: KlammTarget | KafkaTarget
        if kind == "klamm":
            made = _Klamm(settings, directory=self.directory)
        else:
            made = KafkaTarget(settings, directory=self.directory)
        made._spawn = self._spawn  # type: ignore[method-assign]
        self.target = made

    def _spawn(self, command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.rules.environment()},
        )

    def exit_status(self, timeout_s: float) -> int | None:
        """The status with which the broker ends by itself; None when it goes on."""
        process = self.target._process
        assert process is not None
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        self.target._ended()
        return status

    @property
    def is_running(self) -> bool:
        process = self.target._process
        return process is not None and process.poll() is None

    def remove(self) -> None:
        self.target.kill()
        if self._mount is not None:
            subprocess.run(["umount", "-l", str(self._mount)], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)

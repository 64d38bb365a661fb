"""What a broker's process costs, as the kernel counts it: CPU time and memory. Linux only."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of all threads of a process since its start; /proc counts in ticks of 10 ms."""
    # The command's name, in parentheses, may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / _TICKS_PER_S


@dataclass(frozen=True)
class Memory:
    """In MB (10⁶ bytes). `anonymous_mb` leaves out pages of files, which the kernel can drop."""

    resident_mb: float
    anonymous_mb: float


def memory(pid: int) -> Memory:
    """A process's memory now."""
    sizes_kib: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, size = line.partition(":")
        sizes_kib[name] = int(size.split()[0])
    return Memory(sizes_kib["Rss"] * 1024 / 1e6, sizes_kib["Anonymous"] * 1024 / 1e6)


def open_files(pid: int) -> int:
    """How many file descriptors a process has, sockets included."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def load_average() -> float:
    """The mean number of running processes of the last minute."""
    return os.getloadavg()[0]


@dataclass(frozen=True)
class Spread:
    """The samples of one metric."""

    least: float
    median: float
    most: float
    count: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        return cls(min(samples), statistics.median(samples), max(samples), len(samples))

"""The memory of the brokers after everything that ran before."""

from __future__ import annotations

from compat.bench.measure import memory
from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject


class LoadedMemory(Subject):
    name = "memory"

    def measure(self, side: Side, length: Length) -> Figures:
        now = memory(side.target.pid)
        return {"loaded_resident_mb": now.resident_mb, "loaded_anonymous_mb": now.anonymous_mb}

"""What the log costs as it grows: recovery by bytes, start, stop, memory and open files by partitions.

On brokers of their own. Times are from the process's start until every partition has its leader again, so Kafka's
include the start of a JVM: the rows for several sizes tell the slope.
"""

from __future__ import annotations

import time

from compat.bench.goals import PARTITION_COUNTS, RECOVERY_MB
from compat.bench.measure import memory, open_files
from compat.bench.side import FRESH, Side
from compat.bench.subject import Figures, Length, Subject

LOGS = 2
"""Among how many partitions a size is shared out: half of 2 GB is just below the default of segment.bytes."""
PER_TOPIC = 1000
_TOPIC = "scale"


def _beside(side: Side) -> Side:
    """A broker of its own, started."""
    target = FRESH[side.name]()
    target.start()
    return side.beside(target)


class Recovery(Subject):
    """SIGKILL, start, and all the data is checked before it is served. The data is in the page cache."""

    name = "recovery"

    def prepare(self, side: Side, length: Length) -> None:
        for mb in RECOVERY_MB:
            grown = side.state[f"{self.name}-{mb}"] = _beside(side)
            grown.load("create", "-topic", _TOPIC, "-partitions", LOGS, seconds=1)
            written = 0
            while written < mb * 1_000_000:
                options = ("-topic", _TOPIC, "-partitions", LOGS, "-conns", LOGS, "-batch-bytes", 16384)
                written += grown.load("produce", *options, seconds=0.1)["bytes"]
            grown.state["bytes"] = written
            grown.target.kill()

    def measure(self, side: Side, length: Length) -> Figures:
        figures = {}
        for mb in RECOVERY_MB:
            grown: Side = side.state[f"{self.name}-{mb}"]
            began = time.monotonic()
            grown.target.start()
            grown.load("create", "-topic", _TOPIC, "-partitions", LOGS, seconds=1)
            taken_s = time.monotonic() - began
            grown.target.kill()
            # A fast broker has written a little more than was asked for.
            figures[f"recovery_{mb}_s"] = taken_s * mb * 1e6 / grown.state["bytes"]
        return figures

    def clean(self, side: Side) -> None:
        for mb in RECOVERY_MB:
            side.state[f"{self.name}-{mb}"].target.remove()


class ManyPartitions(Subject):
    """Start after a clean stop with many partitions that hold a little each; what they cost at rest."""

    name = "partitions"

    def prepare(self, side: Side, length: Length) -> None:
        for count in PARTITION_COUNTS:
            grown = side.state[f"{self.name}-{count}"] = _beside(side)
            for number in range(count // PER_TOPIC):
                topic = f"{_TOPIC}-{number}"
                grown.load("create", "-topic", topic, "-partitions", PER_TOPIC, seconds=1)
                grown.load("produce", "-topic", topic, "-partitions", PER_TOPIC, "-conns", 4, seconds=1)
            grown.target.stop()

    def measure(self, side: Side, length: Length) -> Figures:
        figures = {}
        for count in PARTITION_COUNTS:
            grown: Side = side.state[f"{self.name}-{count}"]
            target = grown.target
            began = time.monotonic()
            target.start()
            for number in range(count // PER_TOPIC):
                grown.load("create", "-topic", f"{_TOPIC}-{number}", "-partitions", PER_TOPIC, seconds=1)
            figures[f"partitions_{count}_start_s"] = time.monotonic() - began
            time.sleep(1)
            rest = memory(target.pid)
            figures[f"partitions_{count}_anonymous_mb"] = rest.anonymous_mb
            figures[f"partitions_{count}_resident_mb"] = rest.resident_mb
            figures[f"partitions_{count}_files"] = open_files(target.pid)
            began = time.monotonic()
            target.stop()
            figures[f"partitions_{count}_stop_s"] = time.monotonic() - began
        return figures

    def clean(self, side: Side) -> None:
        for count in PARTITION_COUNTS:
            side.state[f"{self.name}-{count}"].target.remove()

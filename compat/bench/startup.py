"""Start to the first answered ApiVersions, and the memory of a broker at rest.

Each round starts brokers of its own. `kafka-storage format` is not counted for Kafka; klamm formats while it starts.
"""

from __future__ import annotations

import time

from compat.bench.measure import memory
from compat.bench.side import FRESH, Side
from compat.bench.subject import Figures, Length, Subject

REST_S = 2.0


class Startup(Subject):
    name = "startup"

    def measure(self, side: Side, length: Length) -> Figures:
        target = FRESH[side.name]()
        try:
            target.start()
            fresh_s = target.started_in_s
            time.sleep(REST_S)
            rest = memory(target.pid)
            other = side.beside(target)
            topic = other.create(6)
            other.load("produce", "-topic", topic, "-partitions", 6, "-conns", 2, "-batch-bytes", 16384, seconds=1)
            target.stop()
            target.start()
            again_s = target.started_in_s
            target.stop()
        finally:
            target.remove()
        return {
            "start_fresh_s": fresh_s,
            "start_again_s": again_s,
            "rest_resident_mb": rest.resident_mb,
            "rest_anonymous_mb": rest.anonymous_mb,
        }

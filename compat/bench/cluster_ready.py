"""How long a test waits for `klamm.testing.Cluster`, on a thread of this process, once its modules are imported."""

from __future__ import annotations

import time

from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject
from klamm.testing import Cluster


class ClusterReady(Subject):
    """Kafka has nothing like it: only klamm is measured, against a limit."""

    name = "cluster"

    def prepare(self, side: Side, length: Length) -> None:
        if side.name == "klamm":
            self.measure(side, length)

    def measure(self, side: Side, length: Length) -> Figures:
        if side.name != "klamm":
            return {}
        begin = time.perf_counter()
        cluster = Cluster().start()
        taken_ms = (time.perf_counter() - begin) * 1e3
        cluster.stop()
        return {"cluster_ready_ms": taken_ms}

"""Many connections: how fast they are opened (each asks for ApiVersions and is reset), how they share the broker when
a thousand of them write, and what two thousand idle ones cost."""

from __future__ import annotations

import subprocess

from compat.bench.measure import memory
from compat.bench.side import RUN_TIMEOUT_S, Side
from compat.bench.subject import Figures, Length, Subject

WRITERS, IDLE = 1000, 2000


class Connections(Subject):
    """32 at a time."""

    name = "connections"

    def measure(self, side: Side, length: Length) -> Figures:
        return {"connections_per_s": side.load("conns", "-conns", 32, seconds=length.seconds)["requests_per_s"]}


class ManyConnections(Subject):
    """Each writer has one request of one record under way."""

    name = "many-connections"

    def measure(self, side: Side, length: Length) -> Figures:
        topic = side.create(6)
        options = ("-topic", topic, "-partitions", 6, "-conns", WRITERS)
        report = side.load("produce", *options, "-warmup", "500ms", seconds=length.seconds)
        side.delete(topic)
        figures = {
            "many_connections_per_s": report["requests_per_s"],
            "many_connections_p99_ms": report["latency_us"]["p99"] / 1e3,
        }
        # A JVM's memory is its heap's, whatever happens in it.
        return figures | {"idle_connections_mb": _idle_mb(side)} if side.name == "klamm" else figures


def _idle_mb(side: Side) -> float:
    """What the broker's anonymous memory grows by while connections are held open."""
    before = memory(side.target.pid).anonymous_mb
    command = side.command("conns", "-conns", 8, "-total", IDLE, "-keep", seconds=1)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        assert held.stdin is not None and held.stdout is not None
        if not held.stdout.readline():
            raise RuntimeError(f"{side.name}: {IDLE} connections could not be held")
        grown = memory(side.target.pid).anonymous_mb - before
        held.stdin.close()
        held.wait(RUN_TIMEOUT_S)
    return grown

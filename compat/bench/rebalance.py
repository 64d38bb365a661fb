"""A group of 100 members, all of which change their subscription at once: from the first JoinGroup to the last
assignment. No member waits for a heartbeat, so that it is the coordinator's time."""

from __future__ import annotations

from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject

MEMBERS = 100


class Rebalance(Subject):
    name = "rebalance"

    def measure(self, side: Side, length: Length) -> Figures:
        report = side.load("rebalance", "-conns", MEMBERS, "-warmup", "1s", seconds=length.seconds)
        return {
            "rebalance_p50_ms": report["latency_us"]["p50"] / 1e3,
            "rebalance_p99_ms": report["latency_us"]["p99"] / 1e3,
        }

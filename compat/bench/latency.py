"""Latency at fixed rates, counted from when a request was due (open loop): 500 requests a second alone, beside 1 MB
batches from another connection, and end to end; and higher rates."""

from __future__ import annotations

import subprocess

from compat.bench.goals import RATES
from compat.bench.side import RUN_TIMEOUT_S, Side
from compat.bench.subject import Figures, Length, Subject

RATE = 500
_WARM_UP = ("-rate", RATE, "-warmup", "500ms")


class Rate(Subject):
    name = "rate"

    def prepare(self, side: Side, length: Length) -> None:
        side.state[self.name] = side.create()

    def measure(self, side: Side, length: Length) -> Figures:
        latency = side.load("rate", "-topic", side.state[self.name], *_WARM_UP, seconds=length.seconds)["latency_us"]
        return {"rate_p50_us": latency["p50"], "rate_p99_us": latency["p99"]}

    def clean(self, side: Side) -> None:
        side.delete(side.state[self.name])


class Rates(Subject):
    """Higher ones, over four connections."""

    name = "rates"

    def prepare(self, side: Side, length: Length) -> None:
        side.state[self.name] = side.create(4)

    def measure(self, side: Side, length: Length) -> Figures:
        figures: Figures = {}
        options = ("-topic", side.state[self.name], "-partitions", 4, "-conns", 4, "-warmup", "500ms")
        for rate in RATES:
            latency = side.load("rate", *options, "-rate", rate, seconds=length.seconds)["latency_us"]
            figures |= {f"rate_{rate}_p50_us": latency["p50"], f"rate_{rate}_p99_us": latency["p99"]}
        return figures

    def clean(self, side: Side) -> None:
        side.delete(side.state[self.name])


class BesideLarge(Subject):
    """The large batches come one at a time from one connection, as fast as they are acknowledged."""

    name = "beside-large"

    def measure(self, side: Side, length: Length) -> Figures:
        small, large = side.create(), side.create()
        load = subprocess.Popen(
            side.command("produce", "-topic", large, "-batch-bytes", 1_000_000, "-record-bytes", 1000,
                         seconds=length.seconds + 1),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            latency = side.load("rate", "-topic", small, *_WARM_UP, seconds=length.seconds)["latency_us"]
        finally:
            status = load.wait(RUN_TIMEOUT_S)
        if status != 0:
            raise RuntimeError(f"{side.name}: the load of large batches failed")
        side.delete(small)
        side.delete(large)
        return {"beside_large_p50_us": latency["p50"], "beside_large_p99_us": latency["p99"]}


class EndToEnd(Subject):
    name = "e2e"

    def prepare(self, side: Side, length: Length) -> None:
        side.state[self.name] = side.create()

    def measure(self, side: Side, length: Length) -> Figures:
        latency = side.load("e2e", "-topic", side.state[self.name], *_WARM_UP, seconds=length.seconds)["latency_us"]
        return {"e2e_p50_us": latency["p50"], "e2e_p99_us": latency["p99"]}

    def clean(self, side: Side) -> None:
        side.delete(side.state[self.name])

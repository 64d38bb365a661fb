"""Fetch by one raw connection, of data that the page cache holds: from the segment in use, and from sealed ones."""

from __future__ import annotations

from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject

_BATCHES = ("-conns", 2, "-in-flight", 5, "-batch-bytes", 16384)


class Fetch(Subject):
    name = "fetch"
    key = "fetch"
    partitions = 6
    config: dict[str, str] = {}

    def prepare(self, side: Side, length: Length) -> None:
        topic = side.state[self.name] = side.create(self.partitions, **self.config)
        partitions = ("-partitions", self.partitions)
        # The same data on both sides, however fast they write: 8 runs of 40 MB.
        written = 0
        while written < 320_000_000:
            written += side.load("produce", "-topic", topic, *partitions, *_BATCHES, seconds=0.25)["bytes"]
        side.load("fetch", "-topic", topic, *partitions, seconds=0.5)

    def measure(self, side: Side, length: Length) -> Figures:
        options = ("-topic", side.state[self.name], "-partitions", self.partitions)
        report = side.load("fetch", *options, seconds=length.seconds)
        return {f"{self.key}_mb_s": report["mb_per_s"], f"{self.key}_cpu": report["cpu_s"] / report["bytes"] * 1e9}

    def clean(self, side: Side) -> None:
        side.delete(side.state[self.name])


class FetchSealed(Fetch):
    name = "fetch-sealed"
    key = "fetch_sealed"
    config = {"segment.bytes": "16777216"}


class Read1(Fetch):
    name = "read-1"
    key = "read_1"
    partitions = 1


class Read100(Fetch):
    name = "read-100"
    key = "read_100"
    partitions = 100

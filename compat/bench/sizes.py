"""Produce and fetch over sizes of records and of batches: each combination a moment, two connections, acks=all."""

from __future__ import annotations

from compat.bench.goals import SIZES
from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject

_PARTITIONS = 2
_WRITTEN_BYTES = 24_000_000


def _load(batch: int, record: int) -> tuple[object, ...]:
    return ("-conns", 2, "-in-flight", 5, "-batch-bytes", batch, "-record-bytes", record)


class ProduceSizes(Subject):
    name = "produce-sizes"

    def measure(self, side: Side, length: Length) -> Figures:
        figures = {}
        topic = side.create(_PARTITIONS)
        for record, batch in SIZES:
            options = ("-topic", topic, "-partitions", _PARTITIONS, *_load(batch, record))
            report = side.load("produce", *options, seconds=length.seconds / 3)
            figures[f"produce_{record}_{batch}_mb_s"] = report["mb_per_s"]
        side.delete(topic)
        return figures


class FetchSizes(Subject):
    """The same data on both sides, however fast they have written it."""

    name = "fetch-sizes"

    def prepare(self, side: Side, length: Length) -> None:
        topics = side.state[self.name] = {}
        for record, batch in SIZES:
            topic = topics[record, batch] = side.create(_PARTITIONS)
            options = ("-topic", topic, "-partitions", _PARTITIONS, *_load(batch, record))
            written = 0
            while written < _WRITTEN_BYTES:
                written += side.load("produce", *options, seconds=0.1)["bytes"]

    def measure(self, side: Side, length: Length) -> Figures:
        figures = {}
        for (record, batch), topic in side.state[self.name].items():
            options = ("-topic", topic, "-partitions", _PARTITIONS)
            report = side.load("fetch", *options, seconds=length.seconds / 3)
            figures[f"fetch_{record}_{batch}_mb_s"] = report["mb_per_s"]
        return figures

    def clean(self, side: Side) -> None:
        for topic in side.state[self.name].values():
            side.delete(topic)

"""Produce by raw connections: tiny requests, batches of 16 KB and of 1 MB. acks=all."""

from __future__ import annotations

from typing import Any, ClassVar

from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject


class _Produce(Subject):
    """A load on a new topic, which is deleted at once."""

    options: tuple[object, ...]
    partitions = 6
    config: ClassVar[dict[str, str]] = {}

    def measure(self, side: Side, length: Length) -> Figures:
        topic = side.create(self.partitions, **self.config)
        options = ("-topic", topic, "-partitions", self.partitions, *self.options)
        report = side.load("produce", *options, seconds=length.seconds)
        side.delete(topic)
        return self.figures(report)

    def figures(self, report: dict[str, Any]) -> Figures:
        raise NotImplementedError


class TinyProduce(_Produce):
    name = "tiny"
    options = ("-conns", 32)

    def figures(self, report: dict[str, Any]) -> Figures:
        return {"tiny_per_s": report["requests_per_s"], "tiny_cpu_us": report["cpu_s"] / report["requests"] * 1e6}


class TinyPipelined(_Produce):
    name = "tiny-pipelined"
    options = ("-conns", 16, "-in-flight", 5)

    def figures(self, report: dict[str, Any]) -> Figures:
        return {
            "tiny_pipelined_per_s": report["requests_per_s"],
            "tiny_pipelined_cpu_us": report["cpu_s"] / report["requests"] * 1e6,
        }


class Produce16k(_Produce):
    name = "produce-16k"
    options = ("-conns", 2, "-in-flight", 5, "-batch-bytes", 16384)

    def figures(self, report: dict[str, Any]) -> Figures:
        return {"produce_16k_mb_s": report["mb_per_s"], "produce_16k_cpu": report["cpu_s"] / report["bytes"] * 1e9}


class Produce1m(_Produce):
    name = "produce-1m"
    # The broker's limit, message.max.bytes, is 1 MiB and 12 bytes.
    options = ("-conns", 2, "-in-flight", 5, "-batch-bytes", 1_000_000, "-record-bytes", 1000)

    def figures(self, report: dict[str, Any]) -> Figures:
        return {
            "produce_1m_mb_s": report["mb_per_s"],
            "produce_1m_cpu": report["cpu_s"] / report["bytes"] * 1e9,
            "produce_1m_p99_ms": report["latency_us"]["p99"] / 1e3,
        }


class Append1(_Produce):
    """One log alone: all connections write to it."""

    name = "append-1"
    key = "append_1"
    partitions = 1
    options = ("-conns", 2, "-in-flight", 5, "-batch-bytes", 16384)

    def figures(self, report: dict[str, Any]) -> Figures:
        return {f"{self.key}_mb_s": report["mb_per_s"], f"{self.key}_cpu": report["cpu_s"] / report["bytes"] * 1e9}


class SyncedProduce(_Produce):
    """Every answer waits for a sync (`flush.messages=1`): on one log, where syncs can be shared, and on many."""

    name = "synced-1"
    key = "synced_1"
    partitions = 1
    config: ClassVar[dict[str, str]] = {"flush.messages": "1"}
    options = ("-conns", 32)

    def figures(self, report: dict[str, Any]) -> Figures:
        return {f"{self.key}_per_s": report["requests_per_s"], f"{self.key}_p99_ms": report["latency_us"]["p99"] / 1e3}


class SyncedProduce32(SyncedProduce):
    name = "synced-32"
    key = "synced_32"
    partitions = 32


class Append100(Append1):
    name = "append-100"
    key = "append_100"
    partitions = 100

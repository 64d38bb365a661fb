"""acks=all with three replicas, on one machine: throughput of two libraries, and latency at 500 requests a second."""

from __future__ import annotations

from compat.bench.cluster_side import ClusterSide
from compat.bench.java_perf import JavaTuned
from compat.bench.java_perf import produce as java_produce
from compat.bench.latency import RATE
from compat.bench.librdkafka import RECORD_BYTES
from compat.bench.librdkafka import produce as librdkafka_produce
from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject

PARTITIONS = 6


class ReplicatedJava(Subject):
    name = "replicated-java"

    def measure(self, side: Side, length: Length) -> Figures:
        topic = side.create(PARTITIONS)
        speed, cpu = java_produce(side, topic, length.records, "acks=all", *JavaTuned.properties)
        side.delete(topic)
        return {"replicated_java_mb_s": speed, "replicated_java_cpu": cpu}


class ReplicatedLibrdkafka(Subject):
    name = "replicated-librdkafka"

    def measure(self, side: Side, length: Length) -> Figures:
        topic = side.create(PARTITIONS)
        before = side.cpu_s()
        speed = librdkafka_produce(side, topic, length.records)
        used = side.cpu_s() - before
        side.delete(topic)
        return {
            "replicated_librdkafka_mb_s": speed,
            "replicated_librdkafka_cpu": used / (length.records * RECORD_BYTES) * 1e9,
        }


class ReplicatedRate(Subject):
    """Open loop, to the leader of one partition; every answer waits for both followers."""

    name = "replicated-rate"

    def prepare(self, side: Side, length: Length) -> None:
        side.state[self.name] = side.create()

    def measure(self, side: Side, length: Length) -> Figures:
        assert isinstance(side, ClusterSide)
        topic = side.state[self.name]
        options = ("-topic", topic, "-rate", RATE, "-warmup", "500ms")
        report = side.at_leader(topic).load("rate", *options, seconds=length.seconds)
        return {
            "replicated_p50_us": report["latency_us"]["p50"],
            "replicated_p99_us": report["latency_us"]["p99"],
            "replicated_request_cpu_us": report["cpu_s"] / report["requests"] * 1e6,
        }

    def clean(self, side: Side) -> None:
        side.delete(side.state[self.name])

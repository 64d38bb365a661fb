"""Kafka's own ProducerPerformance and ConsumerPerformance, each in a JVM of its own with the options of its script."""

from __future__ import annotations

import re
import subprocess

from compat import kafka_jars
from compat.bench.side import RUN_TIMEOUT_S, Side
from compat.bench.subject import Figures, Length, Subject

RECORD_BYTES = 1000
_SENT = re.compile(r"^(\d+) records sent, .*\(([\d.]+) MB/sec\)")
_MIB = 1048576
# What the scripts of the two tools give the JVM.
_JVM = ("-Xmx512M", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")


def _tool(side: Side, main: str, *arguments: object) -> tuple[str, float]:
    """The last line that a tool printed, and the broker's CPU seconds meanwhile."""
    before = side.cpu_s()
    done = subprocess.run(
        [kafka_jars.program("java"), *_JVM, "-cp", kafka_jars.classpath(kafka_jars.KAFKA),
         f"org.apache.kafka.tools.{main}", *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False,
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        raise RuntimeError(f"{side.name}: {main}: {done.stdout}{done.stderr}")
    return lines[-1], side.cpu_s() - before


def produce(side: Side, topic: str, records: int, *properties: str) -> tuple[float, float]:
    """Run ProducerPerformance; (MB/s of record values, broker's CPU seconds per GB)."""
    line, used = _tool(
        side, "ProducerPerformance", "--bootstrap-server", side.bootstrap, "--topic", topic, "--num-records", records,
        "--record-size", RECORD_BYTES, "--throughput", -1, "--command-property", "client.id=bench", *properties,
    )  # fmt: skip
    found = _SENT.match(line)
    if found is None or int(found[1]) != records:
        raise RuntimeError(f"{side.name}: ProducerPerformance: {line}")
    return float(found[2]) * _MIB / 1e6, used / (records * RECORD_BYTES) * 1e9


class _JavaProduce(Subject):
    key: str
    properties: tuple[str, ...] = ()

    def measure(self, side: Side, length: Length) -> Figures:
        topic = side.create()
        speed, cpu = produce(side, topic, length.records, *self.properties)
        side.delete(topic)
        return {f"{self.key}_mb_s": speed, f"{self.key}_cpu": cpu}


class JavaProduce(_JavaProduce):
    name = "java-produce"
    key = "java_produce"


class JavaTuned(_JavaProduce):
    name = "java-tuned"
    key = "java_tuned"
    properties = ("batch.size=131072", "linger.ms=5")


class JavaLz4(_JavaProduce):
    name = "java-lz4"
    key = "java_lz4"
    properties = (*JavaTuned.properties, "compression.type=lz4")


class JavaConsume(Subject):
    name = "java-consume"

    def prepare(self, side: Side, length: Length) -> None:
        topic = side.state[self.name] = side.create()
        produce(side, topic, length.records * 2, *JavaTuned.properties)

    def measure(self, side: Side, length: Length) -> Figures:
        records = length.records * 2
        line, used = _tool(
            side, "ConsumerPerformance", "--bootstrap-server", side.bootstrap, "--topic", side.state[self.name],
            "--num-records", records, "--hide-header",
        )  # fmt: skip
        # start, end, MiB, MiB/s, records, records/s, rebalance ms, fetch ms, …
        values = [value.strip() for value in line.split(",")]
        if int(values[4]) < records:
            raise RuntimeError(f"{side.name}: ConsumerPerformance: {line}")
        return {
            "java_consume_mb_s": float(values[3]) * _MIB / 1e6,
            "java_consume_cpu": used / (records * RECORD_BYTES) * 1e9,
        }

    def clean(self, side: Side) -> None:
        side.delete(side.state[self.name])

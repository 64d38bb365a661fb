"""The load generator against the broker under test: each mode runs, and what it wrote is what a client reads."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from compat import scenario
from compat.drive.build import go_program

pytestmark = pytest.mark.needs("go")

HERE = Path(__file__).resolve().parent
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(target: scenario.Broker) -> Run:
    program = go_program(HERE)

    def loadgen(mode: str, *options: str) -> dict[str, Any]:
        command = [str(program), mode, "-bootstrap", target.bootstrap, "-time", "300ms", *options]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        assert result["mode"] == mode
        return result

    return loadgen


def assert_ordered(latency: dict[str, float]) -> None:
    assert latency["count"] > 0
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p999"] <= latency["max"]


def read(bootstrap: str, topic: str) -> list[Any]:
    """Every record of the topic, checksums checked."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, check_crcs=True, enable_auto_commit=False, client_id="check",
                             max_poll_records=10_000)  # fmt: skip
    try:
        found = [TopicPartition(topic, partition) for partition in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(found)
        consumer.seek_to_beginning(*found)
        end = sum(consumer.end_offsets(found).values())
        records: list[Any] = []
        while len(records) < end:
            polled = consumer.poll(timeout_ms=10_000)
            assert polled, f"{len(records)} of {end} records came"
            records += [record for batch in polled.values() for record in batch]
        return records
    finally:
        consumer.close()


@pytest.mark.parametrize("acks", ["-1", "1", "0"])
def test_produce(target: scenario.Broker, run: Run, acks: str) -> None:
    topic = scenario.free_name("load")
    result = run("produce", "-create", "-topic", topic, "-partitions", "3", "-conns", "2", "-in-flight", "5",
                 "-acks", acks, "-batch-bytes", "4096", "-record-bytes", "200")  # fmt: skip
    assert 4080 <= result["batch_bytes"] <= 4096
    assert result["bytes"] == result["requests"] * result["batch_bytes"] > 0
    if acks != "0":
        assert_ordered(result["latency_us"])
    records = read(target.bootstrap, topic)
    assert len(records) >= result["requests"] * result["records_per_batch"]
    assert {record.partition for record in records} == {0, 1, 2}
    assert {len(record.value) for record in records[: result["records_per_batch"] - 1]} == {200}


@pytest.mark.parametrize("batch_bytes", [0, 16_384, 1_048_576])
def test_batch_sizes(target: scenario.Broker, run: Run, batch_bytes: int) -> None:
    topic = scenario.free_name("load")
    result = run("produce", "-create", "-topic", topic, "-batch-bytes", str(batch_bytes), "-time", "50ms")
    if batch_bytes:
        assert batch_bytes - 8 <= result["batch_bytes"] <= batch_bytes
    else:
        assert result["records_per_batch"] == 1
    assert len(read(target.bootstrap, topic)) >= result["records_per_batch"]


def test_fetch(target: scenario.Broker, run: Run) -> None:
    topic = scenario.free_name("load")
    written = run("produce", "-create", "-topic", topic, "-partitions", "2", "-batch-bytes", "16384")
    result = run("fetch", "-topic", topic, "-partitions", "2", "-conns", "2", "-check", "-histogram")
    # It reads the topic many times over.
    assert result["bytes"] > 0 and result["records_with_warmup"] > 0 < written["requests"]
    assert_ordered(result["latency_us"])
    assert sum(count for _, count in result["histogram_us"]) == result["latency_us"]["count"]


def test_rate(target: scenario.Broker, run: Run) -> None:
    topic = scenario.free_name("load")
    result = run("rate", "-create", "-topic", topic, "-rate", "200", "-warmup", "100ms")
    assert result["requests"] == 60
    assert_ordered(result["latency_us"])
    assert len(read(target.bootstrap, topic)) == 80


def test_e2e(target: scenario.Broker, run: Run) -> None:
    topic = scenario.free_name("load")
    result = run("e2e", "-create", "-topic", topic, "-rate", "200", "-warmup", "100ms")
    assert result["requests"] == result["latency_us"]["count"] == 60
    assert_ordered(result["latency_us"])
    numbers = [int.from_bytes(record.value[:8], "big") for record in read(target.bootstrap, topic)]
    assert numbers[1:] == list(range(80))


def test_pings(run: Run) -> None:
    name = scenario.free_name("wide")
    run("create", "-topic", name, "-topics", "3", "-partitions", "4")
    assert_ordered(run("apiversions", "-conns", "3", "-in-flight", "2")["latency_us"])
    some = run("metadata", "-topic", name, "-topics", "3")
    assert some["partitions"] == 12
    everything = run("metadata", "-conns", "2")
    assert everything["partitions"] >= 12 and everything["response_bytes"] >= some["response_bytes"]


def test_conns(run: Run) -> None:
    assert run("conns", "-conns", "4")["requests"] > 4
    assert run("conns", "-conns", "4", "-total", "50", "-keep")["requests"] == 50


def test_rebalance(run: Run) -> None:
    result = run("rebalance", "-conns", "20", "-warmup", "50ms")
    assert result["members"] == 20
    assert result["requests"] == result["latency_us"]["count"] > 0
    assert_ordered(result["latency_us"])
    assert run("rebalance", "-conns", "1")["requests"] > 0


def test_errors_end_it(target: scenario.Broker) -> None:
    command = [str(go_program(HERE)), "produce", "-bootstrap", target.bootstrap, "-topic", "bad/name", "-time", "100ms"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    # UNKNOWN_TOPIC_OR_PARTITION or INVALID_TOPIC_EXCEPTION
    assert "Produce: error 3" in done.stderr or "Produce: error 17" in done.stderr

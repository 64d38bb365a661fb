"""The tools that write and read records: console, verifiable and performance clients, offsets, deletion of records."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from compat.java.tools import Cli
from compat.scenario import COMPRESSIONS, free_name

pytestmark = pytest.mark.needs("java", "javac", "mvn")

PRINT_ALL = tuple(
    argument
    for what in ("key", "headers", "offset", "partition", "timestamp")
    for argument in ("--formatter-property", f"print.{what}=true")
)


def _offsets(cli: Cli, topic: str, when: str | int) -> dict[int, int]:
    rows = (line.split(":") for line in cli.ok("kafka-get-offsets", "--topic", topic, "--time", when).lines)
    return {int(partition): int(offset) for _, partition, offset in rows}


@pytest.mark.parametrize("codec", COMPRESSIONS)
def test_console_producer_and_consumer(cli: Cli, codec: str) -> None:
    topic = free_name("console")
    cli.create_topic(topic)
    before_ms = int(time.time() * 1000)
    cli.ok(
        "kafka-console-producer", "--topic", topic, "--compression-codec", codec,
        "--reader-property", "parse.key=true", "--reader-property", "key.separator=:",
        "--reader-property", "parse.headers=true", "--reader-property", "null.marker=NULL",
        stdin="a:1,b:2\tk1:v1\nh:✓\tk2:grüße\nh:x\tk3:NULL\n",
    )  # fmt: skip
    read = cli.ok("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", 3, *PRINT_ALL)
    assert "Processed a total of 3 messages" in read.err
    rows = [line.split("\t") for line in read.lines]
    assert [row[1:] for row in rows] == [
        ["Partition:0", "Offset:0", "a:1,b:2", "k1", "v1"],
        ["Partition:0", "Offset:1", "h:✓", "k2", "grüße"],
        ["Partition:0", "Offset:2", "h:x", "k3", "null"],
    ]
    for row in rows:
        kind, timestamp_ms = row[0].split(":")
        assert kind == "CreateTime" and before_ms <= int(timestamp_ms) <= time.time() * 1000


def test_console_consumer_from_an_offset_and_in_a_group(cli: Cli) -> None:
    topic, group = free_name("console"), free_name("console")
    cli.create_topic(topic)
    cli.produce(topic, 10)
    part = cli.ok("kafka-console-consumer", "--topic", topic, "--partition", 0, "--offset", 7, "--max-messages", 3)
    assert part.lines == ["7", "8", "9"]
    grouped = ("kafka-console-consumer", "--topic", topic, "--group", group, "--from-beginning", "--max-messages")
    assert cli.ok(*grouped, 10).lines == [str(n) for n in range(10)]
    cli.produce(topic, 2)
    assert cli.ok(*grouped, 2).lines == ["0", "1"]


def test_verifiable_clients(cli: Cli) -> None:
    topic, group = free_name("verifiable"), free_name("verifiable")
    cli.create_topic(topic, 3)
    sent = cli.ok(
        "kafka-verifiable-producer", "--topic", topic, "--max-messages", 300, "--throughput", -1, "--acks", -1
    )
    (summary,) = [event for event in sent.events if event["name"] == "tool_data"]
    assert (summary["sent"], summary["acked"]) == (300, 300)
    acknowledged = {(e["partition"], e["offset"]) for e in sent.events if e["name"] == "producer_send_success"}
    assert len(acknowledged) == 300
    assert _offsets(cli, topic, "latest") == {
        partition: 1 + max(offset for p, offset in acknowledged if p == partition)
        for partition in {p for p, _ in acknowledged}
    } | {partition: 0 for partition in range(3) if partition not in {p for p, _ in acknowledged}}
    read = cli.ok(
        "kafka-verifiable-consumer", "--topic", topic, "--group-id", group, "--max-messages", 300, "--verbose"
    )
    consumed = [event for event in read.events if event["name"] == "record_data"]
    assert sorted((event["partition"], event["offset"]) for event in consumed) == sorted(acknowledged)
    assert sorted(int(event["value"]) for event in consumed) == list(range(300))


@pytest.mark.parametrize("codec", COMPRESSIONS)
def test_producer_and_consumer_performance(cli: Cli, codec: str) -> None:
    topic = free_name("perf")
    cli.create_topic(topic, 2)
    out = cli.tools.run(
        "kafka-producer-perf-test", "--topic", topic, "--num-records", 5000, "--record-size", 500, "--throughput", -1,
        "--command-property", f"bootstrap.servers={cli.bootstrap}", f"compression.type={codec}", "acks=all",
    )  # fmt: skip
    assert out.status == 0, out.err
    assert re.search(r"^5000 records sent, [\d.]+ records/sec .* 99\.9th\.$", out.out, re.MULTILINE), out.out
    assert sum(_offsets(cli, topic, "latest").values()) == 5000
    header, figures = cli.ok("kafka-consumer-perf-test", "--topic", topic, "--num-records", 5000).lines
    measured = dict(zip(header.split(", "), figures.split(", "), strict=True))
    assert int(measured["data.consumed.in.nMsg"]) == 5000
    assert float(measured["data.consumed.in.MB"]) == pytest.approx(5000 * 500 / 2**20, abs=0.01)


def test_end_to_end_latency(cli: Cli) -> None:
    topic = free_name("latency")
    cli.create_topic(topic)
    out = cli.ok(
        "kafka-e2e-latency", "--topic", topic, "--num-records", 50, "--producer-acks", "all", "--record-size", 20
    ).out
    assert re.search(r"Percentiles: 50th = \d+, 99th = \d+", out)


def test_offsets_by_time(cli: Cli) -> None:
    topic = free_name("times")
    cli.create_topic(topic, 2)
    start_ms = int(time.time() * 1000)
    cli.ok("kafka-console-producer", "--topic", topic, stdin="one\n")
    first = cli.ok("kafka-get-offsets", "--topic", topic).lines
    between_ms = int(time.time() * 1000) + 1
    while time.time() * 1000 <= between_ms:
        time.sleep(0.002)
    cli.ok("kafka-console-producer", "--topic", topic, stdin="two\nthree\n")
    assert sum(_offsets(cli, topic, "earliest").values()) == 0
    assert sum(_offsets(cli, topic, "latest").values()) == 3
    assert _offsets(cli, topic, "earliest-local") == {0: 0, 1: 0}
    found = _offsets(cli, topic, start_ms)
    assert found and set(found.values()) == {0}
    ends = dict(line.rsplit(":", 1) for line in first)
    later = _offsets(cli, topic, between_ms)
    assert later and all(str(offset) == ends[f"{topic}:{partition}"] for partition, offset in later.items())
    # A time after the last record has no offset.
    assert _offsets(cli, topic, int(time.time() * 1000) + 60_000) == {}
    newest = _offsets(cli, topic, "max-timestamp")
    assert newest and all(offset < _offsets(cli, topic, "latest")[p] for p, offset in newest.items())


def test_delete_records(cli: Cli, tmp_path: Path) -> None:
    topic = free_name("deleted")
    cli.create_topic(topic)
    cli.produce(topic, 10)
    plan = tmp_path / "offsets.json"

    def delete(offset: int) -> str:
        plan.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": offset}]}))
        return cli.run("kafka-delete-records", "--offset-json-file", plan).out

    assert f"partition: {topic}-0\tlow_watermark: 7" in delete(7)
    assert _offsets(cli, topic, "earliest") == {0: 7}
    read = cli.ok("kafka-console-consumer", "--topic", topic, "--from-beginning", "--max-messages", 3)
    assert read.lines == ["7", "8", "9"]
    assert "OffsetOutOfRangeException" in delete(11)
    assert f"partition: {topic}-0\tlow_watermark: 10" in delete(-1)
    assert _offsets(cli, topic, "earliest") == {0: 10}

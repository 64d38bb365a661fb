"""The CI form: one directory of each broker, a few damaged copies, two mended ones, remote log metadata by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.dump_log.__main__ import compare_damaged, make_directories
from compat.dump_log.comparing import compare
from compat.dump_log.kafka_text import KafkaFacts, parse
from compat.dump_log.repairing import play
from compat.dump_log.run import Report, compare_directory
from compat.java.tools import Tools
from klamm.cli.main import main as klamm
from klamm.kproto import records
from klamm.kproto.remote_log_records import RemoteLogSegmentMetadataRecord as Segment

pytestmark = pytest.mark.needs("java", "mvn")
DAMAGED = 8
SEED = 7


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    jvm = Tools(tmp_path_factory.mktemp("jvm"))
    yield jvm
    jvm.close()


@pytest.fixture(scope="module")
def directories(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_directories(tools, tmp_path_factory.mktemp("data"), SEED, is_short=True)


def test_the_same_facts(tools: Tools, directories: dict[str, Path]) -> None:
    for name, directory in directories.items():
        report = Report()
        compare_directory(tools, directory, report)
        print(f"{name}: {report}")
        assert not report.differences, report
        assert report.invalid == 0
        assert report.facts > 3000, "the directory is not what it should be"


def test_damaged_copies(tools: Tools, directories: dict[str, Path]) -> None:
    report = Report()
    differing = compare_damaged(tools, directories["kafka, stopped"], range(SEED * 100, SEED * 100 + DAMAGED), report)
    print(f"{DAMAGED} of the damaged copies, from seed {SEED * 100}: {report}")
    assert not differing, report


@pytest.mark.parametrize("name", ["kafka, stopped", "klamm, stopped"])
def test_mended_directories_serve(directories: dict[str, Path], name: str) -> None:
    print(play(directories[name], SEED))


def test_a_difference_is_found(tools: Tools, directories: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """The comparison can fail: every field of a batch matters to it."""
    path = next(p for p in sorted((directories["kafka, stopped"] / "codecs-0").glob("*.log")))
    done = tools.run("kafka-dump-log", "--files", path)
    kafka = parse(done.out, done.err, False)[str(path)]
    klamm(["log", "dump", "--json", "--no-decoder", str(path)])
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert not compare(kafka, facts).differences
    for number, fact in enumerate(facts):
        if fact["fact"] != "batch":
            continue
        for name in fact.keys() - {"fact", "file", "message"}:
            changed = [*facts[:number], {**fact, name: "other"}, *facts[number + 1 :]]
            assert len(compare(kafka, changed).differences) == 1, name
    assert compare(kafka, facts[:-1]).differences
    assert compare(KafkaFacts(), facts).differences


def test_remote_log_metadata(tools: Tools, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = Segment.RemoteLogSegmentIdEntry
    topic = entry.TopicIdPartitionEntry(name="orders", id=bytes(range(16)), partition=3)
    record = Segment(
        remote_log_segment_id=entry(topic_id_partition=topic, id=bytes(range(16, 32))),
        start_offset=10,
        end_offset=99,
        broker_id=1,
        max_timestamp_ms=1_700_000_000_000,
        event_timestamp_ms=1_700_000_000_123,
        segment_leader_epochs=[Segment.SegmentLeaderEpochEntry(leader_epoch=4, offset=10)],
        segment_size_in_bytes=4711,
        remote_log_segment_state=0,
    )
    path = tmp_path / "__remote_log_metadata-0" / "00000000000000000000.log"
    path.parent.mkdir()
    value = bytes((1, 0, 0)) + record.encode(0)
    path.write_bytes(records.build_batch([records.Record(0, 1_700_000_000_123, None, value)]))
    done = tools.run("kafka-dump-log", "--remote-log-metadata-decoder", "--files", path)
    assert done.status == 0, done.err
    told = dict(re.findall(r"(\w+)=([\w:-]+)", done.out))
    assert klamm(["log", "dump", "--json", str(path)]) == 0
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ours = next(fact for fact in facts if fact["fact"] == "record")["value"]
    assert ours["type"] == "REMOTE_LOG_SEGMENT_METADATA_RECORD"
    data = ours["data"]
    for theirs, name in (
        ("startOffset", "startOffset"),
        ("endOffset", "endOffset"),
        ("brokerId", "brokerId"),
        ("maxTimestampMs", "maxTimestampMs"),
        ("eventTimestampMs", "eventTimestampMs"),
        ("segmentSizeInBytes", "segmentSizeInBytes"),
    ):
        assert told[theirs] == str(data[name])
    place = data["remoteLogSegmentId"]["topicIdPartition"]
    assert told["topicIdPartition"] == f"{place['id']}:{place['name']}-{place['partition']}"

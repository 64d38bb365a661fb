"""After one story on klamm and on real Kafka, Kafka's tools read the same out of the files of both."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.differential.run import Run
from compat.feature_levels.at_release import KafkaAt, KlammAt, story
from compat.java.tools import Tools
from compat.metadata_tools.shell import image_tree, normal_tree
from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest
from klamm.kproto.metadata_records import ConfigRecord, PartitionRecord, TopicRecord
from klamm.metadata.snapshot_file import decode_snapshot

pytestmark = pytest.mark.needs("java", "javac", "mvn")
OFTEN = {"metadata.log.max.record.bytes.between.snapshots": "2500"}
KINDS = {
    "BEGIN_TRANSACTION_RECORD", "BROKER_REGISTRATION_CHANGE_RECORD", "CLEAR_ELR_RECORD", "CLIENT_QUOTA_RECORD",
    "CONFIG_RECORD", "END_TRANSACTION_RECORD", "FEATURE_LEVEL_RECORD", "PARTITION_CHANGE_RECORD", "PARTITION_RECORD",
    "PRODUCER_IDS_RECORD", "REGISTER_BROKER_RECORD", "REGISTER_CONTROLLER_RECORD", "REMOVE_TOPIC_RECORD",
    "TOPIC_RECORD",
}  # fmt: skip


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    jvm = Tools(tmp_path_factory.mktemp("jvm"))
    yield jvm
    jvm.close()


def _lived(target: KafkaAt | KlammAt, directory: Path) -> Path:
    """The metadata log of a node that went through the story and was stopped."""
    with target:
        run = Run(target, "tools")
        try:
            story(run)
            run.producer_id()
            _set_quotas(run)
        finally:
            run.close()
        target.stop()
        shutil.copytree(target.data_dir, directory)
    return directory / "__cluster_metadata-0"


def _set_quotas(run: Run) -> None:
    """The shell leaves out the quotas of default entities, so that there are others."""
    rows = []
    for entity, quotas in (
        ({"user": "a", "client-id": None}, {"producer_byte_rate": 1e9}),
        ({"user": "a"}, {"consumer_byte_rate": 1e9, "request_percentage": 99.5}),
        ({"ip": "127.0.0.2"}, {"connection_creation_rate": 1e9}),
    ):
        names = [{"entity_type": kind, "entity_name": name} for kind, name in entity.items()]
        ops = [{"key": key, "value": value, "remove": False} for key, value in quotas.items()]
        rows.append({"entity": names, "ops": ops})
    answer = run.quiet(AlterClientQuotasRequest, 1, entries=rows, validate_only=False)
    assert [entry.error_message for entry in answer.entries] == [None] * 3


@pytest.fixture(scope="module")
def kafkas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _lived(KafkaAt("4.2", OFTEN), tmp_path_factory.mktemp("kafka") / "data")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _lived(KlammAt("4.2", OFTEN), tmp_path_factory.mktemp("klamm") / "data")


def _snapshots(directory: Path) -> list[Path]:
    return [file for file in sorted(directory.glob("*.checkpoint")) if not file.name.startswith("0" * 20)]


def test_the_shell_shows_the_same_cluster(ours: Path, kafkas: Path) -> None:
    trees = [image_tree(next(directory.glob("*.log"))) for directory in (ours, kafkas)]
    mine, real = map(normal_tree, trees)
    assert mine == real
    for word in ("tools.topic", "ip(127.0.0.2)", "consumer_byte_rate", "finalized_streams.version", "[4.3-IV0]"):
        assert word in trees[0]


def test_the_shell_reads_our_snapshots(ours: Path) -> None:
    snapshots = _snapshots(ours)
    assert len(snapshots) >= 2
    for file in snapshots:
        lines = [line.strip() for line in image_tree(file).splitlines()]
        records = decode_snapshot(file.read_bytes(), file.name).records
        topics = [record.name for record in records if isinstance(record, TopicRecord)]
        values = {str(record.value) for record in records if isinstance(record, ConfigRecord)}
        partitions = sum(isinstance(record, PartitionRecord) for record in records)
        assert topics and values and all(f"{name}:" in lines for name in topics) and values <= set(lines)
        assert sum(line.startswith("PartitionRegistration(") for line in lines) == 2 * partitions  # by id and by name


def test_dump_log_reads_every_record(ours: Path, tools: Tools) -> None:
    files = [ours.parent / "bootstrap.checkpoint", *ours.glob("*.checkpoint"), *ours.glob("*.log")]
    found: set[str] = set()
    for file in files:
        told = tools.run("kafka-dump-log", "--cluster-metadata-decoder", "--files", file)
        assert told.status == 0 and "Could not decode" not in told.out, told.out
        batches = [line for line in told.lines if line.startswith("baseOffset:")]
        assert batches and all("isvalid: true" in line for line in batches), told.out
        payloads = re.findall(r'payload: \{"type":"(\w+)"', told.out)
        records = re.findall(r"^\| offset: \d+ .*payload: ", told.out, re.MULTILINE)
        assert len(payloads) == len(records)
        found |= set(payloads)
    assert found - {"NO_OP_RECORD"} == KINDS

"""The same requests that were sent to a real Kafka 4.3.1 node: the same answers, the same records, batch by batch.

The recording is in tests/data/metadata_log (its README says how it was made). Random ids are taken from it, so that
records can be compared whole; what a real node orders by hash is sorted on both sides.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import control_records, errors, records
from klamm.kproto.catalog import message_class
from klamm.kproto.json_form import from_json, to_json
from klamm.kproto.messages.allocate_producer_ids import AllocateProducerIdsRequest
from klamm.kproto.uuids import uuid_bytes
from klamm.metadata.controller.topics import TopicDefaults
from klamm.metadata.image.cluster import Endpoint
from klamm.metadata.log_replay import LogReplay
from klamm.metadata.node_metadata import MetadataSettings
from klamm.metadata.raft.history import QuorumHistory, quorum_records
from klamm.metadata.raft.voters import VoterEndpoint
from klamm.metadata.record_codec import control_batch, data_batch, decode_record
from klamm.metadata.snapshot_file import decode_snapshot
from klamm.metadata.storage_format import FormatOptions

DATA = Path(__file__).resolve().parents[1] / "data" / "metadata_log"
LOG = (DATA / "00000000000000000000.log").read_bytes()
STEPS = json.loads((DATA / "steps.json").read_text())
CONTROL = {
    records.CONTROL_LEADER_CHANGE: control_records.LeaderChangeMessage,
    records.CONTROL_KRAFT_VERSION: control_records.KRaftVersionRecord,
    records.CONTROL_KRAFT_VOTERS: control_records.VotersRecord,
}
DEFAULT_MESSAGES = ("This server does not host this topic-partition.", "This server does not host this topic ID.")
"""What a code says by default; klamm has words of its own."""
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"


def rows_of(batch: records.Batch) -> list[tuple[str, int, str]]:
    """(record name, version, JSON) of each record; lists that a real node orders by hash are sorted."""
    rows = []
    for record in records.iter_records(batch):
        if batch.is_control:
            cls = CONTROL[records.control_type(record.key)]
            message, version = cls.decode(record.value or b"", 0), 0
        else:
            message, version = decode_record(record.value)
        told = to_json(message, version, True)
        if "features" in told:
            told["features"].sort(key=lambda feature: feature["name"])
        rows.append((type(message).__name__, version, json.dumps(told, sort_keys=True)))
    return rows


def normal(rows: list[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Runs of config and partition changes, whose order a hash decides, in one order."""
    return sorted(rows) if any(name in ("ConfigRecord", "PartitionChangeRecord") for name, *_ in rows) else rows


def in_one_order(batches: list[list[tuple[str, int, str]]]) -> list[list[tuple[str, int, str]]]:
    """A starting broker tells of cordoned directories with the heartbeat that unfences it or with an earlier one."""
    told = [row for batch in batches for row in batch if row[:2] == ("BrokerRegistrationChangeRecord", 3)]
    rest = [[row for row in batch if row not in told] for batch in batches]
    return [*(batch for batch in rest if batch), told]


def batches_between(data: bytes, start: int, end: int) -> list[list[tuple[str, int, str]]]:
    return [normal(rows_of(batch)) for batch in records.batches(memoryview(data)[start:end])]


def ends() -> dict[str, tuple[int, int]]:
    """Step -> where its bytes are in the log."""
    found, at = {}, 0
    for step in STEPS:
        found[step["step"]] = at, step["log_to"]
        at = step["log_to"]
    return found


def recorded(step: str) -> list[list[tuple[str, int, str]]]:
    return batches_between(LOG, *ends()[step])


def values(step: str, record: str, field: str) -> list[Any]:
    return [json.loads(told)[field] for batch in recorded(step) for name, _, told in batch if name == record]


def test_every_batch_of_the_real_log_is_understood() -> None:
    replay, history = LogReplay(), QuorumHistory()
    for batch in records.batches(LOG):
        replay.take(records.validate_batch(batch.view))
        if batch.is_control:
            history.add(quorum_records(batch))
    image = replay.build()
    assert image.offset == sum(len(rows) for rows in batches_between(LOG, 0, len(LOG))) - 1
    assert sorted(image.topics.by_name) == sorted(
        ["three", "manual", "x" * 249, "col_lide", "one", "one.a", "notwice", "a13", "old1", "old4", "last"]
    )
    assert image.metadata_version == 30 and image.is_elr_enabled
    assert image.config(4, "") == {"min.insync.replicas": "2", "log.retention.ms": "99000"}
    assert image.cluster.brokers[1].fenced
    assert {p.elr for t in image.topics.by_id.values() for p in t.partitions.values()} == {(1,)}
    assert history.kraft_version == 1 and history.voters.voters[0].node_id == 1


def test_snapshots_of_kafka_storage_format() -> None:
    bootstrap = decode_snapshot((DATA / "bootstrap.checkpoint").read_bytes(), "bootstrap.checkpoint")
    assert [r.name for r in bootstrap.records][:2] == ["metadata.version", "eligible.leader.replicas.version"]
    assert bootstrap.voters is None
    first = decode_snapshot((DATA / "00000000000000000000-0000000000.checkpoint").read_bytes(), "0-0")
    assert first.kraft_version == 1 and first.voters is not None and not first.records


class Kafka:
    """The recorded node's life, lived again by ours."""

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self.read_to = 0
        self.node: Any = None
        properties = (DATA / "meta.properties").read_text().splitlines()
        fields = dict(line.split("=", 1) for line in properties if "=" in line)
        self.cluster_id, self.directory_id = fields["cluster.id"], uuid_bytes(fields["directory.id"])

    async def start(self, step: str, broker: bool = True) -> None:
        controller = json.loads(next(t for b in recorded("start") for n, _, t in b if n == "RegisterControllerRecord"))
        endpoint = controller["endPoints"][0]
        [listener] = values(step, "RegisterBrokerRecord", "endPoints")[0]
        script = [] if self.node is not None else [self.directory_id]
        script += [uuid_bytes(i) for i in values(step, "RegisterControllerRecord", "incarnationId")]
        script += [uuid_bytes(i) for i in values(step, "RegisterBrokerRecord", "incarnationId")]
        self.lab.entropy.script.extend(script)
        here = endpoint["name"], endpoint["host"], endpoint["port"]
        self.node = self.lab.make(
            settings=MetadataSettings(
                topic_defaults=TopicDefaults(num_partitions=2),
                controller_endpoints=(Endpoint(*here),),
                max_idle_interval_ms=0,
            ),
            options=FormatOptions(1, self.cluster_id, (VoterEndpoint(*here),)),
        )
        await self.node.up([Endpoint(listener["name"], listener["host"], listener["port"])])

    def written(self) -> list[list[tuple[str, int, str]]]:
        """The batches that ours has written since the last call."""
        data = self.node.log_bytes()
        start, self.read_to = self.read_to, len(data)
        return batches_between(data, start, len(data))

    async def request(self, step: dict[str, Any]) -> dict[str, Any]:
        cls: Any = message_class(step["request"])
        version = step["version"]
        request = from_json(cls, step["json"], version, cls.__schema__.is_flexible(version))
        node = self.node.node
        call = node.describe_quorum if step["request"] == "DescribeQuorumRequest" else node.submit
        self.lab.entropy.script.extend(topic_ids(step))
        response = await self.lab.settled(call(request))
        told: dict[str, Any] = to_json(response, version, cls.__schema__.is_flexible(version))
        return told


def topic_ids(step: dict[str, Any]) -> list[bytes]:
    """The ids that the real node drew, in the order in which the topics were asked for."""
    if step["request"] != "CreateTopicsRequest":
        return []
    told = {topic["name"]: topic.get("topicId", NO_ID) for topic in step["response"]["topics"]}
    for batch in recorded(step["step"]):
        for name, _, row in batch:
            if name == "TopicRecord":
                told[json.loads(row)["name"]] = json.loads(row)["topicId"]
    return [uuid_bytes(told[t["name"]]) for t in step["json"]["topics"] if told[t["name"]] != NO_ID]


def comparable(response: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on the time; rows that a real node shuffles are sorted."""
    out = json.loads(json.dumps(response))
    for row in [row for key in ("topics", "results", "responses") for row in out.get(key) or ()]:
        for told in (row, *(row.get("partitions") or ())):
            if told.get("errorMessage") in DEFAULT_MESSAGES:
                told["errorMessage"] = errors.info(told["errorCode"]).message
    for topic in out.get("topics") or ():
        topic.pop("configs", None)
        for partition in topic.get("partitions") or ():
            for voter in partition["currentVoters"]:
                del voter["lastFetchTimestamp"], voter["lastCaughtUpTimestamp"]
    for key in ("topics", "results", "responses"):
        if isinstance(out.get(key), list):
            out[key].sort(key=lambda row: json.dumps(row, sort_keys=True))
    return dict(out)


async def test_the_recorded_life(lab: Any) -> None:
    kafka = Kafka(lab)
    done = 0
    for step in STEPS:
        name = step["step"]
        if "request" not in step:
            if name in ("start", "start again", "start after a kill"):
                await kafka.start(name)
            elif name == "kill":
                kafka.node.kill()
                continue
            else:
                await kafka.node.broker.controlled_shutdown()
        elif step["request"] == "InitProducerIdRequest":
            # The broker that was asked had no block and fetched one; the request itself is the server's.
            asked = AllocateProducerIdsRequest(broker_id=1, broker_epoch=kafka.node.broker.broker_epoch)
            block = await lab.settled(kafka.node.node.submit(asked))
            assert (block.producer_id_start, block.producer_id_len) == (0, 1000)
        else:
            assert comparable(await kafka.request(step)) == comparable(step["response"]), name
        assert in_one_order(kafka.written()) == in_one_order(recorded(name)), name
        if name in ("stop", "last stop"):
            kafka.node.node.close()
            kafka.node.log_dirs.close(kafka.node.broker.broker_epoch)
        done += 1
    assert done == len(STEPS) - 1


@pytest.mark.parametrize("batch", [pytest.param(b, id=str(b.base_offset)) for b in records.batches(LOG)])
def test_record_bytes_and_versions(batch: records.Batch) -> None:
    """Each batch of the real log, built again from what was read, is the same bytes."""
    where = {"base_offset": batch.base_offset, "leader_epoch": batch.partition_leader_epoch}
    if batch.is_control:
        rows = []
        for record in records.iter_records(batch):
            kind = records.control_type(record.key)
            rows.append((kind, CONTROL[kind].decode(record.value or b"", 0)))
        built = control_batch(rows, timestamp_ms=batch.base_timestamp, **where)
    else:
        messages = [decode_record(record.value)[0] for record in records.iter_records(batch)]
        built = data_batch(messages, 30, timestamp_ms=batch.base_timestamp, **where)
    assert built == bytes(batch.view)

"""The values on the wire: every one there and back in every version, and what the envelope alone is refused for."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.codec_writer import UnsupportedField
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.fetch import FetchRequest as FetchMessage
from klamm.kproto.messages.vote import VoteRequest as VoteMessage
from klamm.kproto.messages.vote import VoteResponse as VoteAnswer
from klamm.kproto.metadata_records import NoOpRecord
from klamm.metadata.raft import messages as m
from klamm.metadata.raft import wire
from klamm.metadata.raft.log_index import OffsetAndEpoch
from klamm.metadata.raft.voters import ReplicaKey, Voter, VoterSet
from klamm.metadata.record_codec import control_batch, data_batch
from tests.metadata.raft.quorum import endpoint, key, voter

LISTENER = "CONTROLLER"
CLUSTER = "cluster-id"
SNAPSHOT = OffsetAndEpoch(40, 4)
HINT = m.LeaderHint(2, 4, endpoint(2))
NOBODY = m.LeaderHint(-1, 4)

REQUESTS: list[tuple[m.RaftRequest, int]] = [
    (m.VoteRequest(key(1), 4, key(2), 3, 15, True), 2),
    (m.VoteRequest(key(1), 4, key(2), 3, 15), 1),
    (m.VoteRequest(None, 4, ReplicaKey(2), 3, 15), 0),
    (m.BeginQuorumEpochRequest(key(1), 2, 4, (endpoint(2),)), 1),
    (m.BeginQuorumEpochRequest(None, 2, 4), 0),
    (m.EndQuorumEpochRequest(2, 4, (key(1), key(3))), 1),
    (m.EndQuorumEpochRequest(2, 4, (ReplicaKey(1), ReplicaKey(3))), 0),
    (m.FetchRequest(key(1), 4, 15, 3, -1, 500, 1 << 20), 18),
    (m.FetchRequest(key(1), 4, 15, 3, 2**63 - 1, 500, 1 << 20), 17),
    (m.FetchSnapshotRequest(key(1), 4, SNAPSHOT, 7, 1000), 1),
    (m.FetchSnapshotRequest(ReplicaKey(1), 4, SNAPSHOT, 7, 1000), 0),
    (m.AddRaftVoterRequest(key(4), (endpoint(4),), False), 1),
    (m.AddRaftVoterRequest(key(4), (endpoint(4),)), 0),
    (m.RemoveRaftVoterRequest(key(4)), 0),
    (m.UpdateRaftVoterRequest(4, voter(2)), 0),
]

RESPONSES: list[tuple[m.RaftResponse, int]] = [
    (m.VoteResponse(HINT, True), 2),
    (m.VoteResponse(HINT._replace(endpoint=None), False, errors.FENCED_LEADER_EPOCH), 0),
    (m.VoteResponse(NOBODY, False, errors.INVALID_VOTER_KEY), 2),
    (m.BeginQuorumEpochResponse(HINT), 1),
    (m.EndQuorumEpochResponse(HINT, errors.FENCED_LEADER_EPOCH), 1),
    (m.FetchResponse(HINT, high_watermark=9, log_start_offset=3), 18),
    (m.FetchResponse(HINT, diverging=OffsetAndEpoch(0, 0)), 17),
    (m.FetchResponse(HINT, snapshot_id=SNAPSHOT), 17),
    (m.FetchResponse(NOBODY, errors.NOT_LEADER_OR_FOLLOWER), 18),
    (m.FetchSnapshotResponse(HINT, 0, SNAPSHOT, 1000, 7, b"abc"), 1),
    (m.AddRaftVoterResponse(errors.DUPLICATE_VOTER, "why"), 1),
    (m.RemoveRaftVoterResponse(), 0),
    (m.UpdateRaftVoterResponse(HINT, errors.VOTER_NOT_FOUND), 0),
    (m.UpdateRaftVoterResponse(NOBODY), 0),
]


@pytest.mark.parametrize(("value", "version"), REQUESTS)
def test_requests_there_and_back(value: m.RaftRequest, version: int) -> None:
    message = wire.request_message(value, CLUSTER)
    again = type(message).decode(message.encode(version), version)
    assert wire.read_request(again, CLUSTER) == value


@pytest.mark.parametrize(("value", "version"), RESPONSES)
def test_responses_there_and_back(value: m.RaftResponse, version: int) -> None:
    data = value.data if isinstance(value, m.FetchSnapshotResponse) else b""
    assert isinstance(data, bytes)
    message = wire.response_message(value, data)
    read = wire.read_response(type(message).decode(message.encode(version), version), LISTENER)
    if isinstance(read, m.FetchSnapshotResponse):
        read = read._replace(data=bytes(read.data))  # type: ignore[arg-type]
    assert read == value


def test_a_pre_vote_has_no_place_in_old_versions() -> None:
    with pytest.raises(UnsupportedField):
        wire.request_message(m.VoteRequest(key(1), 4, key(2), 3, 15, True), CLUSTER).encode(1)


def test_a_fetch_is_what_real_nodes_send() -> None:
    message: Any = wire.request_message(m.FetchRequest(key(1), 4, 15, 3, -1, 500, 1 << 20), CLUSTER)
    [topic] = message.topics
    [row] = topic.partitions
    assert (message.min_bytes, message.session_id, message.session_epoch) == (0, 0, -1)
    assert (row.partition_max_bytes, row.log_start_offset, topic.topic_id) == (0, -1, bytes(15) + b"\x01")
    assert (message.replica_state.replica_id, message.replica_state.replica_epoch) == (1, -1)


@pytest.mark.parametrize("value", [value for value, _ in REQUESTS])
def test_another_cluster_is_refused_first(value: m.RaftRequest) -> None:
    message: Any = wire.request_message(value, CLUSTER)
    if hasattr(message, "topics"):
        message.topics = []
    with pytest.raises(KafkaError) as caught:
        wire.read_request(message, "another")
    assert caught.value.code == errors.INCONSISTENT_CLUSTER_ID
    message.cluster_id = None
    if hasattr(message, "topics"):
        with pytest.raises(KafkaError) as caught:
            wire.read_request(message, "another")
        assert caught.value.code == errors.INVALID_REQUEST


def test_another_topic_or_partition_is_refused() -> None:
    message: Any = wire.request_message(m.VoteRequest(key(1), 4, key(2), 3, 15), CLUSTER)
    assert isinstance(message, VoteMessage)
    message.topics[0].partitions[0].partition_index = 1
    with pytest.raises(KafkaError):
        wire.read_request(message, CLUSTER)
    message.topics[0].partitions[0].partition_index = 0
    message.topics[0].topic_name = "orders"
    with pytest.raises(KafkaError):
        wire.read_request(message, CLUSTER)


def test_a_fetch_of_another_topic_id_is_refused() -> None:
    message: Any = wire.request_message(m.FetchRequest(key(1), 4, 15, 3), CLUSTER)
    message.topics[0].topic_id = b"x" * 16
    again = FetchMessage.decode(message.encode(17), 17)
    with pytest.raises(KafkaError):
        wire.read_request(again, CLUSTER)


def test_an_error_of_the_whole_response() -> None:
    with pytest.raises(KafkaError) as caught:
        wire.read_response(VoteAnswer(error_code=errors.INCONSISTENT_CLUSTER_ID, topics=[]), LISTENER)
    assert caught.value.code == errors.INCONSISTENT_CLUSTER_ID


def test_batches_with_their_control_records() -> None:
    voters = VoterSet.of([Voter(1, key(1).directory_id, (endpoint(1),))]).to_record()
    first = control_batch([(records.CONTROL_KRAFT_VOTERS, voters)], base_offset=5, leader_epoch=4, timestamp_ms=1)
    second = data_batch([NoOpRecord(), NoOpRecord()], 30, base_offset=6, leader_epoch=4, timestamp_ms=1)
    rows = wire.read_batches(first + second)
    assert [(row.base_offset, row.next_offset, row.epoch) for row in rows] == [(5, 6, 4), (6, 8, 4)]
    assert rows[0].control == ((5, records.CONTROL_KRAFT_VOTERS, voters),) and rows[1].control == ()
    assert wire.read_batches(first + second[:-3]) == rows[:1], "a batch that is cut off is fetched again"
    assert wire.read_batches(first + second[:-3] + b"???") == rows[:1], "so is a damaged one"


def test_a_snapshot_of_another_topic_is_unknown() -> None:
    message: Any = wire.request_message(m.FetchSnapshotRequest(key(1), 4, SNAPSHOT, 7, 1000), CLUSTER)
    message.topics[0].name = "orders"
    with pytest.raises(KafkaError) as caught:
        wire.read_request(message, CLUSTER)
    assert caught.value.code == errors.UNKNOWN_TOPIC_OR_PARTITION

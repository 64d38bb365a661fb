"""The values of `messages.py` as Kafka's requests and responses, both ways.

What is about the envelope is decided here, in Kafka's order: a wrong cluster id first, then a wrong topic or partition.
Versions: Vote 0-2, BeginQuorumEpoch and EndQuorumEpoch 0-1, Fetch 12-18, FetchSnapshot 0-1, and those of KIP-853. A
PreVote in Vote v0 or v1 cannot be encoded (UnsupportedField), which the core takes as UNSUPPORTED_VERSION.
"""

from __future__ import annotations

from typing import Any, cast

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.messages import add_raft_voter as add
from klamm.kproto.messages import begin_quorum_epoch as begin
from klamm.kproto.messages import end_quorum_epoch as end
from klamm.kproto.messages import fetch, fetch_snapshot, vote
from klamm.kproto.messages import remove_raft_voter as remove
from klamm.kproto.messages import update_raft_voter as update
from klamm.kproto.schema import Message, RecordBytes
from klamm.kproto.uuids import METADATA_TOPIC_ID, ZERO
from klamm.metadata.controller.topic_names import CLUSTER_METADATA
from klamm.metadata.image.cluster import VersionRange
from klamm.metadata.raft import messages as m
from klamm.metadata.raft.history import quorum_records
from klamm.metadata.raft.log_index import OffsetAndEpoch
from klamm.metadata.raft.voters import ReplicaKey, Voter, VoterEndpoint

# -- requests --


def request_message(value: m.RaftRequest, cluster_id: str) -> Message:
    """The request as it is sent. ApiVersions is not among them: a connection has its own way with that."""
    if isinstance(value, m.FetchRequest):
        return _fetch_request(value, cluster_id)
    if isinstance(value, m.VoteRequest):
        row = vote.VoteRequest.TopicData.PartitionData(
            partition_index=0,
            replica_epoch=value.epoch,
            replica_id=value.candidate.node_id,
            replica_directory_id=value.candidate.directory_id,
            voter_directory_id=value.voter.directory_id if value.voter else ZERO,
            last_offset_epoch=value.last_epoch,
            last_offset=value.last_offset,
            pre_vote=value.pre_vote,
        )
        topic = vote.VoteRequest.TopicData(topic_name=CLUSTER_METADATA, partitions=[row])
        voter_id = value.voter.node_id if value.voter else -1
        return vote.VoteRequest(cluster_id=cluster_id, voter_id=voter_id, topics=[topic])
    if isinstance(value, m.BeginQuorumEpochRequest):
        return _begin_request(value, cluster_id)
    if isinstance(value, m.EndQuorumEpochRequest):
        return _end_request(value, cluster_id)
    if isinstance(value, m.FetchSnapshotRequest):
        return _fetch_snapshot_request(value, cluster_id)
    if isinstance(value, m.AddRaftVoterRequest):
        return add.AddRaftVoterRequest(
            cluster_id=cluster_id,
            timeout_ms=2000,
            voter_id=value.voter.node_id,
            voter_directory_id=value.voter.directory_id,
            listeners=[
                add.AddRaftVoterRequest.Listener(name=e.name, host=e.host, port=e.port) for e in value.endpoints
            ],
            ack_when_committed=value.ack_when_committed,
        )
    if isinstance(value, m.RemoveRaftVoterRequest):
        return remove.RemoveRaftVoterRequest(
            cluster_id=cluster_id, voter_id=value.voter.node_id, voter_directory_id=value.voter.directory_id
        )
    if isinstance(value, m.UpdateRaftVoterRequest):
        return _update_request(value, cluster_id)
    raise TypeError(f"{type(value).__name__} is no request of the quorum's own")


def _fetch_request(value: m.FetchRequest, cluster_id: str) -> Message:
    partition = fetch.FetchRequest.FetchTopic.FetchPartition(
        partition=0,
        current_leader_epoch=value.epoch,
        fetch_offset=value.fetch_offset,
        last_fetched_epoch=value.last_fetched_epoch,
        log_start_offset=-1,
        partition_max_bytes=0,
        replica_directory_id=value.replica.directory_id,
        high_watermark=value.high_watermark,
    )
    return fetch.FetchRequest(
        cluster_id=cluster_id,
        replica_state=fetch.FetchRequest.ReplicaState(replica_id=value.replica.node_id, replica_epoch=-1),
        max_wait_ms=value.max_wait_ms,
        min_bytes=0,
        max_bytes=value.max_bytes,
        topics=[
            fetch.FetchRequest.FetchTopic(topic=CLUSTER_METADATA, topic_id=METADATA_TOPIC_ID, partitions=[partition])
        ],
        forgotten_topics_data=[],
    )


def _begin_request(value: m.BeginQuorumEpochRequest, cluster_id: str) -> Message:
    of = begin.BeginQuorumEpochRequest
    row = of.TopicData.PartitionData(
        partition_index=0,
        voter_directory_id=value.voter.directory_id if value.voter else ZERO,
        leader_id=value.leader_id,
        leader_epoch=value.epoch,
    )
    return of(
        cluster_id=cluster_id,
        voter_id=value.voter.node_id if value.voter else -1,
        topics=[of.TopicData(topic_name=CLUSTER_METADATA, partitions=[row])],
        leader_endpoints=[of.LeaderEndpoint(name=e.name, host=e.host, port=e.port) for e in value.endpoints],
    )


def _end_request(value: m.EndQuorumEpochRequest, cluster_id: str) -> Message:
    of = end.EndQuorumEpochRequest
    rows = of.TopicData.PartitionData
    row = rows(
        partition_index=0,
        leader_id=value.leader_id,
        leader_epoch=value.epoch,
        preferred_successors=[key.node_id for key in value.preferred_candidates],
        preferred_candidates=[
            rows.ReplicaInfo(candidate_id=key.node_id, candidate_directory_id=key.directory_id)
            for key in value.preferred_candidates
        ],
    )
    return of(
        cluster_id=cluster_id,
        topics=[of.TopicData(topic_name=CLUSTER_METADATA, partitions=[row])],
        leader_endpoints=[of.LeaderEndpoint(name=e.name, host=e.host, port=e.port) for e in value.endpoints],
    )


def _fetch_snapshot_request(value: m.FetchSnapshotRequest, cluster_id: str) -> Message:
    of = fetch_snapshot.FetchSnapshotRequest
    rows = of.TopicSnapshot.PartitionSnapshot
    row = rows(
        partition=0,
        current_leader_epoch=value.epoch,
        snapshot_id=rows.SnapshotId(end_offset=value.snapshot_id.offset, epoch=value.snapshot_id.epoch),
        position=value.position,
        replica_directory_id=value.replica.directory_id,
    )
    return of(
        cluster_id=cluster_id,
        replica_id=value.replica.node_id,
        max_bytes=value.max_bytes,
        topics=[of.TopicSnapshot(name=CLUSTER_METADATA, partitions=[row])],
    )


def _update_request(value: m.UpdateRaftVoterRequest, cluster_id: str) -> Message:
    of, voter = update.UpdateRaftVoterRequest, value.voter
    lowest, highest = voter.kraft_versions
    return of(
        cluster_id=cluster_id,
        current_leader_epoch=value.epoch,
        voter_id=voter.node_id,
        voter_directory_id=voter.directory_id,
        listeners=[of.Listener(name=e.name, host=e.host, port=e.port) for e in voter.endpoints],
        k_raft_version_feature=of.KRaftVersionFeature(min_supported_version=lowest, max_supported_version=highest),
    )


def read_request(message: Any, cluster_id: str) -> m.RaftRequest:
    """What a request says. Raises KafkaError, whose code is that of the whole response; for a FetchSnapshot of another
    topic or partition it is UNKNOWN_TOPIC_OR_PARTITION and belongs into that partition's row, as in Kafka.
    """
    if message.cluster_id is not None and message.cluster_id != cluster_id:
        raise KafkaError(errors.INCONSISTENT_CLUSTER_ID, f"this is cluster {cluster_id}, not {message.cluster_id}")
    if isinstance(message, add.AddRaftVoterRequest):
        key = ReplicaKey(message.voter_id, message.voter_directory_id)
        return m.AddRaftVoterRequest(key, _endpoints(message.listeners), message.ack_when_committed)
    if isinstance(message, remove.RemoveRaftVoterRequest):
        return m.RemoveRaftVoterRequest(ReplicaKey(message.voter_id, message.voter_directory_id))
    if isinstance(message, update.UpdateRaftVoterRequest):
        feature = message.k_raft_version_feature
        versions = VersionRange(feature.min_supported_version, feature.max_supported_version)
        voter = Voter(message.voter_id, message.voter_directory_id, _endpoints(message.listeners), versions)
        return m.UpdateRaftVoterRequest(message.current_leader_epoch, voter)
    is_snapshot = isinstance(message, fetch_snapshot.FetchSnapshotRequest)
    row = _the_partition(message.topics, errors.UNKNOWN_TOPIC_OR_PARTITION if is_snapshot else errors.INVALID_REQUEST)
    if isinstance(message, fetch.FetchRequest):
        # Up to v14 the replica's id stands by itself.
        replica_id = message.replica_state.replica_id if message.replica_id < 0 else message.replica_id
        return m.FetchRequest(
            ReplicaKey(replica_id, row.replica_directory_id),
            row.current_leader_epoch,
            row.fetch_offset,
            row.last_fetched_epoch,
            row.high_watermark,
            message.max_wait_ms,
            message.max_bytes,
        )
    if isinstance(message, vote.VoteRequest):
        receiver = ReplicaKey(message.voter_id, row.voter_directory_id) if message.voter_id >= 0 else None
        candidate = ReplicaKey(row.replica_id, row.replica_directory_id)
        return m.VoteRequest(
            receiver, row.replica_epoch, candidate, row.last_offset_epoch, row.last_offset, row.pre_vote
        )
    if isinstance(message, begin.BeginQuorumEpochRequest):
        receiver = ReplicaKey(message.voter_id, row.voter_directory_id) if message.voter_id >= 0 else None
        endpoints = _endpoints(message.leader_endpoints)
        return m.BeginQuorumEpochRequest(receiver, row.leader_id, row.leader_epoch, endpoints)
    if isinstance(message, end.EndQuorumEpochRequest):
        preferred = [ReplicaKey(r.candidate_id, r.candidate_directory_id) for r in row.preferred_candidates]
        preferred = preferred or [ReplicaKey(node_id) for node_id in row.preferred_successors]
        endpoints = _endpoints(message.leader_endpoints)
        return m.EndQuorumEpochRequest(row.leader_id, row.leader_epoch, tuple(preferred), endpoints)
    assert isinstance(message, fetch_snapshot.FetchSnapshotRequest)
    snapshot_id = OffsetAndEpoch(row.snapshot_id.end_offset, row.snapshot_id.epoch)
    replica = ReplicaKey(message.replica_id, row.replica_directory_id)
    return m.FetchSnapshotRequest(replica, row.current_leader_epoch, snapshot_id, row.position, message.max_bytes)


def _endpoints(rows: Any) -> tuple[VoterEndpoint, ...]:
    return tuple(VoterEndpoint(row.name, row.host, row.port) for row in rows)


def _the_partition(topics: Any, error_code: int = errors.INVALID_REQUEST) -> Any:
    """The row of `__cluster_metadata-0`, which must be the only one. Raises KafkaError."""
    if len(topics) == 1 and len(topics[0].partitions) == 1:
        topic, row = topics[0], topics[0].partitions[0]
        name = next((getattr(topic, field) for field in ("topic_name", "name", "topic") if hasattr(topic, field)), "")
        index = next(getattr(row, f) for f in ("partition_index", "partition", "index") if hasattr(row, f))
        # Kafka knows the log by its id in a Fetch, which older versions than 13 cannot say.
        is_ours = topic.topic_id == METADATA_TOPIC_ID if hasattr(topic, "topic_id") else name == CLUSTER_METADATA
        if is_ours and index == 0:
            return row
        raise KafkaError(error_code)
    raise KafkaError(errors.INVALID_REQUEST)


# -- responses --


def response_message(value: m.RaftResponse, data: RecordBytes = b"") -> Message:
    """The response as it is sent. `data`: the records or the piece of a snapshot that the value asks for."""
    if isinstance(value, m.AddRaftVoterResponse):
        return add.AddRaftVoterResponse(throttle_time_ms=0, error_code=value.error_code, error_message=value.message)
    if isinstance(value, m.RemoveRaftVoterResponse):
        return remove.RemoveRaftVoterResponse(
            throttle_time_ms=0, error_code=value.error_code, error_message=value.message
        )
    if isinstance(value, m.ApiVersionsResponse):
        raise TypeError("ApiVersions is answered elsewhere")
    hint = value.leader
    if isinstance(value, m.UpdateRaftVoterResponse):
        host, port = (hint.endpoint.host, hint.endpoint.port) if hint.endpoint else ("", 0)
        leader = update.UpdateRaftVoterResponse.CurrentLeader(
            leader_id=hint.leader_id, leader_epoch=hint.epoch, host=host, port=port
        )
        return update.UpdateRaftVoterResponse(throttle_time_ms=0, error_code=value.error_code, current_leader=leader)
    if isinstance(value, m.FetchResponse):
        return _fetch_response(value, data)
    if isinstance(value, m.FetchSnapshotResponse):
        return _fetch_snapshot_response(value, data)
    module: Any = {m.VoteResponse: vote, m.BeginQuorumEpochResponse: begin, m.EndQuorumEpochResponse: end}[type(value)]
    of = getattr(module, type(value).__name__)
    row = of.TopicData.PartitionData(
        partition_index=0, error_code=value.error_code, leader_id=hint.leader_id, leader_epoch=hint.epoch
    )
    if isinstance(value, m.VoteResponse):
        row.vote_granted = value.vote_granted
    topic = of.TopicData(topic_name=CLUSTER_METADATA, partitions=[row])
    return cast(Message, of(error_code=errors.NONE, topics=[topic], node_endpoints=_nodes(of, hint)))


def _nodes(of: Any, hint: m.LeaderHint) -> list[Any]:
    if hint.endpoint is None or hint.leader_id < 0:
        return []
    return [of.NodeEndpoint(node_id=hint.leader_id, host=hint.endpoint.host, port=hint.endpoint.port)]


def _fetch_response(value: m.FetchResponse, data: RecordBytes) -> Message:
    of = fetch.FetchResponse
    rows = of.FetchableTopicResponse.PartitionData
    row = rows(
        partition_index=0,
        error_code=value.error_code,
        high_watermark=value.high_watermark,
        log_start_offset=value.log_start_offset,
        current_leader=rows.LeaderIdAndEpoch(leader_id=value.leader.leader_id, leader_epoch=value.leader.epoch),
        aborted_transactions=[],
        records=data,
    )
    if value.diverging is not None:
        row.diverging_epoch = rows.EpochEndOffset(epoch=value.diverging.epoch, end_offset=value.diverging.offset)
    if value.snapshot_id is not None:
        row.snapshot_id = rows.SnapshotId(end_offset=value.snapshot_id.offset, epoch=value.snapshot_id.epoch)
    topic = of.FetchableTopicResponse(topic=CLUSTER_METADATA, topic_id=METADATA_TOPIC_ID, partitions=[row])
    return of(error_code=errors.NONE, responses=[topic], node_endpoints=_nodes(of, value.leader))


def _fetch_snapshot_response(value: m.FetchSnapshotResponse, data: RecordBytes) -> Message:
    of = fetch_snapshot.FetchSnapshotResponse
    rows = of.TopicSnapshot.PartitionSnapshot
    # Without a snapshot Kafka's response has 0 and 0 there.
    snapshot_id = value.snapshot_id or OffsetAndEpoch(0, 0)
    row = rows(
        index=0,
        error_code=value.error_code,
        snapshot_id=rows.SnapshotId(end_offset=snapshot_id.offset, epoch=snapshot_id.epoch),
        current_leader=rows.LeaderIdAndEpoch(leader_id=value.leader.leader_id, leader_epoch=value.leader.epoch),
        size=value.size_bytes,
        position=value.position,
        unaligned_records=data,
    )
    topic = of.TopicSnapshot(name=CLUSTER_METADATA, partitions=[row])
    return of(error_code=errors.NONE, topics=[topic], node_endpoints=_nodes(of, value.leader))


def read_response(message: Any, listener_name: str) -> m.RaftResponse:
    """What a response says; `listener_name`: the one that was asked. Raises KafkaError for an error of the whole of
    it, which is a Failed for the core, and for a topic or partition that nobody asked for.
    """
    if isinstance(message, add.AddRaftVoterResponse):
        return m.AddRaftVoterResponse(message.error_code, message.error_message)
    if isinstance(message, remove.RemoveRaftVoterResponse):
        return m.RemoveRaftVoterResponse(message.error_code, message.error_message)
    if isinstance(message, update.UpdateRaftVoterResponse):
        leader = message.current_leader
        endpoint = VoterEndpoint(listener_name, leader.host, leader.port) if leader.host else None
        return m.UpdateRaftVoterResponse(
            m.LeaderHint(leader.leader_id, leader.leader_epoch, endpoint), message.error_code
        )
    if message.error_code != errors.NONE:
        raise KafkaError(message.error_code)
    row = _the_partition(message.responses if isinstance(message, fetch.FetchResponse) else message.topics)
    known = getattr(row, "current_leader", row)
    endpoint = next(
        (VoterEndpoint(listener_name, n.host, n.port) for n in message.node_endpoints if n.node_id == known.leader_id),
        None,
    )
    hint = m.LeaderHint(known.leader_id, known.leader_epoch, endpoint)
    if isinstance(message, vote.VoteResponse):
        return m.VoteResponse(hint, row.vote_granted, row.error_code)
    if isinstance(message, begin.BeginQuorumEpochResponse):
        return m.BeginQuorumEpochResponse(hint, row.error_code)
    if isinstance(message, end.EndQuorumEpochResponse):
        return m.EndQuorumEpochResponse(hint, row.error_code)
    if isinstance(message, fetch_snapshot.FetchSnapshotResponse):
        snapshot_id = OffsetAndEpoch(row.snapshot_id.end_offset, row.snapshot_id.epoch)
        return m.FetchSnapshotResponse(hint, row.error_code, snapshot_id, row.size, row.position, row.unaligned_records)
    diverging = OffsetAndEpoch(row.diverging_epoch.end_offset, row.diverging_epoch.epoch)
    snapshot_id = OffsetAndEpoch(row.snapshot_id.end_offset, row.snapshot_id.epoch)
    return m.FetchResponse(
        hint,
        row.error_code,
        row.high_watermark,
        row.log_start_offset,
        diverging if diverging.epoch >= 0 else None,
        snapshot_id if snapshot_id.epoch >= 0 and snapshot_id.offset >= 0 else None,
        read_batches(row.records or b""),
    )


def read_batches(data: bytes | memoryview) -> tuple[m.FetchedBatch, ...]:
    """The whole, sound batches at the start of `data`; what is cut off or damaged behind them is fetched again."""
    found = []
    try:
        for batch in records.batches(data):
            records.validate_batch(batch.view)
            control = tuple(quorum_records(batch)) if batch.is_control else ()
            found.append(
                m.FetchedBatch(batch.base_offset, batch.next_offset, batch.partition_leader_epoch, control, batch.view)
            )
    except (ProtocolError, KafkaError):
        pass
    return tuple(found)

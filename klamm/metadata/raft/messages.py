"""What the replicas of the metadata quorum say to each other, as values: one for one Kafka's requests and responses.

A value has no version, no topic and no cluster id; `wire.py` puts those on and takes them off. An answer's `error_code`
is that of its partition; an error of a whole response reaches the core as `Failed`.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from klamm.kproto import errors
from klamm.kproto.schema import Message
from klamm.metadata.image.cluster import VersionRange
from klamm.metadata.raft.log_index import OffsetAndEpoch
from klamm.metadata.raft.voters import ReplicaKey, Voter, VoterEndpoint

NOBODY = -1
UNKNOWN_OFFSET = -1


class LeaderHint(NamedTuple):
    """The epoch and leader that the answering replica knows, and its address on the listener that was asked."""

    leader_id: int
    epoch: int
    endpoint: VoterEndpoint | None = None


class VoteRequest(NamedTuple):
    """`voter`: who is meant, None in v0. `last_offset`: the candidate's log end. A PreVote has the present epoch."""

    voter: ReplicaKey | None
    epoch: int
    candidate: ReplicaKey
    last_epoch: int
    last_offset: int
    pre_vote: bool = False


class VoteResponse(NamedTuple):
    leader: LeaderHint
    vote_granted: bool = False
    error_code: int = errors.NONE


class BeginQuorumEpochRequest(NamedTuple):
    """`voter`: who is meant, None in v0; `endpoints`: all of the leader's controller listeners (v1)."""

    voter: ReplicaKey | None
    leader_id: int
    epoch: int
    endpoints: tuple[VoterEndpoint, ...] = ()


class BeginQuorumEpochResponse(NamedTuple):
    leader: LeaderHint
    error_code: int = errors.NONE


class EndQuorumEpochRequest(NamedTuple):
    """`preferred_candidates`: the voters, the longest log first."""

    leader_id: int
    epoch: int
    preferred_candidates: tuple[ReplicaKey, ...] = ()
    endpoints: tuple[VoterEndpoint, ...] = ()


class EndQuorumEpochResponse(NamedTuple):
    leader: LeaderHint
    error_code: int = errors.NONE


class FetchRequest(NamedTuple):
    """`last_fetched_epoch` is 0 on an empty log; `high_watermark` -1 while unknown, the largest int64 before v18."""

    replica: ReplicaKey
    epoch: int
    fetch_offset: int
    last_fetched_epoch: int
    high_watermark: int = UNKNOWN_OFFSET
    max_wait_ms: int = 0
    max_bytes: int = 0x7FFFFFFF


class Read(NamedTuple):
    """Whoever sends the answer puts the batches from `offset` up to `end_offset` in, at most `max_bytes` of them."""

    offset: int
    end_offset: int
    max_bytes: int


class FetchedBatch(NamedTuple):
    """One whole batch of a fetch response; `control`: its control records, (offset, type id, body);
    `data`: as it stands on the wire."""

    base_offset: int
    next_offset: int
    epoch: int
    control: tuple[tuple[int, int, Message], ...] = ()
    data: object = b""


class FetchResponse(NamedTuple):
    """`records` is a Read where the answer is made, and the batches where it arrives."""

    leader: LeaderHint
    error_code: int = errors.NONE
    high_watermark: int = UNKNOWN_OFFSET
    log_start_offset: int = 0
    diverging: OffsetAndEpoch | None = None
    snapshot_id: OffsetAndEpoch | None = None
    records: Read | tuple[FetchedBatch, ...] = ()


class FetchSnapshotRequest(NamedTuple):
    replica: ReplicaKey
    epoch: int
    snapshot_id: OffsetAndEpoch
    position: int
    max_bytes: int = 0x7FFFFFFF


class ReadSnapshot(NamedTuple):
    """Whoever sends the answer puts these bytes of the snapshot's file in."""

    snapshot_id: OffsetAndEpoch
    position: int
    max_bytes: int


class FetchSnapshotResponse(NamedTuple):
    """A piece of the file, which may begin or end within a batch; `size_bytes` is that of the whole file."""

    leader: LeaderHint
    error_code: int = errors.NONE
    snapshot_id: OffsetAndEpoch | None = None
    size_bytes: int = 0
    position: int = 0
    data: ReadSnapshot | bytes | memoryview = b""


class AddRaftVoterRequest(NamedTuple):
    voter: ReplicaKey
    endpoints: tuple[VoterEndpoint, ...]
    ack_when_committed: bool = True


class AddRaftVoterResponse(NamedTuple):
    error_code: int = errors.NONE
    message: str | None = None


class RemoveRaftVoterRequest(NamedTuple):
    voter: ReplicaKey


class RemoveRaftVoterResponse(NamedTuple):
    error_code: int = errors.NONE
    message: str | None = None


class UpdateRaftVoterRequest(NamedTuple):
    """`epoch` is the leader's, as the voter knows it."""

    epoch: int
    voter: Voter


class UpdateRaftVoterResponse(NamedTuple):
    leader: LeaderHint
    error_code: int = errors.NONE


class ApiVersionsRequest(NamedTuple):
    """A leader asks a future voter which levels of kraft.version it knows."""


class ApiVersionsResponse(NamedTuple):
    """`kraft_versions` None: the feature is not among those that the node offers."""

    kraft_versions: VersionRange | None = None
    error_code: int = errors.NONE


RaftRequest: TypeAlias = (
    VoteRequest
    | BeginQuorumEpochRequest
    | EndQuorumEpochRequest
    | FetchRequest
    | FetchSnapshotRequest
    | AddRaftVoterRequest
    | RemoveRaftVoterRequest
    | UpdateRaftVoterRequest
    | ApiVersionsRequest
)
RaftResponse: TypeAlias = (
    VoteResponse
    | BeginQuorumEpochResponse
    | EndQuorumEpochResponse
    | FetchResponse
    | FetchSnapshotResponse
    | AddRaftVoterResponse
    | RemoveRaftVoterResponse
    | UpdateRaftVoterResponse
    | ApiVersionsResponse
)

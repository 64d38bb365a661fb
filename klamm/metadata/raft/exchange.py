"""The inputs and effects of a quorum of several, beside those of `core.py`: what replicas say, fetch and cut.

Apart from the core because the node that is alone, which has to start fast, never sees them.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from klamm.metadata.raft.connections import Node
from klamm.metadata.raft.core import (
    Append,
    AppendControl,
    Became,
    Commit,
    Persist,
    Propose,
    Resign,
    Started,
    Synced,
    Tick,
    UpdateVoter,
)
from klamm.metadata.raft.log_index import OffsetAndEpoch
from klamm.metadata.raft.messages import FetchedBatch, RaftRequest, RaftResponse
from klamm.metadata.raft.voters import VoterSet

# Inputs.


class UpgradeKRaftVersion(NamedTuple):
    """Finalize a higher kraft.version; `validate_only`: tell whether that could be done. Raises KafkaError."""

    epoch: int
    kraft_version: int
    validate_only: bool = False


class Shutdown(NamedTuple):
    """Lead no more and stand for no election; `is_shutdown_complete` tells when nobody waits for this replica."""


class Request(NamedTuple):
    """What another replica, or a tool, asks on `listener_name`. The answer is a Reply with the same `request_id`."""

    request_id: int
    message: RaftRequest
    listener_name: str = "CONTROLLER"


class Response(NamedTuple):
    """The answer to a Send."""

    request_id: int
    message: RaftResponse


class Failed(NamedTuple):
    """A Send had no answer but an error: of the connection, or of the whole response."""

    request_id: int
    error_code: int


class SnapshotTaken(NamedTuple):
    """A snapshot of this replica's own state is complete on the disk."""

    snapshot_id: OffsetAndEpoch
    size_bytes: int


class SnapshotLoaded(NamedTuple):
    """A fetched snapshot is complete on the disk, synced and under its name; `voters` and version are what it tells."""

    snapshot_id: OffsetAndEpoch
    size_bytes: int
    kraft_version: int
    voters: VoterSet | None


class LogStartMoved(NamedTuple):
    """Segments below `offset` were deleted, and the snapshots before it."""

    offset: int


Input: TypeAlias = (
    Started
    | Tick
    | Synced
    | Propose
    | UpdateVoter
    | UpgradeKRaftVersion
    | Resign
    | Shutdown
    | Request
    | Response
    | Failed
    | SnapshotTaken
    | SnapshotLoaded
    | LogStartMoved
)

# Effects.


class AppendFetched(NamedTuple):
    """Append batches of the leader as they are."""

    batches: tuple[FetchedBatch, ...]


class Truncate(NamedTuple):
    """Cut the log at `offset`; `is_full`: drop all of it, it begins at `offset` from now on, behind a snapshot."""

    offset: int
    is_full: bool = False


class Send(NamedTuple):
    """Send a request; its answer is a Response or Failed with the same `request_id`."""

    node: Node
    request_id: int
    message: RaftRequest


class Reply(NamedTuple):
    """Answer a Request."""

    request_id: int
    message: RaftResponse


class Snapshot(NamedTuple):
    """Write a piece of a snapshot that is being fetched. With the last one: sync, give it its name, read it, then
    step with SnapshotLoaded. Pieces begin anew at position 0.
    """

    snapshot_id: OffsetAndEpoch
    position: int
    data: bytes | memoryview
    is_last: bool


Effect: TypeAlias = (
    Persist | AppendControl | Append | AppendFetched | Truncate | Commit | Became | Send | Reply | Snapshot
)

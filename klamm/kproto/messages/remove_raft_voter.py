"""RemoveRaftVoter (API 81): take a controller's vote (KIP-853)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, string, uuid, v


class RemoveRaftVoterRequest(Message, key=81, versions="0", flexible="0+"):
    """The voter, by id and directory."""

    cluster_id: string | None
    voter_id: int32
    voter_directory_id: uuid


class RemoveRaftVoterResponse(Message, key=81, versions="0", flexible="0+"):
    """OK, or why not."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = v(default="", ignorable=True)

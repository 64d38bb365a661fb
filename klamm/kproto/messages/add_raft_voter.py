"""AddRaftVoter (API 80): let a controller vote in the metadata quorum (KIP-853)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uint16, uuid, v


class AddRaftVoterRequest(Message, key=80, versions="0-1", flexible="0+"):
    """The new voter. `ack_when_committed` false is answered once the leader has written the change (v1)."""

    cluster_id: string | None
    timeout_ms: int32
    voter_id: int32
    voter_directory_id: uuid
    listeners: list[Listener]
    ack_when_committed: bool = v("1+", default=True)

    class Listener(Struct):
        name: string
        host: string
        port: uint16


class AddRaftVoterResponse(Message, key=80, versions="0-1", flexible="0+"):
    """OK, or why not."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = v(default="", ignorable=True)

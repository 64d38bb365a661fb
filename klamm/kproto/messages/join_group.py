"""JoinGroup (API 11): become a member of a classic group, or take part in its rebalance."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, v


class JoinGroupRequest(Message, key=11, versions="0-9", flexible="6+"):
    """Join a classic group. The answer comes when all members have joined or the rebalance timeout is over.

    `session_timeout_ms` is how long the member may be silent, `rebalance_timeout_ms` how long a rebalance waits for it
    (v1, KIP-62; -1 takes the session timeout). `protocols` are the assignors that the member can use, best first, each
    with metadata for it: of consumers, a ConsumerProtocolSubscription.

    An empty `member_id` is a first join: from v4 on it is answered with MEMBER_ID_REQUIRED and an id to join with
    (KIP-394). v5 `group_instance_id` makes a member static (KIP-345), v8 has a `reason` for the log (KIP-800).
    """

    group_id: string
    session_timeout_ms: int32
    rebalance_timeout_ms: int32 = v("1+", default=-1, ignorable=True)
    member_id: string
    group_instance_id: string | None = v("5+", default=None)
    protocol_type: string
    protocols: list[JoinGroupRequestProtocol]
    reason: string | None = v("8+", default=None, ignorable=True)

    class JoinGroupRequestProtocol(Struct):
        name: string
        metadata: bytes


class JoinGroupResponse(Message, key=11, versions="0-9", flexible="6+"):
    """The generation that has begun, its leader and the protocol that all members share.

    Only the leader gets `members` with their metadata: it computes the assignment and sends it in SyncGroup, unless
    `skip_assignment` says that it stands as it was (v9, KIP-814). v7 has the protocol type, and null for the names when
    there is an error (KIP-559).
    """

    throttle_time_ms: int32 = v("2+", default=0, ignorable=True)
    error_code: int16
    generation_id: int32 = -1
    protocol_type: string | None = v("7+", default=None, ignorable=True)
    protocol_name: string | None = v(nullable="7+")
    leader: string
    skip_assignment: bool = v("9+", default=False)
    member_id: string
    members: list[JoinGroupResponseMember]

    class JoinGroupResponseMember(Struct):
        member_id: string
        group_instance_id: string | None = v("5+", default=None, ignorable=True)
        metadata: bytes

"""UpdateRaftVoter (API 82): a voter tells the leader of the quorum its new addresses and versions (KIP-853)."""

from __future__ import annotations

from klamm.kproto.schema import MISSING, Message, Struct, int16, int32, string, uint16, uuid, v


class UpdateRaftVoterRequest(Message, key=82, versions="0", flexible="0+"):
    """The voter as it is now."""

    cluster_id: string | None
    current_leader_epoch: int32
    voter_id: int32
    voter_directory_id: uuid
    listeners: list[Listener]
    k_raft_version_feature: KRaftVersionFeature

    class Listener(Struct):
        name: string
        host: string
        port: uint16

    class KRaftVersionFeature(Struct):
        min_supported_version: int16
        max_supported_version: int16


class UpdateRaftVoterResponse(Message, key=82, versions="0", flexible="0+"):
    """OK, or why not, and who leads."""

    throttle_time_ms: int32
    error_code: int16
    current_leader: CurrentLeader = v(default=MISSING, tag=0)

    class CurrentLeader(Struct):
        leader_id: int32 = -1
        leader_epoch: int32 = -1
        host: string
        port: int32

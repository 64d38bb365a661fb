"""control_records"""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uint16, uuid, v


class ControlRecordTypeSchema(Message, versions="0"):
    type: int16


class EndTxnMarker(Message, versions="0"):
    coordinator_epoch: int32


class KRaftVersionRecord(Message, versions="0", flexible="0+"):
    version: int16
    k_raft_version: int16


class Voter(Struct):
    voter_id: int32
    voter_directory_id: uuid = v("1+", default=ZERO_UUID)


class LeaderChangeMessage(Message, versions="0-1", flexible="0+"):
    version: int16
    leader_id: int32
    voters: list[Voter]
    granting_voters: list[Voter]


class SnapshotFooterRecord(Message, versions="0", flexible="0+"):
    version: int16


class SnapshotHeaderRecord(Message, versions="0", flexible="0+"):
    version: int16
    last_contained_log_timestamp: int64


class VotersRecord(Message, versions="0", flexible="0+"):
    version: int16
    voters: list[Voter]

    class Voter(Struct):
        voter_id: int32
        voter_directory_id: uuid
        endpoints: list[Endpoint]
        k_raft_version_feature: KRaftVersionFeature

        class Endpoint(Struct):
            name: string
            host: string
            port: uint16

        class KRaftVersionFeature(Struct):
            min_supported_version: int16
            max_supported_version: int16

"""Values of control records: what stands in a log beside the users' records. An int16 version and type are the key."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uint16, uuid, v


class ControlRecordTypeSchema(Message, versions="0"):
    """The type in the key.

    0 abort, 1 commit, 2 leader change, 3 snapshot header, 4 snapshot footer, 5 KRaft version, 6 voters.
    """

    type: int16


class EndTxnMarker(Message, versions="0"):
    """The end of a transaction in a partition: commit or abort, as the key says, and the coordinator's epoch."""

    coordinator_epoch: int32


class KRaftVersionRecord(Message, versions="0", flexible="0+"):
    """The quorum's feature level kraft.version: 1 has voters that can change (KIP-853)."""

    version: int16
    k_raft_version: int16


class Voter(Struct):
    voter_id: int32
    voter_directory_id: uuid = v("1+", default=ZERO_UUID)


class LeaderChangeMessage(Message, versions="0-1", flexible="0+"):
    """The first record of a leader's epoch in the metadata log. Kafka writes it in version 0."""

    version: int16
    leader_id: int32
    voters: list[Voter]
    granting_voters: list[Voter]


class SnapshotFooterRecord(Message, versions="0", flexible="0+"):
    """The end of a snapshot: without it, the file is not whole."""

    version: int16


class SnapshotHeaderRecord(Message, versions="0", flexible="0+"):
    """The beginning of a snapshot, with the time of the last record in it, in ms since 1970."""

    version: int16
    last_contained_log_timestamp: int64


class VotersRecord(Message, versions="0", flexible="0+"):
    """The voters of the quorum with their directories and addresses (KIP-853). The last one in the log counts."""

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

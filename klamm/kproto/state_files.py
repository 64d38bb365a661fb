"""state_files"""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uint32, uuid, v


class DefaultPrincipalData(Message, versions="0", flexible="0+"):
    type: string
    name: string
    token_authenticated: bool


class ProducerSnapshot(Message, versions="1"):
    crc: uint32
    producer_entries: list[ProducerEntry]

    class ProducerEntry(Struct):
        producer_id: int64
        epoch: int16
        last_sequence: int32
        last_offset: int64
        offset_delta: int32
        timestamp: int64
        coordinator_epoch: int32
        current_txn_first_offset: int64


class QuorumStateData(Message, versions="0-1", flexible="0+"):
    cluster_id: string = v("0", default="")
    leader_id: int32 = -1
    leader_epoch: int32 = -1
    voted_id: int32 = -1
    voted_directory_id: uuid = v("1+", default=ZERO_UUID)
    applied_offset: int64 = v("0", default=0)
    current_voters: list[Voter] | None = v("0", default=[])

    class Voter(Struct):
        voter_id: int32

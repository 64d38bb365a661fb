"""Structures of files, and of bytes within other messages, that are neither requests nor log records."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, int64, string, uint32, uuid, v


class DefaultPrincipalData(Message, versions="0", flexible="0+"):
    """Who has authenticated, as a broker forwards it in an Envelope. An int16 version stands in front."""

    type: string
    name: string
    token_authenticated: bool


class ProducerSnapshot(Message, versions="1"):
    """A .snapshot file beside a log segment: the producers that the partition remembered at that offset.

    `crc` is the CRC-32C of what follows it. `timestamp` in ms since 1970; `current_txn_first_offset` is -1 outside a
    transaction.
    """

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
    """The quorum-state file, in JSON: what a node of the quorum must not forget, such as its vote. -1 for none.

    Version 1 goes with kraft.version 1 (KIP-853): voters have moved to the log.
    """

    cluster_id: string = v("0", default="")
    leader_id: int32 = -1
    leader_epoch: int32 = -1
    voted_id: int32 = -1
    voted_directory_id: uuid = v("1+", default=ZERO_UUID)
    applied_offset: int64 = v("0", default=0)
    current_voters: list[Voter] | None = v("0", default=[])

    class Voter(Struct):
        voter_id: int32

"""DescribeProducers (API 61): the producers that a partition's leader remembers (KIP-664)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string


class DescribeProducersRequest(Message, key=61, versions="0", flexible="0+"):
    """Partitions, which the broker must lead."""

    topics: list[TopicRequest]

    class TopicRequest(Struct):
        name: string
        partition_indexes: list[int32]


class DescribeProducersResponse(Message, key=61, versions="0", flexible="0+"):
    """Producers with their epochs and last sequences, -1 if none.

    `current_txn_start_offset` is -1 outside a transaction; one that stays open for long blocks committed readers.
    """

    throttle_time_ms: int32
    topics: list[TopicResponse]

    class TopicResponse(Struct):
        name: string
        partitions: list[PartitionResponse]

        class PartitionResponse(Struct):
            partition_index: int32
            error_code: int16
            error_message: string | None = None
            active_producers: list[ProducerState]

            class ProducerState(Struct):
                producer_id: int64
                producer_epoch: int32
                last_sequence: int32 = -1
                last_timestamp: int64 = -1
                coordinator_epoch: int32
                current_txn_start_offset: int64 = -1

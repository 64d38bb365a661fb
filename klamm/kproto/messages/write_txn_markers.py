"""WriteTxnMarkers (API 27): a transaction coordinator has brokers write commit and abort markers."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, v


class WriteTxnMarkersRequest(Message, key=27, versions="1-2", flexible="1+"):
    """Markers to write. `transaction_result` true commits. v2 says by which rules epochs are checked (KIP-1228)."""

    markers: list[WritableTxnMarker]

    class WritableTxnMarker(Struct):
        producer_id: int64
        producer_epoch: int16
        transaction_result: bool
        topics: list[WritableTxnMarkerTopic]
        coordinator_epoch: int32
        transaction_version: int8 = v("2+", default=0, ignorable=True)

        class WritableTxnMarkerTopic(Struct):
            name: string
            partition_indexes: list[int32]


class WriteTxnMarkersResponse(Message, key=27, versions="1-2", flexible="1+"):
    """An error for each partition of each producer."""

    markers: list[WritableTxnMarkerResult]

    class WritableTxnMarkerResult(Struct):
        producer_id: int64
        topics: list[WritableTxnMarkerTopicResult]

        class WritableTxnMarkerTopicResult(Struct):
            name: string
            partitions: list[WritableTxnMarkerPartitionResult]

            class WritableTxnMarkerPartitionResult(Struct):
                partition_index: int32
                error_code: int16

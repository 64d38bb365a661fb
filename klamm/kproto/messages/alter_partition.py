"""AlterPartition: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int8, int16, int32, int64, uuid, v


class AlterPartitionRequest(Message, key=56, versions="2-3", flexible="0+"):
    broker_id: int32
    broker_epoch: int64 = -1
    topics: list[TopicData]

    class TopicData(Struct):
        topic_id: uuid = v(default=ZERO_UUID, ignorable=True)
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            leader_epoch: int32
            new_isr: list[int32] = v("0-2", default=[])
            new_isr_with_epochs: list[BrokerState] = v("3+", default=[])
            leader_recovery_state: int8 = 0
            partition_epoch: int32

            class BrokerState(Struct):
                broker_id: int32
                broker_epoch: int64 = -1


class AlterPartitionResponse(Message, key=56, versions="2-3", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    topics: list[TopicData]

    class TopicData(Struct):
        topic_id: uuid = v(default=ZERO_UUID, ignorable=True)
        partitions: list[PartitionData]

        class PartitionData(Struct):
            partition_index: int32
            error_code: int16
            leader_id: int32
            leader_epoch: int32
            isr: list[int32]
            leader_recovery_state: int8 = v(default=0, ignorable=True)
            partition_epoch: int32

"""AlterPartition (API 56): a partition's leader changes its ISR (KIP-497)."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int8, int16, int32, int64, uuid, v


class AlterPartitionRequest(Message, key=56, versions="2-3", flexible="0+"):
    """The ISR that the leader proposes.

    v3 has broker epochs, so that a broker that restarted meanwhile is refused (KIP-903). `partition_epoch` is the
    version of the state that the change builds on. `leader_recovery_state` 1: the leader was elected uncleanly and has
    not recovered (KIP-704).
    """

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
    """The state as the controller has it now, whether changed or not."""

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

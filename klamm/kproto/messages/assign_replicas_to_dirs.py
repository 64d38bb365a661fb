"""AssignReplicasToDirs (API 73): a broker tells the controller in which directories its replicas are (KIP-858)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, uuid


class AssignReplicasToDirsRequest(Message, key=73, versions="0", flexible="0+"):
    """Partitions by directory id."""

    broker_id: int32
    broker_epoch: int64 = -1
    directories: list[DirectoryData]

    class DirectoryData(Struct):
        id: uuid
        topics: list[TopicData]

        class TopicData(Struct):
            topic_id: uuid
            partitions: list[PartitionData]

            class PartitionData(Struct):
                partition_index: int32


class AssignReplicasToDirsResponse(Message, key=73, versions="0", flexible="0+"):
    """An error for each partition."""

    throttle_time_ms: int32
    error_code: int16
    directories: list[DirectoryData]

    class DirectoryData(Struct):
        id: uuid
        topics: list[TopicData]

        class TopicData(Struct):
            topic_id: uuid
            partitions: list[PartitionData]

            class PartitionData(Struct):
                partition_index: int32
                error_code: int16

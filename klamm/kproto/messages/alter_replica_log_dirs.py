"""AlterReplicaLogDirs (API 34): move replicas between the directories of a broker (KIP-113)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string


class AlterReplicaLogDirsRequest(Message, key=34, versions="1-2", flexible="2+"):
    """For each directory, by its absolute `path`, the partitions that are to be there."""

    dirs: list[AlterReplicaLogDir]

    class AlterReplicaLogDir(Struct):
        path: string
        topics: list[AlterReplicaLogDirTopic]

        class AlterReplicaLogDirTopic(Struct):
            name: string
            partitions: list[int32]


class AlterReplicaLogDirsResponse(Message, key=34, versions="1-2", flexible="2+"):
    """An error for each partition; the move goes on in the background."""

    throttle_time_ms: int32
    results: list[AlterReplicaLogDirTopicResult]

    class AlterReplicaLogDirTopicResult(Struct):
        topic_name: string
        partitions: list[AlterReplicaLogDirPartitionResult]

        class AlterReplicaLogDirPartitionResult(Struct):
            partition_index: int32
            error_code: int16

"""AlterReplicaLogDirs: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string


class AlterReplicaLogDirsRequest(Message, key=34, versions="1-2", flexible="2+"):
    dirs: list[AlterReplicaLogDir]

    class AlterReplicaLogDir(Struct):
        path: string
        topics: list[AlterReplicaLogDirTopic]

        class AlterReplicaLogDirTopic(Struct):
            name: string
            partitions: list[int32]


class AlterReplicaLogDirsResponse(Message, key=34, versions="1-2", flexible="2+"):
    throttle_time_ms: int32
    results: list[AlterReplicaLogDirTopicResult]

    class AlterReplicaLogDirTopicResult(Struct):
        topic_name: string
        partitions: list[AlterReplicaLogDirPartitionResult]

        class AlterReplicaLogDirPartitionResult(Struct):
            partition_index: int32
            error_code: int16

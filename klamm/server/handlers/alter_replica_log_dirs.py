"""AlterReplicaLogDirs v1-2 (KIP-113): move replicas between the log directories of this broker; v2 is flexible.

The answer says whether a move has begun. A replica that is not here yet is made in that directory when it comes, and
answered with REPLICA_NOT_AVAILABLE; UNKNOWN_TOPIC_OR_PARTITION when the cluster has no such partition.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext

Result = AlterReplicaLogDirsResponse.AlterReplicaLogDirTopicResult


def handle(broker: Broker, context: RequestContext, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse:
    results: dict[str, dict[int, int]] = {}
    for directory in request.dirs:
        for topic in directory.topics:
            for index in topic.partitions:
                code = broker.replicas.move(topic.name, index, directory.path)
                if code == errors.REPLICA_NOT_AVAILABLE and not _exists(broker, topic.name, index):
                    code = errors.UNKNOWN_TOPIC_OR_PARTITION
                results.setdefault(topic.name, {})[index] = code
    return AlterReplicaLogDirsResponse(
        throttle_time_ms=0,
        results=[
            Result(
                topic_name=name,
                partitions=[
                    Result.AlterReplicaLogDirPartitionResult(partition_index=index, error_code=code)
                    for index, code in codes.items()
                ],
            )
            for name, codes in results.items()
        ],
    )


def _exists(broker: Broker, name: str, index: int) -> bool:
    topic = broker.metadata.image.topics.by_name.get(name)
    return topic is not None and index in topic.partitions

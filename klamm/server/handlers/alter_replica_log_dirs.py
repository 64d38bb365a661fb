"""AlterReplicaLogDirs v1-2 (KIP-113): move replicas between the log directories of this broker; v2 is flexible.

The answer says whether a move has begun. A replica that is not here yet is made in that directory when it comes, and
answered with REPLICA_NOT_AVAILABLE.
"""

from __future__ import annotations

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

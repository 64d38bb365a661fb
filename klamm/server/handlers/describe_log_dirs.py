"""DescribeLogDirs v1-5: the log directories, the partitions in them and their sizes.

v3 a top-level error, v4 the space of the volume (KIP-827), v5 cordoned directories (KIP-1066). Null topics stand
for all.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.describe_log_dirs import DescribeLogDirsRequest, DescribeLogDirsResponse
from klamm.metadata.features import is_cordoned_log_dirs_supported
from klamm.server.broker import Broker
from klamm.server.request import RequestContext

Result = DescribeLogDirsResponse.DescribeLogDirsResult
Topic = Result.DescribeLogDirsTopic


def handle(broker: Broker, context: RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
    asked = None if request.topics is None else {(t.topic, i) for t in request.topics for i in t.partitions}
    is_cordoning = is_cordoned_log_dirs_supported(broker.metadata.image.metadata_version)
    results = []
    for directory in broker.log_dirs.describe():
        topics: dict[str, Topic] = {}
        for (name, index), (size_bytes, _) in directory.partitions.items():
            if asked is None or (name, index) in asked:
                topic = topics.setdefault(name, Topic(name=name, partitions=[]))
                topic.partitions.append(
                    Topic.DescribeLogDirsPartition(
                        partition_index=index, partition_size=size_bytes, offset_lag=0, is_future_key=False
                    )
                )
        for future, lag in broker.replicas.moves.futures():
            if future.log_dir.path == directory.path and (asked is None or (future.topic, future.partition) in asked):
                topic = topics.setdefault(future.topic, Topic(name=future.topic, partitions=[]))
                topic.partitions.append(
                    Topic.DescribeLogDirsPartition(
                        partition_index=future.partition,
                        partition_size=future.size_bytes,
                        offset_lag=lag,
                        is_future_key=True,
                    )
                )
        results.append(
            Result(
                error_code=directory.error,
                log_dir=directory.path,
                topics=list(topics.values()),
                total_bytes=directory.total_bytes,
                usable_bytes=directory.usable_bytes,
                is_cordoned=is_cordoning and directory.path in broker.log_dirs.cordoned,
            )
        )
    return DescribeLogDirsResponse(throttle_time_ms=0, error_code=errors.NONE, results=results)

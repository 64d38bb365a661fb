"""What the broker keys of `tables/broker_groups.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

GROUPS_DOCS: Final[dict[str, str]] = {
    "group.consumer.assignment.interval.ms": "Shortest time between two computations of a consumer group's assignment.",
    "group.consumer.assignors": "Server-side assignors of consumer groups, by name or class; the first is the default.",
    "group.consumer.heartbeat.interval.ms": "Heartbeat interval that members of consumer groups are told to keep.",
    "group.consumer.max.assignment.interval.ms": "Largest assignment interval that a consumer group may be given.",
    "group.consumer.max.heartbeat.interval.ms": "Largest heartbeat interval that a consumer group may be given.",
    "group.consumer.max.session.timeout.ms": "Largest session timeout that a consumer group may be given.",
    "group.consumer.max.size": "Most members of a consumer group.",
    "group.consumer.migration.policy": (
        "Whether classic groups may turn into consumer groups while running, the reverse, both or neither."
    ),
    "group.consumer.min.assignment.interval.ms": "Smallest assignment interval that a consumer group may be given.",
    "group.consumer.min.heartbeat.interval.ms": "Smallest heartbeat interval that a consumer group may be given.",
    "group.consumer.min.session.timeout.ms": "Smallest session timeout that a consumer group may be given.",
    "group.consumer.regex.refresh.interval.ms": "How often pattern subscriptions are matched against the topics again.",
    "group.consumer.session.timeout.ms": "A member of a consumer group that is silent for this long is removed.",
    "group.coordinator.append.linger.ms": (
        "How long the group coordinator gathers records before writing; 0 is not at all, -1 as the load suggests."
    ),
    "group.coordinator.background.threads": (
        "Threads for slow tasks of the group coordinator, such as matching patterns."
    ),
    "group.coordinator.cached.buffer.max.bytes": "Largest write buffer that the group coordinator keeps for reuse.",
    "group.coordinator.rebalance.protocols": "The rebalance protocols that groups may use.",
    "group.coordinator.threads": "Number of threads of the group coordinator.",
    "group.initial.rebalance.delay.ms": (
        "How long the first rebalance of an empty classic group waits for more members."
    ),
    "group.max.session.timeout.ms": "Longest session timeout that members of classic groups may ask for.",
    "group.max.size": "Most members of a classic group.",
    "group.min.session.timeout.ms": "Shortest session timeout that members of classic groups may ask for.",
    "group.streams.assignment.interval.ms": "Shortest time between two computations of a streams group's assignment.",
    "group.streams.heartbeat.interval.ms": "Heartbeat interval that members of streams groups are told to keep.",
    "group.streams.initial.rebalance.delay.ms": (
        "How long the first rebalance of an empty streams group waits for more members."
    ),
    "group.streams.max.assignment.interval.ms": "Largest assignment interval that a streams group may be given.",
    "group.streams.max.heartbeat.interval.ms": "Largest heartbeat interval that a streams group may be given.",
    "group.streams.max.session.timeout.ms": "Largest session timeout that a streams group may be given.",
    "group.streams.max.size": "Most members of a streams group.",
    "group.streams.max.standby.replicas": "Most standby copies that a streams group may be given.",
    "group.streams.min.assignment.interval.ms": "Smallest assignment interval that a streams group may be given.",
    "group.streams.min.heartbeat.interval.ms": "Smallest heartbeat interval that a streams group may be given.",
    "group.streams.min.session.timeout.ms": "Smallest session timeout that a streams group may be given.",
    "group.streams.num.standby.replicas": "Standby copies of each stateful task of a streams group.",
    "group.streams.session.timeout.ms": "A member of a streams group that is silent for this long is removed.",
    "offset.metadata.max.bytes": "Longest metadata string that may go with a committed offset.",
    "offsets.commit.timeout.ms": "How long an offset commit may wait to be replicated.",
    "offsets.load.buffer.size": "Bytes read at a time while the coordinator loads offsets and groups.",
    "offsets.retention.check.interval.ms": "How often expired offsets are looked for.",
    "offsets.retention.minutes": (
        "How long committed offsets outlive the last use of their group or of the topic by it."
    ),
    "offsets.topic.compression.codec": "Codec of the offsets topic's batches: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.",
    "offsets.topic.num.partitions": "Partitions of __consumer_offsets; not to be changed once it exists.",
    "offsets.topic.replication.factor": (
        "Replicas of __consumer_offsets; its creation waits until there are as many brokers."
    ),
    "offsets.topic.segment.bytes": "Segment size of __consumer_offsets; small ones load and compact faster.",
}

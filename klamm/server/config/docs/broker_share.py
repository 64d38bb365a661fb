"""What the broker keys of `tables/broker_share.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

SHARE_DOCS: Final[dict[str, str]] = {
    "group.share.assignment.interval.ms": "Shortest time between two computations of a share group's assignment.",
    "group.share.assignors": "The server-side assignor of share groups, by name or class; there must be exactly one.",
    "group.share.delivery.count.limit": "Times that a record is handed out before it counts as impossible to process.",
    "group.share.heartbeat.interval.ms": "Heartbeat interval that members of share groups are told to keep.",
    "group.share.initialize.retry.interval.ms": (
        "Pause before the state of a share group's new partition is set up again after a failure."
    ),
    "group.share.max.assignment.interval.ms": "Largest assignment interval that a share group may be given.",
    "group.share.max.delivery.count.limit": "Largest delivery count limit that a share group may be given.",
    "group.share.max.heartbeat.interval.ms": "Largest heartbeat interval that a share group may be given.",
    "group.share.max.partition.max.record.locks": (
        "Largest number of record locks a partition that a share group may be given."
    ),
    "group.share.max.record.lock.duration.ms": "Longest record lock that a share group may be given.",
    "group.share.max.session.timeout.ms": "Largest session timeout that a share group may be given.",
    "group.share.max.share.sessions": "Share sessions that one broker keeps at a time.",
    "group.share.max.size": "Most members of a share group.",
    "group.share.min.assignment.interval.ms": "Smallest assignment interval that a share group may be given.",
    "group.share.min.delivery.count.limit": "Smallest delivery count limit that a share group may be given.",
    "group.share.min.heartbeat.interval.ms": "Smallest heartbeat interval that a share group may be given.",
    "group.share.min.partition.max.record.locks": (
        "Smallest number of record locks a partition that a share group may be given."
    ),
    "group.share.min.record.lock.duration.ms": "Shortest record lock that a share group may be given.",
    "group.share.min.session.timeout.ms": "Smallest session timeout that a share group may be given.",
    "group.share.partition.max.record.locks": "Records of one partition that a share group may hold locked at a time.",
    "group.share.persister.class.name": "Class that keeps the delivery state of share partitions.",
    "group.share.record.lock.duration.ms": (
        "How long a consumer of a share group holds a record before others may get it."
    ),
    "group.share.session.timeout.ms": "A member of a share group that is silent for this long is removed.",
    "share.coordinator.append.linger.ms": (
        "How long the share coordinator gathers records before writing; 0 is not at all, -1 as the load suggests."
    ),
    "share.coordinator.cached.buffer.max.bytes": "Largest write buffer that the share coordinator keeps for reuse.",
    "share.coordinator.cold.partition.snapshot.interval.ms": (
        "How often share partitions without traffic are given a fresh snapshot."
    ),
    "share.coordinator.load.buffer.size": "Bytes read at a time while the share coordinator loads its state.",
    "share.coordinator.snapshot.update.records.per.snapshot": (
        "State changes that are logged between two snapshots of a share partition."
    ),
    "share.coordinator.state.topic.compression.codec": (
        "Codec of the state topic's batches: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."
    ),
    "share.coordinator.state.topic.min.isr": "min.insync.replicas of the share group state topic.",
    "share.coordinator.state.topic.num.partitions": (
        "Partitions of __share_group_state; not to be changed once it exists."
    ),
    "share.coordinator.state.topic.prune.interval.ms": (
        "How often records that the coordinator no longer needs are deleted from the state topic."
    ),
    "share.coordinator.state.topic.replication.factor": (
        "Replicas of __share_group_state; its creation waits until there are as many brokers."
    ),
    "share.coordinator.state.topic.segment.bytes": "Segment size of __share_group_state.",
    "share.coordinator.threads": "Number of threads of the share coordinator.",
    "share.coordinator.write.timeout.ms": "How long a write of the share coordinator may wait to be replicated.",
    "share.fetch.purgatory.purge.interval.requests": (
        "After this many finished share fetch waits they are cleared from memory."
    ),
}

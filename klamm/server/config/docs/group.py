"""What the group keys do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

GROUP_DOCS: Final[dict[str, str]] = {
    "consumer.assignment.interval.ms": "Shortest time between two computations of this consumer group's assignment.",
    "consumer.heartbeat.interval.ms": "Heartbeat interval that members of this consumer group are told to keep.",
    "consumer.session.timeout.ms": "A member of this consumer group that is silent for this long is removed.",
    "share.assignment.interval.ms": "Shortest time between two computations of this share group's assignment.",
    "share.auto.offset.reset": (
        "Where a share group starts on a partition: latest, earliest, or by_duration: and an ISO 8601 time span."
    ),
    "share.delivery.count.limit": "Times that a record is handed out before it counts as impossible to process.",
    "share.heartbeat.interval.ms": "Heartbeat interval that members of this share group are told to keep.",
    "share.isolation.level": "Whether this share group gets records of open and aborted transactions too.",
    "share.partition.max.record.locks": "Records of one partition that this share group may hold locked at a time.",
    "share.record.lock.duration.ms": "How long a consumer of this share group holds a record before others may get it.",
    "share.renew.acknowledge.enable": "Whether consumers of this share group may prolong their hold on a record.",
    "share.session.timeout.ms": "A member of this share group that is silent for this long is removed.",
    "streams.assignment.interval.ms": "Shortest time between two computations of this streams group's assignment.",
    "streams.heartbeat.interval.ms": "Heartbeat interval that members of this streams group are told to keep.",
    "streams.initial.rebalance.delay.ms": "How long the first rebalance of this streams group waits for more members.",
    "streams.num.standby.replicas": "Standby copies of each stateful task of this streams group.",
    "streams.session.timeout.ms": "A member of this streams group that is silent for this long is removed.",
}

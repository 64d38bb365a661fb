"""What the quota keys do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

QUOTA_DOCS: Final[dict[str, str]] = {
    "SCRAM-SHA-256": "Credential of the user for SCRAM-SHA-256.",
    "SCRAM-SHA-512": "Credential of the user for SCRAM-SHA-512.",
    "connection_creation_rate": "New connections a second from this address.",
    "consumer_byte_rate": "Bytes a second that consumers may fetch from one broker.",
    "controller_mutation_rate": "Partitions a second that may be created or deleted, topics included.",
    "follower.replication.throttled.rate": "Bytes a second at which this broker receives throttled replicas.",
    "leader.replication.throttled.rate": "Bytes a second at which this broker sends throttled replicas.",
    "producer_byte_rate": "Bytes a second that producers may send to one broker.",
    "replica.alter.log.dirs.io.max.bytes.per.second": "Bytes a second that moves between log directories may use.",
    "request_percentage": (
        "Share of one thread's time that requests may use, in percent; several threads make more than 100."
    ),
}

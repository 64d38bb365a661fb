"""What the broker keys of `tables/broker_replication.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

REPLICATION_DOCS: Final[dict[str, str]] = {
    "auto.leader.rebalance.enable": "Whether the controller gives partitions back to their preferred leaders.",
    "default.replication.factor": "Replicas of a topic that is created without saying how many.",
    "follower.fetch.last.tiered.offset.enable": (
        "Whether an empty follower of a tiered topic starts from the last offset in remote storage."
    ),
    "leader.imbalance.check.interval.seconds": (
        "How often the controller looks for partitions not led by their preferred leader."
    ),
    "min.insync.replicas": "Replicas that must be in sync for a write with acks=all to succeed.",
    "num.partitions": "Partitions of a topic that is created without saying how many.",
    "num.replica.alter.log.dirs.threads": (
        "Threads that move replicas between log directories; one a directory when not set."
    ),
    "num.replica.fetchers": "Number of fetcher threads for each broker that this one replicates from.",
    "replica.fetch.backoff.ms": "Pause of a follower after a fetch that failed.",
    "replica.fetch.max.bytes": "Bytes of one partition that a follower asks for at a time.",
    "replica.fetch.min.bytes": (
        "Bytes that a follower wants to get at least, or it waits up to replica.fetch.wait.max.ms."
    ),
    "replica.fetch.response.max.bytes": "Bytes that a follower wants in one response over all partitions.",
    "replica.fetch.wait.max.ms": "Longest time that a follower's fetch waits for replica.fetch.min.bytes.",
    "replica.high.watermark.checkpoint.interval.ms": "How often the high watermarks are saved to disk.",
    "replica.lag.time.max.ms": (
        "A follower that has not caught up with its leader for this long leaves the in-sync replicas."
    ),
    "replica.selector.class": "Class that picks the replica a consumer should read from; the leader when not set.",
    "replica.socket.receive.buffer.bytes": "Receive buffer of the connections by which followers fetch.",
    "replica.socket.timeout.ms": "Time limit of a follower's requests; at least replica.fetch.wait.max.ms.",
    "unclean.leader.election.enable": (
        "Whether a replica that is not in sync may lead when no other is left, at the price of lost records."
    ),
    "unclean.leader.election.interval.ms": (
        "How often the controller looks for leaderless partitions that an unclean election would help."
    ),
}

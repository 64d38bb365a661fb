"""What the broker keys of `tables/broker_remote.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

REMOTE_DOCS: Final[dict[str, str]] = {
    "remote.fetch.max.wait.ms": "Longest time that a fetch waits for remote storage.",
    "remote.list.offsets.request.timeout.ms": "How long a ListOffsets request may wait for remote storage.",
    "remote.log.index.file.cache.total.size.bytes": "Local disk space for copies of remote index files.",
    "remote.log.index.file.cache.ttl.ms": "How long the copy of a remote index file is kept unused; -1 is no bound.",
    "remote.log.manager.copier.thread.pool.size": "Threads that copy segments to remote storage.",
    "remote.log.manager.copy.max.bytes.per.second": "Bytes a second that may be copied to remote storage.",
    "remote.log.manager.copy.quota.window.num": "Samples kept to measure the rate of copying.",
    "remote.log.manager.copy.quota.window.size.seconds": "Length of one sample of the rate of copying.",
    "remote.log.manager.expiration.thread.pool.size": "Threads that delete expired segments from remote storage.",
    "remote.log.manager.fetch.max.bytes.per.second": "Bytes a second that may be read from remote storage.",
    "remote.log.manager.fetch.quota.window.num": "Samples kept to measure the rate of remote reads.",
    "remote.log.manager.fetch.quota.window.size.seconds": "Length of one sample of the rate of remote reads.",
    "remote.log.manager.follower.thread.pool.size": "Threads that follow the remote state of partitions led elsewhere.",
    "remote.log.manager.task.interval.ms": "How often copying and expiry look for work.",
    "remote.log.manager.task.retry.backoff.max.ms": "Longest pause before a failed remote task is tried again.",
    "remote.log.manager.task.retry.backoff.ms": "First pause before a failed remote task is tried again.",
    "remote.log.manager.task.retry.jitter": "Random part of the pauses between attempts, as a fraction.",
    "remote.log.manager.thread.pool.size": "Threads that schedule the tasks of remote storage.",
    "remote.log.metadata.custom.metadata.max.bytes": (
        "Most bytes that a storage plugin may attach to the metadata of a segment."
    ),
    "remote.log.metadata.manager.class.name": "Class that keeps track of the segments in remote storage.",
    "remote.log.metadata.manager.class.path": "Where the classes of the remote metadata manager are found.",
    "remote.log.metadata.manager.impl.prefix": (
        "Prefix of the settings that are passed on to the remote metadata manager."
    ),
    "remote.log.metadata.manager.listener.name": "Listener by which the remote metadata manager reaches this broker.",
    "remote.log.reader.max.pending.tasks": "Remote reads that may wait for a thread.",
    "remote.log.reader.threads": "Threads that read from remote storage.",
    "remote.log.storage.manager.class.name": "Class that reads and writes segments in remote storage.",
    "remote.log.storage.manager.class.path": "Where the classes of the remote storage manager are found.",
    "remote.log.storage.manager.impl.prefix": (
        "Prefix of the settings that are passed on to the remote storage manager."
    ),
    "remote.log.storage.system.enable": "Whether this broker can keep old segments in remote storage.",
}

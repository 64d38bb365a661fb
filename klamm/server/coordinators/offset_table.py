"""Committed offsets of the groups of one partition, and those that open transactions have pending.

Changed only by applied records. Pending offsets become committed, or vanish, with their transaction's marker.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from klamm.kproto.group_records import OffsetCommitKey, OffsetCommitValue
from klamm.kproto.schema import ZERO_UUID


class CommittedOffset(NamedTuple):
    """`expire_timestamp_ms` is -1 unless the commit came with a retention of its own (OffsetCommit 2 to 4).

    `order` is the place of the record in the log relative to others.
    """

    offset: int
    leader_epoch: int
    metadata: str
    commit_timestamp_ms: int
    expire_timestamp_ms: int
    topic_id: bytes
    order: int


TopicOffsets: TypeAlias = dict[str, dict[int, CommittedOffset]]
"""Topic name -> partition -> offset."""

_NO_OFFSETS: TopicOffsets = {}


class OffsetTable:
    """All offsets of one `__consumer_offsets` partition by group."""

    def __init__(self) -> None:
        self._committed: dict[str, TopicOffsets] = {}
        self._pending: dict[int, dict[str, TopicOffsets]] = {}
        """Producer id -> group -> offsets of its open transaction."""
        self._order = 0

    def apply(self, key: OffsetCommitKey, value: OffsetCommitValue | None, producer_id: int = -1) -> None:
        """Take one record in; with a producer id it stays pending until `end_transaction`."""
        self._order += 1
        group, topic, partition = key.group, key.topic, key.partition
        if value is None:
            _remove(self._committed, group, topic, partition)
            for pending in self._pending.values():
                _remove(pending, group, topic, partition)
            return
        found = CommittedOffset(
            value.offset,
            value.leader_epoch,
            value.metadata,
            value.commit_timestamp,
            value.expire_timestamp,
            value.topic_id,
            self._order,
        )
        table = self._committed if producer_id < 0 else self._pending.setdefault(producer_id, {})
        table.setdefault(group, {}).setdefault(topic, {})[partition] = found

    def end_transaction(self, producer_id: int, commit: bool) -> None:
        """The marker of a transaction. A commit keeps what is newer in the log, as compaction would."""
        pending = self._pending.pop(producer_id, None)
        if pending is None or not commit:
            return
        for group, topics in pending.items():
            for topic, partitions in topics.items():
                for partition, offset in partitions.items():
                    known = self.get(group, topic, partition)
                    if known is None or known.order < offset.order:
                        self._committed.setdefault(group, {}).setdefault(topic, {})[partition] = offset

    def get(self, group: str, topic: str, partition: int) -> CommittedOffset | None:
        return self._committed.get(group, _NO_OFFSETS).get(topic, {}).get(partition)

    def topics(self, group: str) -> TopicOffsets:
        """The committed offsets of one group; not to be changed."""
        return self._committed.get(group, _NO_OFFSETS)

    def groups(self) -> set[str]:
        """The groups that have offsets, committed or pending."""
        return {*self._committed, *(group for pending in self._pending.values() for group in pending)}

    def is_pending(self, group: str, topic: str, partition: int) -> bool:
        """Whether an open transaction has written an offset for the partition."""
        return any(partition in pending.get(group, _NO_OFFSETS).get(topic, {}) for pending in self._pending.values())

    def has_pending(self, group: str) -> bool:
        return any(group in pending for pending in self._pending.values())

    def partitions(self, group: str) -> Iterator[tuple[str, int]]:
        """Every topic and partition that has an offset in `group`, committed first, then pending only."""
        for topic, partitions in self.topics(group).items():
            for partition in partitions:
                yield topic, partition
        seen: set[tuple[str, int]] = set()
        for pending in self._pending.values():
            for topic, partitions in pending.get(group, _NO_OFFSETS).items():
                for partition in partitions:
                    if (topic, partition) not in seen and self.get(group, topic, partition) is None:
                        seen.add((topic, partition))
                        yield topic, partition

    def contents(self) -> dict[tuple[str, str, int], tuple[int, int, str, int, int, bytes]]:
        """Committed offsets without their order: what two tables that hold the same have in common."""
        return {
            (group, topic, partition): offset[:6]
            for group, topics in self._committed.items()
            for topic, partitions in topics.items()
            for partition, offset in partitions.items()
        }


def _remove(table: dict[str, TopicOffsets], group: str, topic: str, partition: int) -> None:
    """Drop one offset and what it leaves empty."""
    topics = table.get(group)
    partitions = None if topics is None else topics.get(topic)
    if topics is None or partitions is None or partitions.pop(partition, None) is None:
        return
    if not partitions:
        del topics[topic]
        if not topics:
            del table[group]


def has_topic_id(offset: CommittedOffset, topic_id: bytes) -> bool:
    """Whether the offset is of that topic; ids that either side lacks are not compared."""
    return ZERO_UUID in (offset.topic_id, topic_id) or offset.topic_id == topic_id

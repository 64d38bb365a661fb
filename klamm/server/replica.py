"""What a partition's replica on this broker has for readers, whether it leads or follows (KIP-392)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from klamm.kproto import errors

if TYPE_CHECKING:
    from klamm.log.partition_log import PartitionLog


class Waking(Protocol):
    """Who waits for something; told once for all that has happened in a turn."""

    def wake(self) -> None: ...


class Replica:
    """One log and who waits for it.

    `leader_epoch` checks follow KIP-320: a client that knows an older epoch is fenced, one that knows a newer is told
    that we do not.
    """

    __slots__ = ("_touched", "index", "leader_epoch", "leader_id", "log", "topic", "topic_id", "waiters")

    def __init__(
        self,
        topic: str,
        topic_id: bytes,
        index: int,
        log: PartitionLog,
        leader_id: int,
        leader_epoch: int,
        touched: Callable[[Waking], None],
    ) -> None:
        self.topic, self.topic_id, self.index = topic, topic_id, index
        self.log = log
        self.leader_id = leader_id
        """-1 while nobody leads."""
        self.leader_epoch = leader_epoch
        self.waiters: dict[Callable[[], None], None] = {}
        """Fetches to look again when the high watermark has moved, in the order in which they came."""
        self._touched = touched

    def check_epoch(self, current_leader_epoch: int) -> int:
        """NONE, or the error for a client that believes in another leader epoch (-1: it does not say)."""
        if current_leader_epoch in (-1, self.leader_epoch):
            return errors.NONE
        return errors.FENCED_LEADER_EPOCH if current_leader_epoch < self.leader_epoch else errors.UNKNOWN_LEADER_EPOCH

    def wake(self) -> None:
        """Let the fetches that wait for this partition look again."""
        for waiter in list(self.waiters):
            waiter()

    @property
    def high_watermark(self) -> int:
        return self.log.high_watermark

    def visible_end(self, isolation_level: int) -> int:
        """The offset up to which a consumer may read: high watermark (0) or last stable offset (1)."""
        return self.log.last_stable_offset if isolation_level else self.log.high_watermark

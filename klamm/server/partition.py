"""One partition as this broker leads it: appends, reads below the high watermark, and who waits for either.

With one replica the high watermark follows the log end as soon as bytes are written; replication (ISR, follower
fetches) hangs its rules on `_advance`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log import upkeep, validation
from klamm.server.topic_listing import INTERNAL_TOPICS

if TYPE_CHECKING:
    from klamm.log.io_thread import Completion
    from klamm.log.partition_log import Appended, PartitionLog


class Partition:
    """A led partition.

    `leader_epoch` checks follow KIP-320: a client that knows an older epoch is fenced, one that knows a newer is told
    that we do not.
    """

    __slots__ = (
        "_commit_callbacks",
        "_touched",
        "index",
        "is_internal",
        "isr",
        "leader_epoch",
        "leader_id",
        "log",
        "min_insync_replicas",
        "topic",
        "topic_id",
        "waiters",
    )

    def __init__(
        self,
        topic: str,
        topic_id: bytes,
        index: int,
        log: PartitionLog,
        leader_id: int,
        leader_epoch: int,
        isr: Sequence[int],
        touched: Callable[[Partition], None],
    ) -> None:
        self.topic, self.topic_id, self.index = topic, topic_id, index
        self.is_internal = topic in INTERNAL_TOPICS
        self.log = log
        self.leader_id = leader_id
        self.leader_epoch = leader_epoch
        self.isr = isr
        self.min_insync_replicas = 1
        self.waiters: set[Callable[[], None]] = set()
        """Fetches to look again when the high watermark has moved."""
        self._touched = touched
        log.producers.must_verify = True
        self._commit_callbacks: list[Callable[[int], None]] = []
        # The checkpoint of the high watermark may lie behind the log after a crash. A leader that is its only in-sync
        # replica has committed all that it has, as when Kafka's leader counts its own end on taking over.
        self._advance()

    def check_epoch(self, current_leader_epoch: int) -> int:
        """NONE, or the error for a client that believes in another leader epoch (-1: it does not say)."""
        if current_leader_epoch in (-1, self.leader_epoch):
            return errors.NONE
        return errors.FENCED_LEADER_EPOCH if current_leader_epoch < self.leader_epoch else errors.UNKNOWN_LEADER_EPOCH

    def append(self, batches: memoryview, now_ms: int, acks: int = -1, origin: int = validation.CLIENT) -> Appended:
        """Append a batch of a producer or coordinator.

        Raises KafkaError: NOT_ENOUGH_REPLICAS for acks=-1 below min.insync.replicas, INVALID_TOPIC_EXCEPTION for a
        client that writes to an internal topic, and what the log refuses.

        When `written` of the result is not None, the bytes are still on their way to the file: the buffer must stay as
        it is and the producer must not be answered until that future is done.
        """
        if self.is_internal and origin == validation.CLIENT:
            raise KafkaError(errors.INVALID_TOPIC_EXCEPTION, f"{self.topic} is written by the brokers only")
        if acks == -1 and self.min_insync_replicas > len(self.isr):
            raise KafkaError(errors.NOT_ENOUGH_REPLICAS)
        appended = self.log.append_as_leader(batches, self.leader_epoch, now_ms=now_ms, origin=origin)
        if appended.written is None:
            self._advance()
        else:
            appended.written.add_done_callback(self._written)
        return appended

    def _written(self, future: Completion) -> None:
        if not future.cancelled() and future.exception() is None:
            self._advance()
            self.wake()

    def _advance(self) -> None:
        """One replica: everything that is in the log is committed."""
        if self.log.advance_high_watermark():
            if self._commit_callbacks:
                for callback in self._commit_callbacks:
                    callback(self.log.high_watermark)
            if self.waiters:
                self._touched(self)

    def wake(self) -> None:
        """Let the fetches that wait for this partition look again."""
        for waiter in list(self.waiters):
            waiter()

    @property
    def high_watermark(self) -> int:
        return self.log.high_watermark

    def on_high_watermark(self, callback: Callable[[int], None]) -> None:
        """Have `callback(high_watermark)` called whenever it advances (coordinators)."""
        self._commit_callbacks.append(callback)

    def visible_end(self, isolation_level: int) -> int:
        """The offset up to which a consumer may read: high watermark (0) or last stable offset (1)."""
        return self.log.last_stable_offset if isolation_level else self.log.high_watermark

    def end_offset_for_epoch(self, leader_epoch: int) -> tuple[int, int]:
        """(the largest epoch known that is at most `leader_epoch`, its end offset); (-1, -1) when none is known.

        The current epoch ends at the high watermark for consumers (KIP-320).
        """
        if leader_epoch == self.leader_epoch:
            return leader_epoch, self.log.high_watermark
        return self.log.end_offset_for_epoch(leader_epoch)

    def delete_records(self, offset: int) -> int:
        """Move the log start up to `offset` (-1: the high watermark); gives the new low watermark. Raises
        KafkaError.
        """
        return upkeep.delete_records(self.log, offset)

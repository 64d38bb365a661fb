"""One partition as this broker leads it: appends, reads below the high watermark, and who waits for either.

With one replica the high watermark follows the log end as soon as bytes are written. With more, the rules of
`log/isr.py` say how far it goes; what they ask for (a change of the ISR, somebody to be woken) goes out through
`Surroundings`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.log import upkeep, validation
from klamm.server.replica import Replica, Waking
from klamm.server.topic_listing import INTERNAL_TOPICS

if TYPE_CHECKING:
    from klamm.log.io_thread import Completion
    from klamm.log.isr import IsrChange, Replication
    from klamm.log.partition_log import Appended, PartitionLog


class Watcher(Protocol):
    """A follower's fetch session, as the partition sees it: told what there is to tell the follower."""

    def on_append(self) -> None:
        """The log has grown: a follower that waits is to be answered."""
        ...

    def on_change(self) -> None:
        """An offset or the leadership has changed, of which the next answer tells."""
        ...

    def on_displaced(self) -> None:
        """Another session of the same follower is told from now on."""
        ...


class Surroundings(Protocol):
    """What a replicated partition needs of its broker."""

    def now_ms(self) -> float:
        """A clock that never goes back."""
        ...

    def touched(self, who: Waking) -> None:
        """Wake `who` when this turn is over."""
        ...

    def is_eligible(self, replica_id: int, broker_epoch: int | None) -> bool:
        """Whether the metadata lets a broker be in sync (KIP-903)."""
        ...

    def is_alive(self, replica_id: int) -> bool: ...

    def broker_epoch(self) -> int:
        """This broker's own, -1 before it is registered."""
        ...

    def propose(self, partition: Partition, change: IsrChange) -> None:
        """Ask the controller for another ISR."""
        ...


class Partition(Replica):
    """A led partition. `replication` is None where there is one replica only."""

    __slots__ = (
        "_acks",
        "_acks_count",
        "_commit_callbacks",
        "_low_waiters",
        "_surroundings",
        "followers",
        "is_internal",
        "isr",
        "min_insync_replicas",
        "replication",
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
        touched: Callable[[Waking], None],
        replication: Replication | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        """With `replication`, which has taken over the metadata already, `surroundings` are needed too."""
        super().__init__(topic, topic_id, index, log, leader_id, leader_epoch, touched)
        self.is_internal = topic in INTERNAL_TOPICS
        self.isr = isr
        """What the controller is known to have committed."""
        self.min_insync_replicas = 1
        """`min.insync.replicas`, but never more than there are replicas."""
        self.replication = replication
        self.followers: dict[int, Watcher] = {}
        """The sessions in which followers fetch this partition, by broker id."""
        self._surroundings = surroundings
        self._acks: list[tuple[int, int, Callable[[int], None]]] = []
        self._acks_count = 0
        self._low_waiters: list[tuple[int, Callable[[int, int], None]]] = []
        log.producers.must_verify = True
        self._commit_callbacks: list[Callable[[int], None]] = []
        # The checkpoint of the high watermark may lie behind the log after a crash. A leader that is its only in-sync
        # replica has committed all that it has, as when Kafka's leader counts its own end on taking over.
        self._advance()

    # -- appending --

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
        if self.replication is not None:
            for follower in self.followers.values():
                follower.on_append()
            self.advance()
        elif self.log.advance_high_watermark():
            if self._commit_callbacks:
                for callback in self._commit_callbacks:
                    callback(self.log.high_watermark)
            if self.waiters:
                self._touched(self)

    def advance(self) -> None:
        """Several replicas: move the high watermark as far as the followers allow, and serve who waits for it."""
        replication, surroundings, log = self.replication, self._surroundings, self.log
        if replication is None or surroundings is None:
            return
        offset = replication.high_watermark(log.committable_end, surroundings.now_ms(), surroundings.is_eligible)
        if offset is None or not log.update_high_watermark(offset):
            return
        high_watermark = log.high_watermark
        for callback in self._commit_callbacks:
            callback(high_watermark)
        for follower in self.followers.values():
            follower.on_change()
        if self._acks:
            self._acknowledge(high_watermark)
        if self.waiters:
            self._touched(self)

    # -- who waits for followers --

    def when_replicated(self, end_offset: int, done: Callable[[int], None]) -> None:
        """Call `done(error code)` when everything below `end_offset` is on all in-sync replicas, or never will be.

        NOT_ENOUGH_REPLICAS_AFTER_APPEND: it is, but they are fewer than `min.insync.replicas` by now;
        NOT_LEADER_OR_FOLLOWER: this broker leads no more.
        """
        if self.log.high_watermark >= end_offset:
            done(self._acks_code())
            return
        self._acks_count += 1
        heapq.heappush(self._acks, (end_offset, self._acks_count, done))

    def _acks_code(self) -> int:
        replication = self.replication
        if replication is None or replication.has_enough_for_acks:
            return errors.NONE
        return errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND

    def _acknowledge(self, high_watermark: int) -> None:
        acks, code = self._acks, self._acks_code()
        while acks and acks[0][0] <= high_watermark:
            heapq.heappop(acks)[2](code)

    def resign(self, code: int = errors.NOT_LEADER_OR_FOLLOWER) -> None:
        """This broker leads the partition no more: whoever waits is told so."""
        acks, self._acks = self._acks, []
        for _, _, done in acks:
            done(code)
        waiters, self._low_waiters = self._low_waiters, []
        for _, told in waiters:
            told(code, -1)
        self._commit_callbacks.clear()
        if self.replication is not None:
            self.replication.pending = None
        for follower in list(self.followers.values()):
            follower.on_append()
        self.wake()

    # -- the in-sync replicas --

    def set_min_insync_replicas(self, count: int) -> None:
        """`count` is not more than there are replicas."""
        self.min_insync_replicas = count
        if self.replication is not None and self.replication.min_isr != count:
            self.replication.min_isr = count
            self.advance()

    def check_follower(self, replica_id: int, leader_epoch: int) -> None:
        """Raises KafkaError for a broker that the metadata known here gives no replica.

        A right `leader_epoch` says that the broker may know more than this one: UNKNOWN_LEADER_EPOCH. Without one (-1)
        nobody can tell who is behind: NOT_LEADER_OR_FOLLOWER.
        """
        if self.replication is None or replica_id not in self.replication.followers:
            code = errors.NOT_LEADER_OR_FOLLOWER if leader_epoch < 0 else errors.UNKNOWN_LEADER_EPOCH
            raise KafkaError(code, f"broker {replica_id} has no replica of this partition")

    def follower_fetched(
        self, replica_id: int, offset: int, log_start_offset: int, leader_end: int, broker_epoch: int
    ) -> None:
        """A follower (`check_follower`) has everything below `offset`, as its fetch tells.

        `leader_end`: the log's end as it was read.
        """
        replication, surroundings = self.replication, self._surroundings
        assert replication is not None and surroundings is not None
        follower = replication.followers[replica_id]
        before, log_start = follower.log_end_offset, follower.log_start_offset
        follower.fetched(offset, log_start_offset, leader_end, surroundings.now_ms(), broker_epoch)
        if replica_id not in replication.isr:
            own_epoch = surroundings.broker_epoch()
            change = replication.expansion(replica_id, self.log.high_watermark, own_epoch, surroundings.is_eligible)
            if change is not None:
                surroundings.propose(self, change)
        if before != offset:
            self.advance()
        if self._low_waiters and log_start != log_start_offset:
            self.check_low_watermark()

    def check_isr(self) -> None:
        """Every half `replica.lag.time.max.ms`: put those out of the ISR that lag."""
        replication, surroundings = self.replication, self._surroundings
        if replication is None or surroundings is None:
            return
        change = replication.shrink(self.log.log_end_offset, surroundings.now_ms(), surroundings.broker_epoch())
        if change is not None:
            surroundings.propose(self, change)
        # A follower that the high watermark waited for may be given up by now.
        self.advance()

    def isr_changed(self) -> None:
        """The ISR is another one: the high watermark may go on."""
        assert self.replication is not None
        self.isr = self.replication.isr
        self.advance()
        for follower in self.followers.values():
            follower.on_change()

    # -- offsets --

    def is_behind_its_epoch(self, end_offset: int) -> bool:
        """Whether `end_offset` is one of a new leader that does not know yet what its predecessors have committed."""
        return self.replication is not None and self.replication.epoch_start_offset > end_offset

    def on_high_watermark(self, callback: Callable[[int], None]) -> None:
        """Have `callback(high_watermark)` called whenever it advances (coordinators)."""
        self._commit_callbacks.append(callback)

    def end_offset_for_epoch(self, leader_epoch: int) -> tuple[int, int]:
        """(the largest epoch known that is at most `leader_epoch`, its end offset); (-1, -1) when none is known.

        The current epoch ends with the log (KIP-101).
        """
        return self.log.end_offset_for_epoch(leader_epoch)

    # -- deleting records --

    def delete_records(self, offset: int) -> int:
        """Move the log start up to `offset` (-1: the high watermark); gives the new log start. Raises KafkaError."""
        start = upkeep.delete_records(self.log, offset)
        for follower in self.followers.values():
            follower.on_append()  # it is to delete soon: somebody waits for that
        return start

    def when_deleted(self, offset: int, told: Callable[[int, int], None]) -> None:
        """Call `told(error code, low watermark)` when every replica that is alive has deleted what is below."""
        self._low_waiters.append((offset, told))
        self.check_low_watermark()

    def check_low_watermark(self) -> None:
        """A log start has moved, or a replica has gone: serve those who wait for it."""
        if not self._low_waiters:
            return
        low = self.low_watermark
        done = [waiter for waiter in self._low_waiters if waiter[0] <= low]
        self._low_waiters = [waiter for waiter in self._low_waiters if waiter[0] > low]
        for _, told in done:
            told(errors.NONE, low)

    @property
    def low_watermark(self) -> int:
        """Below it no replica that is alive has records."""
        if self.replication is None or self._surroundings is None:
            return self.log.log_start_offset
        return self.replication.low_watermark(self.log.log_start_offset, self._surroundings.is_alive)

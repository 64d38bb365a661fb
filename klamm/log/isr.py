"""What a leader knows of its followers, and what follows from it: the in-sync replicas and the high watermark.

Rules only, as Kafka's leader has them: no clock, no log, no network. Whoever drives this brings times (milliseconds of
a clock that never goes back), offsets and what the metadata says of brokers, and carries out what comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from klamm.kproto import errors

UNKNOWN: Final = -1
"""An offset or a broker epoch that nobody has told yet."""
_NEVER: Final = float("-inf")
RECOVERED: Final = 0

Eligible = Callable[[int, "int | None"], bool]
"""Whether the metadata lets a broker, of the epoch that it fetches with (None: it never has), be in sync (KIP-903)."""


class Follower:
    """One follower as its fetches show it. `log_end_offset` is where it last fetched from."""

    __slots__ = (
        "broker_epoch",
        "last_caught_up_ms",
        "last_fetch_ms",
        "leader_end_at_fetch",
        "log_end_offset",
        "log_start_offset",
        "replica_id",
    )

    def __init__(self, replica_id: int) -> None:
        self.replica_id = replica_id
        self.log_end_offset = UNKNOWN
        self.log_start_offset = UNKNOWN
        self.leader_end_at_fetch = UNKNOWN
        self.last_fetch_ms = _NEVER
        self.last_caught_up_ms = _NEVER
        self.broker_epoch: int | None = None

    def fetched(self, offset: int, log_start_offset: int, leader_end: int, now_ms: float, broker_epoch: int) -> None:
        """A fetch from `offset`, while the leader's log ended at `leader_end`.

        Who has reached the end that the leader had at the fetch before was caught up at that time: a busy leader is
        always a little ahead.
        """
        if offset >= leader_end:
            self.last_caught_up_ms = max(self.last_caught_up_ms, now_ms)
        elif offset >= self.leader_end_at_fetch:
            self.last_caught_up_ms = max(self.last_caught_up_ms, self.last_fetch_ms)
        self.log_end_offset = offset
        self.log_start_offset = log_start_offset
        self.leader_end_at_fetch = max(leader_end, self.leader_end_at_fetch)
        self.last_fetch_ms = now_ms
        self.broker_epoch = broker_epoch

    def is_caught_up(self, leader_end: int, now_ms: float, lag_max_ms: float) -> bool:
        """Whether it has all, or had all that there was not longer ago than `replica.lag.time.max.ms`."""
        return self.log_end_offset == leader_end or now_ms - self.last_caught_up_ms <= lag_max_ms

    def begin_epoch(self, leader_end: int, now_ms: float, *, is_in_sync: bool, is_new_leader: bool) -> None:
        """Another leader epoch. A new leader knows nothing; those in sync have the whole lag time to show up."""
        self.last_caught_up_ms = now_ms if is_in_sync else _NEVER
        if is_new_leader:
            self.log_end_offset = self.log_start_offset = self.leader_end_at_fetch = UNKNOWN
            self.last_fetch_ms = _NEVER
            self.broker_epoch = None
        else:
            self.leader_end_at_fetch = leader_end
            self.last_fetch_ms = now_ms if is_in_sync else _NEVER


class IsrChange(NamedTuple):
    """The state that a leader proposes to the controller. `isr`: (broker id, its epoch or -1) each."""

    isr: tuple[tuple[int, int], ...]
    leader_epoch: int
    partition_epoch: int
    leader_recovery_state: int = RECOVERED


class Pending(NamedTuple):
    """A change on its way to the controller. `added`: who is to come in, hence counts already; None for a shrink."""

    change: IsrChange
    added: int | None


class Replication:
    """A leader's view of one partition.

    `isr` is what the controller is known to have committed, the leader included. While a change is under way nobody
    knows whether it has been made: the high watermark waits for the larger of both sets (`maximal_isr`), acks=all is
    refused by the committed one.
    """

    __slots__ = (
        "epoch_start_offset",
        "followers",
        "isr",
        "lag_max_ms",
        "leader_epoch",
        "local_id",
        "maximal_isr",
        "min_isr",
        "partition_epoch",
        "pending",
        "recovery_state",
    )

    def __init__(self, local_id: int, lag_max_ms: float) -> None:
        self.local_id = local_id
        self.lag_max_ms = lag_max_ms
        self.leader_epoch = self.partition_epoch = -1
        self.epoch_start_offset = 0
        self.followers: dict[int, Follower] = {}
        self.isr: tuple[int, ...] = ()
        self.maximal_isr: tuple[int, ...] = ()
        self.min_isr = 1
        """`min.insync.replicas`, but never more than there are replicas."""
        self.pending: Pending | None = None
        self.recovery_state = RECOVERED

    # -- from the metadata --

    def lead(
        self,
        replicas: Sequence[int],
        isr: Sequence[int],
        leader_epoch: int,
        partition_epoch: int,
        leader_end: int,
        now_ms: float,
    ) -> bool:
        """Take over what the metadata says; False when it is older than what the controller has answered meanwhile.

        A change under way is given up if what the metadata has now is later than what it was proposed on. Kafka gives
        it up too when the metadata only repeats the controller's last answer: the change may be granted all the same,
        and a leader that does not count who comes in commits what that one, elected next, does not have. Whatever the
        recovery state was, this leader has nothing to recover and will say so with its next change (KIP-704).
        """
        if partition_epoch < self.partition_epoch:
            return False
        is_known = (leader_epoch, partition_epoch) == (self.leader_epoch, self.partition_epoch)
        known = self.followers
        self.followers = {i: known.get(i) or Follower(i) for i in replicas if i != self.local_id}
        if leader_epoch > self.leader_epoch:
            is_new_leader = self.leader_epoch < 0
            self.epoch_start_offset = leader_end
            for follower in self.followers.values():
                is_in_sync = follower.replica_id in isr
                follower.begin_epoch(leader_end, now_ms, is_in_sync=is_in_sync, is_new_leader=is_new_leader)
        if not is_known:
            self.leader_epoch, self.partition_epoch = leader_epoch, partition_epoch
            self._commit(isr)
            self.recovery_state = RECOVERED
        return True

    def _commit(self, isr: Iterable[int]) -> None:
        self.isr = self.maximal_isr = tuple(isr)
        self.pending = None

    # -- offsets --

    def high_watermark(self, leader_end: int, now_ms: float, is_eligible: Eligible) -> int | None:
        """How far everybody has the log who must have it; None when it may not advance at all.

        Beside the maximal ISR it waits for followers that are about to come in: caught up by time and eligible. Else a
        follower could be kept out for ever by a high watermark that runs ahead of it. Below the minimal ISR nothing is
        committed (KIP-966).
        """
        if len(self.isr) < self.min_isr:
            return None
        lowest = leader_end
        for replica_id, follower in self.followers.items():
            if follower.log_end_offset < lowest and (
                replica_id in self.maximal_isr
                or (
                    follower.is_caught_up(leader_end, now_ms, self.lag_max_ms)
                    and is_eligible(replica_id, follower.broker_epoch)
                )
            ):
                lowest = follower.log_end_offset
        return lowest

    def low_watermark(self, log_start_offset: int, is_alive: Callable[[int], bool]) -> int:
        """The lowest log start among the leader and the followers that are alive (KIP-107)."""
        starts = [f.log_start_offset for f in self.followers.values() if is_alive(f.replica_id)]
        return min([log_start_offset, *starts])

    @property
    def is_under_min_isr(self) -> bool:
        return len(self.isr) < self.min_isr

    @property
    def has_enough_for_acks(self) -> bool:
        """Whether what the high watermark covers counts as acknowledged by enough replicas."""
        return len(self.maximal_isr) >= self.min_isr

    # -- the ISR --

    def expansion(self, replica_id: int, high_watermark: int, epoch: int, is_eligible: Eligible) -> IsrChange | None:
        """The change that lets a follower in, if it may: it has all that is committed and all of older epochs.

        `epoch`: this broker's own. The change is under way from now on.
        """
        follower = self.followers[replica_id]
        if (
            self.pending is not None
            or replica_id in self.isr
            or follower.log_end_offset < high_watermark
            or follower.log_end_offset < self.epoch_start_offset
            or not is_eligible(replica_id, follower.broker_epoch)
        ):
            return None
        # Kafka's leader keeps them in a set, and proposes them by id.
        return self._propose(tuple(sorted((*self.isr, replica_id))), epoch, replica_id)

    def shrink(self, leader_end: int, now_ms: float, epoch: int) -> IsrChange | None:
        """The change that puts those out which lag for too long, if there are any. It is under way from now on."""
        if self.pending is not None or len(self.isr) < 2:
            return None
        followers, lag_max_ms = self.followers, self.lag_max_ms
        kept = tuple(
            replica_id
            for replica_id in sorted(self.isr)
            if (follower := followers.get(replica_id)) is None or follower.is_caught_up(leader_end, now_ms, lag_max_ms)
        )
        return None if len(kept) == len(self.isr) else self._propose(kept, epoch, None)

    def _propose(self, isr: tuple[int, ...], epoch: int, added: int | None) -> IsrChange:
        with_epochs = tuple((i, epoch if i == self.local_id else self._epoch_of(i)) for i in isr)
        change = IsrChange(with_epochs, self.leader_epoch, self.partition_epoch, self.recovery_state)
        self.pending = Pending(change, added)
        if added is not None:
            self.maximal_isr = isr
        return change

    def _epoch_of(self, replica_id: int) -> int:
        follower = self.followers.get(replica_id)
        return UNKNOWN if follower is None or follower.broker_epoch is None else follower.broker_epoch

    # -- the controller's answers --

    def altered(
        self, change: IsrChange, leader_epoch: int, partition_epoch: int, isr: Sequence[int], recovery_state: int
    ) -> bool:
        """The controller has this state now; True when it was taken over."""
        if not self.is_under_way(change) or leader_epoch != self.leader_epoch or partition_epoch < self.partition_epoch:
            return False
        self._commit(isr)
        self.partition_epoch = partition_epoch
        self.recovery_state = recovery_state
        return True

    def refused(self, change: IsrChange, code: int) -> bool:
        """The controller, or the way to it, has refused; True when the same change is to be sent again.

        Only two codes say that nothing was changed and that the partition epoch is right: back to what was committed.
        With others the controller knows something newer, and the change stays open until the metadata tells it.
        """
        if not self.is_under_way(change):
            return False
        if code in (errors.OPERATION_NOT_ATTEMPTED, errors.INELIGIBLE_REPLICA):
            self._commit(self.isr)
            return False
        return code not in _WAIT_FOR_METADATA

    def is_under_way(self, change: IsrChange) -> bool:
        return self.pending is not None and self.pending.change is change


_WAIT_FOR_METADATA: Final = frozenset(
    {
        errors.UNKNOWN_TOPIC_OR_PARTITION,
        errors.UNKNOWN_TOPIC_ID,
        errors.FENCED_LEADER_EPOCH,
        errors.INVALID_UPDATE_VERSION,
        errors.INVALID_REQUEST,
        errors.NEW_LEADER_ELECTED,
    }
)

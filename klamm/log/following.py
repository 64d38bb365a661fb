"""A follower's rules: where it begins to fetch, how far it cuts its log, what an error means.

Kafka's, with truncation by fetches alone (KIP-595): a fetch tells the epoch of the last record, and a leader whose log
parts from it there answers where. Rules only: no log, no clock, no network.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple, Protocol

from klamm.kproto import errors


class FollowedLog(Protocol):
    """What the rules ask of the follower's log. A `PartitionLog` has it."""

    @property
    def log_end_offset(self) -> int: ...

    @property
    def high_watermark(self) -> int: ...

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(the largest epoch known that is at most `epoch`, its end offset); (-1, -1) if not known."""
        ...


class State(enum.Enum):
    """What a followed partition is about."""

    TRUNCATING = "truncating"
    """Nothing is known of the log's epochs: it is cut to the high watermark before it is trusted."""
    FETCHING = "fetching"
    FAILED = "failed"
    """Given up until the metadata names another leader epoch."""


class Following:
    """One partition that is fetched: from which offset, and as which epoch's follower.

    `lag` is how far the high watermark was ahead at the last answer, None before the first.
    """

    __slots__ = ("fetch_offset", "lag", "last_fetched_epoch", "leader_epoch", "state")

    def __init__(self, leader_epoch: int, fetch_offset: int, last_fetched_epoch: int, state: State) -> None:
        self.leader_epoch = leader_epoch
        self.fetch_offset = fetch_offset
        self.last_fetched_epoch = last_fetched_epoch
        self.state = state
        self.lag: int | None = None

    @property
    def is_in_sync(self) -> bool:
        """Whether it had everything committed; throttles spare it then."""
        return self.lag is not None and self.lag <= 0

    def fetched(self, next_offset: int, last_epoch: int, high_watermark: int) -> None:
        """Records up to `next_offset` were appended, the last of epoch `last_epoch`; none when it did not move."""
        if next_offset != self.fetch_offset:
            self.fetch_offset, self.last_fetched_epoch = next_offset, last_epoch
        self.lag = max(0, high_watermark - next_offset)

    def resume(self, fetch_offset: int, latest_epoch: int) -> None:
        """Go on from `fetch_offset`, after a cut or a restart of the log."""
        self.fetch_offset, self.last_fetched_epoch = fetch_offset, latest_epoch
        self.state = State.FETCHING
        self.lag = None


def begin(leader_epoch: int, latest_epoch: int, log_end_offset: int, high_watermark: int) -> Following:
    """How a partition begins to follow. A log without epochs is trusted up to its high watermark only."""
    if latest_epoch >= 0:
        return Following(leader_epoch, log_end_offset, latest_epoch, State.FETCHING)
    return Following(leader_epoch, high_watermark, -1, State.TRUNCATING)


class Truncation(NamedTuple):
    """Where to cut. `is_complete` False: the logs may part even before, the next fetch tells."""

    offset: int
    is_complete: bool


def truncation(log: FollowedLog, epoch: int, end_offset: int, fetch_offset: int) -> Truncation:
    """Where a log is cut whose leader has `epoch` end at `end_offset`, the last of its epochs that can be ours too.

    A follower that has another epoch there goes back to where its own older epoch ends, and asks again (KIP-279).
    """
    if end_offset < 0:
        return Truncation(fetch_offset, True)
    own_end = log.log_end_offset
    if epoch < 0:
        return Truncation(min(end_offset, own_end), True)
    own_epoch, own_epoch_end = log.end_offset_for_epoch(epoch)
    if own_epoch_end < 0:
        return Truncation(min(end_offset, own_end), True)
    if own_epoch != epoch:
        return Truncation(min(own_epoch_end, own_end), False)
    return Truncation(min(own_epoch_end, end_offset, own_end), True)


class Restart(NamedTuple):
    """How to go on after OFFSET_OUT_OF_RANGE. `is_full`: nothing of the log is left, it begins at `offset`."""

    offset: int
    is_full: bool


def restart(own_end: int, leader_start: int, leader_end: int) -> Restart:
    """Ahead of the leader (an unclean election): back to its end. Behind its start: begin there. Else fetch on."""
    if leader_end < own_end:
        return Restart(leader_end, False)
    return Restart(max(own_end, leader_start), leader_start > own_end)


class Verdict(enum.Enum):
    """What to do about a partition's error."""

    RETRY_LATER = "retry later"
    """After `replica.fetch.backoff.ms`: the leader or this broker will have newer metadata, or the record was torn."""
    ASK_OFFSETS = "ask offsets"
    """Ask the leader where its log begins and ends, then `restart`."""
    FAIL = "fail"


def judge(code: int, asked_epoch: int, leader_epoch: int) -> Verdict:
    """What an error means for a partition that was fetched as follower of `asked_epoch` and is one of `leader_epoch`.

    A fenced follower of the newest epoch it knows has nothing to retry: it waits for the metadata.
    """
    if code == errors.OFFSET_OUT_OF_RANGE:
        return Verdict.ASK_OFFSETS
    if code == errors.FENCED_LEADER_EPOCH and asked_epoch >= leader_epoch:
        return Verdict.FAIL
    return Verdict.RETRY_LATER


def fetch_version(metadata_version: int) -> int:
    """The version of Fetch between replicas, which do not negotiate: by the finalized metadata.version."""
    for level, version in _FETCH_VERSIONS:
        if metadata_version >= level:
            return version
    return _FETCH_VERSIONS[-1][1]


_FETCH_VERSIONS: Final = ((27, 18), (21, 17), (19, 16), (10, 15))

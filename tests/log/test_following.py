"""The follower's rules: where it begins, how far it cuts, what errors mean."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.following import Restart, State, Truncation, Verdict, begin, fetch_version, judge, restart, truncation


class Log:
    """As much of a log as the rules look at."""

    def __init__(self, epochs: list[tuple[int, int]], end: int, high_watermark: int = 0) -> None:
        self.epochs, self.log_end_offset, self.high_watermark = LeaderEpochs(epochs), end, high_watermark

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        return self.epochs.end_offset_for(epoch, self.log_end_offset)


def test_a_log_without_epochs_is_trusted_up_to_its_high_watermark() -> None:
    known, unknown = begin(3, 2, 100, 90), begin(3, -1, 100, 90)
    assert (known.fetch_offset, known.last_fetched_epoch, known.state) == (100, 2, State.FETCHING)
    assert (unknown.fetch_offset, unknown.last_fetched_epoch, unknown.state) == (90, -1, State.TRUNCATING)


@pytest.mark.parametrize(
    ("epochs", "end", "told", "expected"),
    [
        # The leader ends our epoch before we do.
        ([(1, 0), (3, 10)], 20, (3, 15), Truncation(15, True)),
        # It does not know our last epoch, but the one before.
        ([(1, 0), (3, 10)], 20, (1, 14), Truncation(10, True)),
        ([(1, 0), (3, 10)], 20, (1, 5), Truncation(5, True)),
        # It answers with an epoch that we never had: back to the end of our older one, and ask again.
        ([(1, 0), (3, 10)], 20, (2, 30), Truncation(10, False)),
        ([(1, 0), (3, 10)], 20, (2, 5), Truncation(10, False)),
        # Below all that we know: our epochs begin at 10, so does what cannot be the leader's.
        ([(3, 10)], 20, (2, 15), Truncation(10, True)),
        # No epochs, or a leader that has none.
        ([], 20, (2, 15), Truncation(15, True)),
        ([(1, 0)], 20, (-1, 15), Truncation(15, True)),
        ([(1, 0)], 20, (-1, -1), Truncation(18, True)),
        # Never beyond our own end.
        ([(1, 0)], 20, (1, 50), Truncation(20, True)),
    ],
)
def test_truncation(epochs: list[tuple[int, int]], end: int, told: tuple[int, int], expected: Truncation) -> None:
    assert truncation(Log(epochs, end), *told, fetch_offset=18) == expected


@pytest.mark.parametrize(
    ("own_end", "leader_start", "leader_end", "expected"),
    [
        (100, 0, 80, Restart(80, False)),
        (100, 90, 120, Restart(100, False)),
        (100, 110, 120, Restart(110, True)),
        (100, 100, 120, Restart(100, False)),
    ],
)
def test_restart(own_end: int, leader_start: int, leader_end: int, expected: Restart) -> None:
    assert restart(own_end, leader_start, leader_end) == expected


@pytest.mark.parametrize(
    ("code", "asked", "now", "expected"),
    [
        (errors.OFFSET_OUT_OF_RANGE, 4, 4, Verdict.ASK_OFFSETS),
        (errors.FENCED_LEADER_EPOCH, 4, 4, Verdict.FAIL),
        (errors.FENCED_LEADER_EPOCH, 4, 5, Verdict.RETRY_LATER),
        (errors.UNKNOWN_LEADER_EPOCH, 4, 4, Verdict.RETRY_LATER),
        (errors.NOT_LEADER_OR_FOLLOWER, 4, 4, Verdict.RETRY_LATER),
        (errors.UNKNOWN_TOPIC_ID, 4, 4, Verdict.RETRY_LATER),
        (errors.KAFKA_STORAGE_ERROR, 4, 4, Verdict.RETRY_LATER),
    ],
)
def test_errors(code: int, asked: int, now: int, expected: Verdict) -> None:
    assert judge(code, asked, now) is expected


@pytest.mark.parametrize(
    ("level", "version"), [(7, 15), (10, 15), (18, 15), (19, 16), (20, 16), (21, 17), (26, 17), (27, 18), (30, 18)]
)
def test_replicas_speak_the_version_of_the_metadata(level: int, version: int) -> None:
    assert fetch_version(level) == version


def test_what_an_answer_changes() -> None:
    following = begin(3, 2, 100, 90)
    assert not following.is_in_sync
    following.fetched(100, 9, 105)
    assert (following.fetch_offset, following.last_fetched_epoch, following.lag) == (100, 2, 5)
    following.fetched(105, 3, 105)
    assert (following.fetch_offset, following.last_fetched_epoch, following.is_in_sync) == (105, 3, True)
    following.resume(50, 1)
    assert (following.fetch_offset, following.last_fetched_epoch, following.lag) == (50, 1, None)

"""Fetch sessions (KIP-227): what a request turns into, epoch by epoch."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.fetch import FetchRequest
from klamm.seams import SeededEntropy
from klamm.server.fetch_sessions import FetchSessions

Topic = FetchRequest.FetchTopic


def request(
    session_id: int = 0,
    epoch: int = -1,
    offsets: dict[int, int] | None = None,
    forgotten: list[int] | None = None,
    topic: str = "t",
) -> FetchRequest:
    partitions = [
        Topic.FetchPartition(partition=p, fetch_offset=o, partition_max_bytes=1000) for p, o in (offsets or {}).items()
    ]
    return FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        session_id=session_id,
        session_epoch=epoch,
        topics=[Topic(topic=topic, partitions=partitions)] if partitions else [],
        forgotten_topics_data=[FetchRequest.ForgottenTopic(topic=topic, partitions=forgotten)] if forgotten else [],
    )


@pytest.fixture
def sessions() -> FetchSessions:
    return FetchSessions(2, SeededEntropy(1), min_eviction_ms=1000)


def offsets(wants: dict) -> dict[int, int]:
    return {index: want.fetch_offset for (_, index), want in wants.items()}


def test_without_a_session_nothing_is_kept(sessions: FetchSessions) -> None:
    fetch = sessions.begin(request(offsets={0: 5, 1: 6}), False, 0)
    assert (fetch.session_id, fetch.incremental, len(sessions)) == (0, False, 0)
    assert offsets(fetch.wants) == {0: 5, 1: 6}


def test_a_session_adds_changes_and_forgets(sessions: FetchSessions) -> None:
    first = sessions.begin(request(epoch=0, offsets={0: 5, 1: 6}), False, 0)
    assert first.session_id > 0
    assert not first.incremental
    second = sessions.begin(request(first.session_id, 1, offsets={1: 9, 2: 0}), False, 1)
    assert second.incremental
    assert second.session_id == first.session_id
    assert offsets(second.wants) == {0: 5, 1: 9, 2: 0}
    third = sessions.begin(request(first.session_id, 2, forgotten=[0, 2]), False, 2)
    assert offsets(third.wants) == {1: 9}


@pytest.mark.parametrize(
    ("session_id", "epoch", "by_id", "code"),
    [
        (0, 1, False, errors.FETCH_SESSION_ID_NOT_FOUND),
        (99, 1, False, errors.FETCH_SESSION_ID_NOT_FOUND),
        (-1, 2, False, errors.INVALID_FETCH_SESSION_EPOCH),
        (-1, 1, True, errors.FETCH_SESSION_TOPIC_ID_ERROR),
    ],
)
def test_requests_that_fit_no_session(
    sessions: FetchSessions, session_id: int, epoch: int, by_id: bool, code: int
) -> None:
    mine = sessions.begin(request(epoch=0, offsets={0: 0}), False, 0).session_id
    with pytest.raises(KafkaError) as caught:
        sessions.begin(request(mine if session_id < 0 else session_id, epoch), by_id, 0)
    assert caught.value.code == code


def test_an_epoch_is_good_once(sessions: FetchSessions) -> None:
    mine = sessions.begin(request(epoch=0, offsets={0: 0}), False, 0).session_id
    sessions.begin(request(mine, 1), False, 0)
    with pytest.raises(KafkaError):
        sessions.begin(request(mine, 1), False, 0)
    sessions.begin(request(mine, 2), False, 0)


def test_closing_and_beginning_anew(sessions: FetchSessions) -> None:
    mine = sessions.begin(request(epoch=0, offsets={0: 0}), False, 0).session_id
    closed = sessions.begin(request(mine, -1, offsets={0: 1}), False, 0)
    assert (closed.session_id, len(sessions)) == (0, 0)
    mine = sessions.begin(request(epoch=0, offsets={0: 0}), False, 0).session_id
    again = sessions.begin(request(mine, 0, offsets={1: 0}), False, 0)
    assert again.session_id not in (0, mine)
    assert len(sessions) == 1


def test_a_full_cache_evicts_only_the_idle(sessions: FetchSessions) -> None:
    old = sessions.begin(request(epoch=0, offsets={0: 0}), False, 0).session_id
    sessions.begin(request(epoch=0, offsets={0: 0}), False, 500)
    assert sessions.begin(request(epoch=0, offsets={0: 0}), False, 900).session_id == 0
    assert sessions.begin(request(epoch=0, offsets={0: 0}), False, 1000).session_id > 0
    with pytest.raises(KafkaError):
        sessions.begin(request(old, 1), False, 1000)


def test_a_session_without_partitions_ends(sessions: FetchSessions) -> None:
    mine = sessions.begin(request(epoch=0, offsets={0: 0}), False, 0).session_id
    empty = sessions.begin(request(mine, 1, forgotten=[0]), False, 0)
    assert (empty.session_id, empty.incremental, len(sessions)) == (0, True, 0)
    # But one that begins without partitions is a session, as in Kafka.
    assert sessions.begin(request(epoch=0), False, 0).session_id != 0


def test_names_and_ids_are_different_partitions(sessions: FetchSessions) -> None:
    by_id = FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        session_epoch=0,
        topics=[
            Topic(
                topic_id=b"x" * 16,
                partitions=[Topic.FetchPartition(partition=3, fetch_offset=0, partition_max_bytes=1)],
            )
        ],
    )
    assert list(sessions.begin(by_id, True, 0).wants) == [(b"x" * 16, 3)]

"""Fetch sessions (KIP-227): what a consumer or follower fetches is remembered; requests and answers carry only changes.

A session is the dictionary of its partitions in the order in which they are read; those that had data go to the end,
so that none starves. No clock here: whoever calls brings the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.fetch import FetchRequest
from klamm.seams import Entropy

FINAL_EPOCH: Final = -1
INITIAL_EPOCH: Final = 0
_EPOCH_MAX: Final = 0x7FFFFFFF

Key = tuple["str | bytes", int]


class Want:
    """One partition that is fetched: what was asked for, and what was last told of it."""

    __slots__ = (
        "fetch_offset",
        "high_watermark",
        "index",
        "last_fetched_epoch",
        "leader_epoch",
        "log_start_offset",
        "max_bytes",
        "name",
        "topic",
    )

    def __init__(self, topic: str | bytes, asked: FetchRequest.FetchTopic.FetchPartition) -> None:
        self.topic = topic
        self.name: str | None = None
        """The topic's name, once it has been found by its id."""
        self.index = asked.partition
        self.high_watermark = -1
        self.log_start_offset = -1
        self.update(asked)

    def update(self, asked: FetchRequest.FetchTopic.FetchPartition) -> None:
        self.fetch_offset = asked.fetch_offset
        self.max_bytes = asked.partition_max_bytes
        self.leader_epoch = asked.current_leader_epoch
        self.last_fetched_epoch = asked.last_fetched_epoch


class Session:
    """A consumer's partitions. `epoch` is the one its next request must bear; `replica_id` -1: no follower."""

    __slots__ = ("by_id", "epoch", "id", "last_used_ms", "replica_id", "wants")

    def __init__(self, session_id: int, by_id: bool, wants: dict[Key, Want], now_ms: float) -> None:
        self.id = session_id
        self.by_id = by_id
        self.wants = wants
        self.epoch = 1
        self.last_used_ms = now_ms
        self.replica_id = -1

    def make_want(self, topic: str | bytes, asked: FetchRequest.FetchTopic.FetchPartition) -> Want:
        return Want(topic, asked)

    def updated(self, key: Key, want: Want) -> None:
        """A request has something new for a partition that was fetched already."""

    def forgotten(self, key: Key, want: Want) -> None:
        """A partition is not fetched any more."""

    def closed(self) -> None:
        """The session is no more."""


NewSession = Callable[[int, bool, "dict[Key, Want]", float], Session]
"""(id, by_id, wants, now_ms): a consumer's session, or another kind."""


class Fetch:
    """What one request fetches after its session was consulted. `incremental`: answer only with what changed."""

    __slots__ = ("incremental", "session", "session_id", "wants")

    def __init__(self, wants: dict[Key, Want], session: Session | None, incremental: bool) -> None:
        self.wants = wants
        self.session = session
        self.session_id = session.id if session else 0
        self.incremental = incremental


def _asked(request: FetchRequest, by_id: bool) -> Iterable[tuple[Key, FetchRequest.FetchTopic.FetchPartition]]:
    for topic in request.topics:
        name: str | bytes = topic.topic_id if by_id else topic.topic
        for partition in topic.partitions:
            yield (name, partition.partition), partition


class FetchSessions:
    """A broker's sessions: at most `slots`; a new one may take the place of one idle for `min_eviction_ms`."""

    def __init__(self, slots: int, entropy: Entropy, min_eviction_ms: float = 120000) -> None:
        self._slots = slots
        self._entropy = entropy
        self._min_eviction_ms = min_eviction_ms
        self._sessions: dict[int, Session] = {}

    def begin(self, request: FetchRequest, by_id: bool, now_ms: float, new: NewSession = Session) -> Fetch:
        """Apply a request to its session, or to one made by `new`. Raises KafkaError 70, 71 or 106.

        The wants of a follower are made by its session even if that is not kept: it is the fetch's all the same, with
        id 0.
        """
        epoch = request.session_epoch
        if epoch in (FINAL_EPOCH, INITIAL_EPOCH):
            old = self._sessions.pop(request.session_id, None)
            if old is not None:
                old.closed()
            if epoch == FINAL_EPOCH and new is Session:
                return Fetch({key: Want(key[0], asked) for key, asked in _asked(request, by_id)}, None, False)
            session = new(0, by_id, {}, now_ms)
            for key, asked in _asked(request, by_id):
                session.wants[key] = session.make_want(key[0], asked)
            if epoch == INITIAL_EPOCH:
                self._keep(session, now_ms)
            return Fetch(session.wants, session if session.id or session.replica_id >= 0 else None, False)
        found = self._sessions.get(request.session_id)
        if found is None:
            raise KafkaError(errors.FETCH_SESSION_ID_NOT_FOUND)
        if found.by_id != by_id:
            raise KafkaError(errors.FETCH_SESSION_TOPIC_ID_ERROR)
        if found.epoch != epoch:
            raise KafkaError(errors.INVALID_FETCH_SESSION_EPOCH)
        self._apply(found, request, by_id)
        found.epoch = 1 if epoch == _EPOCH_MAX else epoch + 1
        found.last_used_ms = now_ms
        if not found.wants:
            del self._sessions[found.id]
            found.closed()
            return Fetch({}, None, True)
        return Fetch(found.wants, found, True)

    @staticmethod
    def _apply(session: Session, request: FetchRequest, by_id: bool) -> None:
        for key, asked in _asked(request, by_id):
            want = session.wants.get(key)
            if want is None:
                session.wants[key] = session.make_want(key[0], asked)
            else:
                want.update(asked)
                session.updated(key, want)
        for topic in request.forgotten_topics_data:
            name: str | bytes = topic.topic_id if by_id else topic.topic
            for index in topic.partitions:
                gone = session.wants.pop((name, index), None)
                if gone is not None:
                    session.forgotten((name, index), gone)

    def _keep(self, session: Session, now_ms: float) -> None:
        """Give a session its id, unless there is no room: the fetch is then answered without one, as in Kafka."""
        if not self._make_room(now_ms, session.replica_id >= 0):
            return
        session_id = 0
        while session_id == 0 or session_id in self._sessions:
            session_id = self._entropy.randrange(0x7FFFFFFF)
        session.id = session_id
        self._sessions[session_id] = session

    def _make_room(self, now_ms: float, is_follower: bool) -> bool:
        """Followers go before consumers: their sessions take the place of a consumer's that is not idle, too."""
        if len(self._sessions) < self._slots:
            return True
        if not self._sessions:
            return False
        oldest = min(self._sessions.values(), key=lambda s: s.last_used_ms)
        if now_ms - oldest.last_used_ms < self._min_eviction_ms:
            consumers = [s for s in self._sessions.values() if s.replica_id < 0] if is_follower else []
            if not consumers:
                return False
            oldest = min(consumers, key=lambda s: s.last_used_ms)
        del self._sessions[oldest.id]
        oldest.closed()
        return True

    def __len__(self) -> int:
        return len(self._sessions)

"""A follower's fetch session: which of its partitions there is something to read or to tell of.

A follower fetches thousands of partitions of which few have news. The partitions say when they have, so that a request
costs what has changed and not what is fetched. What was not looked at because nothing had changed counts as looked at:
a follower at the end of the log was caught up whenever it last fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from klamm.server.fetch_sessions import Key, Session, Want

if TYPE_CHECKING:
    from collections.abc import Callable

    from klamm.kproto.messages.fetch import FetchRequest
    from klamm.server.partition import Partition
    from klamm.server.replica import Waking


class Waiting(Protocol):
    """The session's fetch that waits for something."""

    def look(self) -> None:
        """Read again what has changed."""
        ...

    def finish(self) -> None:
        """Answer with what there is."""
        ...


class FollowerWant(Want):
    """One partition that a follower fetches; a `Watcher` of it."""

    __slots__ = ("follower_log_start", "partition", "session")

    def __init__(
        self, topic: str | bytes, asked: FetchRequest.FetchTopic.FetchPartition, session: FollowerSession
    ) -> None:
        self.session = session
        self.partition: Partition | None = None
        super().__init__(topic, asked)

    def update(self, asked: FetchRequest.FetchTopic.FetchPartition) -> None:
        super().update(asked)
        self.follower_log_start = asked.log_start_offset

    def watch(self, partition: Partition) -> None:
        """Be told of what happens to `partition` from now on, in place of another session of the same follower.

        Which of two sessions is the follower's no order of arrival tells: one of a connection that is lost may come
        late. The displaced one looks at the partition with every fetch, if it has any more, and takes it back.
        """
        if self.partition is not partition:
            self.leave()
            self.partition = partition
        known = partition.followers.get(self.session.replica_id)
        if known is not self:
            partition.followers[self.session.replica_id] = self
            if known is not None:
                known.on_displaced()

    def leave(self) -> None:
        partition, self.partition = self.partition, None
        if partition is not None and partition.followers.get(self.session.replica_id) is self:
            del partition.followers[self.session.replica_id]

    def on_change(self) -> None:
        session = self.session
        key = (self.topic, self.index)
        if key in session.changed:
            return
        session.changed[key] = self
        partition = self.partition
        if partition is not None and partition.replication is not None:
            follower = partition.replication.followers.get(session.replica_id)
            if follower is not None:
                # Up to now it stood at the end of the log, in all the fetches that did not look at it.
                follower.last_fetch_ms = max(follower.last_fetch_ms, session.last_fetch_ms)
                follower.last_caught_up_ms = max(follower.last_caught_up_ms, session.last_fetch_ms)

    def on_append(self) -> None:
        self.on_change()
        self.session.touch()

    def on_displaced(self) -> None:
        self.partition = None
        self.session.changed[self.topic, self.index] = self


class FollowerSession(Session):
    """A follower's partitions, and those of them that have news (`changed`). `id` 0: it lasts for one fetch."""

    __slots__ = ("_is_touched", "_touched", "changed", "last_fetch_ms", "replica_id", "waiting")

    def __init__(
        self,
        session_id: int,
        by_id: bool,
        wants: dict[Key, Want],
        now_ms: float,
        *,
        replica_id: int,
        touched: Callable[[Waking], None],
    ) -> None:
        super().__init__(session_id, by_id, wants, now_ms)
        self.replica_id = replica_id
        self.changed: dict[Key, FollowerWant] = {}
        self.waiting: Waiting | None = None
        self.last_fetch_ms = float("-inf")
        """When it last fetched as a broker that the metadata knows as it is."""
        self._touched = touched
        self._is_touched = False

    def make_want(self, topic: str | bytes, asked: FetchRequest.FetchTopic.FetchPartition) -> FollowerWant:
        want = FollowerWant(topic, asked, self)
        self.changed[topic, want.index] = want
        return want

    def updated(self, key: Key, want: Want) -> None:
        assert isinstance(want, FollowerWant)
        self.changed[key] = want

    def forgotten(self, key: Key, want: Want) -> None:
        assert isinstance(want, FollowerWant)
        self.changed.pop(key, None)
        want.leave()

    def touch(self) -> None:
        """Have the waiting fetch look again when this turn is over."""
        if self.waiting is not None and not self._is_touched:
            self._is_touched = True
            self._touched(self)

    def wake(self) -> None:
        self._is_touched = False
        if self.waiting is not None:
            self.waiting.look()

    def closed(self) -> None:
        """The session is no more."""
        for want in self.wants.values():
            assert isinstance(want, FollowerWant)
            want.leave()
        if self.waiting is not None:
            self.waiting.finish()

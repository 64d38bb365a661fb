"""Fetches of followers (replica id 0 and up): up to the end of the log, and what they tell of the follower.

That a follower fetches from an offset says that it has everything below: that moves the high watermark and the ISR. It
counts when the request comes, not when its answer leaves. The fetch then waits for the end of a log to move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.reply import Reply
from klamm.server.fetch_answers import Data, diverging_epoch, missing, response, unreadable
from klamm.server.follower_sessions import FollowerSession, FollowerWant

if TYPE_CHECKING:
    from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
    from klamm.kproto.schema import Message
    from klamm.log.partition_log import PartitionLog
    from klamm.server.broker import Broker
    from klamm.server.fetch_sessions import Key, Want
    from klamm.server.partition import Partition
    from klamm.server.request import RequestContext

_TOPIC_IDS_SINCE: Final = 13
_REPLICA_STATE_SINCE: Final = 15


def follower_of(request: FetchRequest, version: int) -> tuple[int, int]:
    """(broker id, broker epoch) of the follower that fetches; -1 and -1 for a consumer."""
    if version >= _REPLICA_STATE_SINCE:
        return request.replica_state.replica_id, request.replica_state.replica_epoch
    return request.replica_id, -1


def serve(broker: Broker, context: RequestContext, request: FetchRequest) -> FetchResponse | Reply[Message | None]:
    """Serve a follower. Raises KafkaError, as sessions do."""
    replica_id, replica_epoch = follower_of(request, context.api_version)
    by_id = context.api_version >= _TOPIC_IDS_SINCE
    replicas, now_ms = broker.replicas, broker.clock.monotonic_ms()

    def new_session(session_id: int, by_id: bool, wants: dict[Key, Want], now_ms: float) -> FollowerSession:
        return FollowerSession(session_id, by_id, wants, now_ms, replica_id=replica_id, touched=replicas.touched)

    fetch = broker.fetch_sessions.begin(request, by_id, now_ms, new_session)
    session = fetch.session
    if not isinstance(session, FollowerSession) or session.replica_id != replica_id:
        # Nothing is left to fetch; or somebody else's session, which no broker asks for.
        return response([], fetch.session_id, context.api_version, None)
    reading = _FollowerFetch(broker, context, request, session, replica_epoch, fetch.incremental)
    return reading.begin(now_ms)


class _FollowerFetch:
    """One fetch of a follower; a `Waiting` of its session."""

    __slots__ = (
        "_broker",
        "_context",
        "_epoch",
        "_incremental",
        "_reply",
        "_request",
        "_results",
        "_session",
        "_throttled_bytes",
        "_timer",
    )

    def __init__(
        self,
        broker: Broker,
        context: RequestContext,
        request: FetchRequest,
        session: FollowerSession,
        replica_epoch: int,
        incremental: bool,
    ) -> None:
        self._broker, self._context, self._request, self._session = broker, context, request, session
        self._epoch = replica_epoch
        self._incremental = incremental
        self._results: dict[Key, tuple[FollowerWant, Data]] = {}
        self._throttled_bytes = 0

    def begin(self, now_ms: float) -> FetchResponse | Reply[Message | None]:
        session, request = self._session, self._request
        if session.waiting is not None:
            session.waiting.finish()  # its connection is lost: nobody fetches twice at a time
        is_stale = self._broker.replicas.is_stale(session.replica_id, self._epoch)
        is_enough = self._read(is_arrival=True, is_stale=is_stale)
        if not is_stale:
            session.last_fetch_ms = now_ms
        if is_enough or request.max_wait_ms <= 0:
            return self._answer()
        self._reply: Reply[Message | None] = Reply()
        session.waiting = self
        self._timer = self._broker.clock.call_later(request.max_wait_ms, self.finish)
        return self._reply

    def look(self) -> None:
        if self._read():
            self._finish()

    def finish(self) -> None:
        self._read()
        self._finish()

    def _finish(self) -> None:
        self._timer.cancel()
        if self._session.waiting is self:
            self._session.waiting = None
        self._reply.resolve(self._answer())

    def _answer(self) -> FetchResponse:
        session, context = self._session, self._context
        if not session.id:
            for want in session.wants.values():
                assert isinstance(want, FollowerWant)
                want.leave()
        replicas = self._broker.replicas
        if self._throttled_bytes:
            replicas.leader_quota.record(self._throttled_bytes)
        results = self._results.values()
        return response(results, session.id, context.api_version, replicas.image)

    def _read(self, *, is_arrival: bool = False, is_stale: bool = False) -> bool:
        """Read what has changed; True when the answer must not wait: enough bytes, or something to act on."""
        session, request, results = self._session, self._request, self._results
        left = request.max_bytes
        total = 0
        is_urgent = False
        self._throttled_bytes = 0
        for key, want in list(session.changed.items()):
            data = self._read_one(want, left, total == 0, is_arrival, is_stale)
            size = len(data.records) if data.records else 0
            total += size
            left = max(0, left - size)
            is_diverging = data.diverging_epoch.epoch >= 0
            if data.error_code or is_diverging or 0 <= want.log_start_offset < data.log_start_offset:
                is_urgent = True
            if (
                not self._incremental
                or size
                or data.error_code
                or is_diverging
                or data.high_watermark != want.high_watermark
                or data.log_start_offset != want.log_start_offset
            ):
                results[key] = want, data
            if size:
                # Those that had data come last the next time, so that none starves.
                session.changed[key] = session.changed.pop(key)
            elif self._is_settled(want, data):
                del session.changed[key]
        return is_urgent or total >= request.min_bytes

    def _is_settled(self, want: FollowerWant, data: Data) -> bool:
        """Whether there is nothing more to look at before the partition says so: all is read, and told in `data`.

        One that is not in sync may be let in as soon as the metadata allows it, which no partition tells.
        """
        partition = want.partition
        return (
            partition is not None
            and not data.error_code
            and data.diverging_epoch.epoch < 0
            and want.fetch_offset == partition.log.log_end_offset
            and self._session.replica_id in partition.isr
        )

    def _read_one(self, want: FollowerWant, left: int, is_first: bool, is_arrival: bool, is_stale: bool) -> Data:
        try:
            partition = self._find(want)
        except KafkaError as error:
            return missing(want.index, error.code)
        try:
            code = partition.check_epoch(max(want.leader_epoch, -1))
            if code:
                raise KafkaError(code)
            partition.check_follower(self._session.replica_id, want.leader_epoch)
            if is_stale:
                raise KafkaError(errors.NOT_LEADER_OR_FOLLOWER, "a fetch of an earlier life of that broker")
            if is_arrival:
                want.watch(partition)
            return self._read_log(partition, want, left, is_first, is_arrival)
        except KafkaError as error:
            return unreadable(want.index, error.code)

    def _read_log(self, partition: Partition, want: FollowerWant, left: int, is_first: bool, is_arrival: bool) -> Data:
        log, replica_id = partition.log, self._session.replica_id
        diverging = diverging_epoch(log, want) if want.last_fetched_epoch >= 0 else None
        if diverging is not None:
            data = _data(want, log, b"")
            data.diverging_epoch = diverging
            return data
        end = log.log_end_offset
        limit = max(min(want.max_bytes, left), 0)
        found = log.read(want.fetch_offset, limit, min_one=is_first, max_offset=end).data
        if found and replica_id not in partition.isr:
            found = self._throttle(partition, found)
        if is_arrival:
            partition.follower_fetched(replica_id, want.fetch_offset, want.follower_log_start, end, self._epoch)
        return _data(want, log, found)

    def _throttle(self, partition: Partition, found: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
        """`leader.replication.throttled.*`: nothing for a replica that lags, while the rate is over its limit."""
        quota = self._broker.replicas.leader_quota
        if not quota.is_throttled(partition.topic, partition.index):
            return found
        if quota.is_exceeded():
            return b""
        self._throttled_bytes += len(found)
        return found

    def _find(self, want: FollowerWant) -> Partition:
        replicas = self._broker.replicas
        if isinstance(want.topic, bytes):
            return replicas.by_id(want.topic, want.index)
        return replicas.get(want.topic, want.index)


def _data(want: FollowerWant, log: PartitionLog, found: bytes | bytearray | memoryview) -> Data:
    return Data(
        partition_index=want.index,
        error_code=errors.NONE,
        high_watermark=log.high_watermark,
        last_stable_offset=log.last_stable_offset,
        log_start_offset=log.log_start_offset,
        aborted_transactions=None,
        records=found,
    )

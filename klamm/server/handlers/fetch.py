"""Fetch v4-18: record batches from an offset on, waiting for some when there are none.

v7 fetch sessions (KIP-227); v9 leader epoch checks (KIP-320); v11 rack id (KIP-392); v12 diverging epochs (KIP-595);
v13 topic ids (KIP-516); v15 replica state (KIP-903); v16 leader endpoints (KIP-951); v17 and v18 concern replicas.

Batches leave as they stand in the log: a fetch in the middle of a batch gets the whole batch. Consumers are served
here, by leaders and from v11 on by followers, too; what followers fetch is in `server/follower_fetch.py`.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.kproto.schema import Message
from klamm.log.partition_log import FetchData
from klamm.reply import Reply
from klamm.server import follower_fetch
from klamm.server.broker import Broker
from klamm.server.fetch_answers import Data, Topic, diverging_epoch, missing, response, unreadable
from klamm.server.fetch_sessions import Fetch, Want
from klamm.server.partition import Partition
from klamm.server.preferred_replica import NOBODY_ELSE, preferred_replica
from klamm.server.replica import Replica
from klamm.server.request import RequestContext

_READ_FROM_FOLLOWERS_SINCE = 11
_NOT_THERE = frozenset({errors.UNKNOWN_TOPIC_OR_PARTITION, errors.UNKNOWN_TOPIC_ID})
NOTHING = FetchData(b"")


def handle(broker: Broker, context: RequestContext, request: FetchRequest) -> FetchResponse | Reply[Message | None]:
    if request.replica_id >= 0 or request.replica_state.replica_id >= 0:
        return follower_fetch.serve(broker, context, request)
    by_id = context.api_version >= 13
    if request.isolation_level not in (0, 1):
        return _refuse(request, by_id, errors.UNKNOWN_SERVER_ERROR)
    fetch = broker.fetch_sessions.begin(request, by_id, broker.clock.monotonic_ms())
    reading = _Reading(broker, context, request, fetch)
    if reading.read() or request.max_wait_ms <= 0 or not fetch.wants:
        return reading.response()
    return reading.wait()


def _refuse(request: FetchRequest, by_id: bool, code: int) -> FetchResponse:
    """The error of the whole request. Kafka has no better one for an isolation level that does not exist."""
    topics = [] if by_id else request.topics
    return FetchResponse(
        error_code=code,
        responses=[Topic(topic=t.topic, partitions=[missing(p.partition, code) for p in t.partitions]) for t in topics],
    )


class _Reading:
    """One fetch: read what there is; when that is too little, look again whenever a partition has moved."""

    __slots__ = ("_broker", "_context", "_fetch", "_reply", "_request", "_results", "_timer", "_watched")

    def __init__(self, broker: Broker, context: RequestContext, request: FetchRequest, fetch: Fetch) -> None:
        self._broker, self._context, self._request, self._fetch = broker, context, request, fetch
        self._results: list[tuple[Want, Data]] = []
        self._watched: list[Replica] = []

    def read(self) -> bool:
        """Read every partition; True when the answer must not wait: enough bytes, or an error."""
        request, incremental = self._request, self._fetch.incremental
        left = request.max_bytes
        total = 0
        urgent = False
        results: list[tuple[Want, Data]] = []
        absent: list[tuple[Want, Data]] = []
        for want in self._fetch.wants.values():
            try:
                partition = self._find(want)
            except KafkaError as error:
                code = self._code(want, error.code)
                if code in _NOT_THERE:
                    absent.append((want, missing(want.index, code)))
                else:
                    results.append((want, unreadable(want.index, code)))
                urgent = True
                continue
            want.name = partition.topic
            data = self._read_partition(partition, want, left, total == 0)
            size = len(data.records) if data.records else 0
            total += size
            left = max(0, left - size)
            if data.error_code or data.diverging_epoch.epoch >= 0 or data.preferred_read_replica >= 0:
                urgent = True
            if (
                not incremental
                or size
                or data.error_code
                or data.high_watermark != want.high_watermark
                or data.log_start_offset != want.log_start_offset
                or data.diverging_epoch.epoch >= 0
                or data.preferred_read_replica >= 0
            ):
                results.append((want, data))
        # Kafka notices unknown ids before it looks for partitions.
        absent.sort(key=lambda row: row[1].error_code != errors.UNKNOWN_TOPIC_ID)
        self._results = results + absent
        return urgent or total >= request.min_bytes

    def _code(self, want: Want, code: int) -> int:
        """A session goes by the name that an id stood for: that topic is gone, or another one has its name now."""
        if code != errors.UNKNOWN_TOPIC_ID or want.name is None:
            return code
        image = self._broker.replicas.image
        is_replaced = image is not None and want.name in image.topics.by_name
        return errors.INCONSISTENT_TOPIC_ID if is_replaced else errors.UNKNOWN_TOPIC_OR_PARTITION

    def _read_partition(self, partition: Replica, want: Want, left: int, first: bool) -> Data:
        try:
            code = partition.check_epoch(max(want.leader_epoch, -1))
            if code:
                raise KafkaError(code)
            if self._broker.replicas.selects_by_rack and isinstance(partition, Partition):
                preferred = self._preferred(partition, want)
                if preferred != NOBODY_ELSE:
                    data = self._data(want, partition, NOTHING)
                    data.preferred_read_replica = preferred
                    return data
            log = partition.log
            if want.last_fetched_epoch >= 0 and (diverging := diverging_epoch(log, want)) is not None:
                data = self._data(want, partition, NOTHING)
                data.aborted_transactions = None
                data.diverging_epoch = diverging
                return data
            limit = min(want.max_bytes, left)
            end = partition.visible_end(self._request.isolation_level)
            if want.fetch_offset == end:
                return self._data(want, partition, NOTHING)
            aborted = self._request.isolation_level == 1
            found = log.read(want.fetch_offset, max(limit, 0), min_one=first, max_offset=end, aborted=aborted)
            if limit < 0:
                raise KafkaError(errors.UNKNOWN_SERVER_ERROR, f"cannot read {limit} bytes")
            return self._data(want, partition, found)
        except KafkaError as error:
            return unreadable(want.index, error.code)

    def _preferred(self, partition: Partition, want: Want) -> int:
        request, context = self._request, self._context
        if context.api_version < _READ_FROM_FOLLOWERS_SINCE:
            return NOBODY_ELSE
        image = self._broker.replicas.image
        return preferred_replica(image, partition, request.rack_id, want.fetch_offset, context.listener_name)

    def _find(self, want: Want) -> Replica:
        replicas = self._broker.replicas
        if self._context.api_version >= _READ_FROM_FOLLOWERS_SINCE:
            return replicas.readable(want.topic, want.index)
        assert isinstance(want.topic, str)
        return replicas.at_epoch(want.topic, want.index, max(want.leader_epoch, -1))

    def _data(self, want: Want, partition: Replica, found: FetchData) -> Data:
        log = partition.log
        aborted = None
        if self._request.isolation_level:
            aborted = [
                Data.AbortedTransaction(producer_id=txn.producer_id, first_offset=txn.first_offset)
                for txn in found.aborted or ()
            ]
        return Data(
            partition_index=want.index,
            error_code=0,
            high_watermark=log.high_watermark,
            last_stable_offset=log.last_stable_offset,
            log_start_offset=log.log_start_offset,
            aborted_transactions=aborted,
            records=found.data,
        )

    def response(self) -> FetchResponse:
        """The answer to what was read last; a session remembers what it tells."""
        fetch, context = self._fetch, self._context
        session = fetch.session
        if session is not None:
            wants = session.wants
            for want, data in self._results:
                if data.records and (key := (want.topic, want.index)) in wants:
                    wants[key] = wants.pop(key)
        return response(
            self._results, fetch.session_id, context.api_version, self._broker.replicas.image, context.listener_name
        )

    def wait(self) -> Reply[Message | None]:
        """Look again at every move of a partition, until there is enough or `max_wait_ms` is over."""
        self._reply: Reply[Message | None] = Reply()
        for want in self._fetch.wants.values():
            try:
                partition = self._find(want)
            except KafkaError:
                continue
            partition.waiters[self._look] = None
            self._watched.append(partition)
        self._timer = self._broker.clock.call_later(self._request.max_wait_ms, self._finish)
        return self._reply

    def _look(self) -> None:
        if not self._reply.is_resolved and self.read():
            self._finish(read=False)

    def _finish(self, read: bool = True) -> None:
        self._stop_watching()
        self._timer.cancel()
        if read:
            self.read()
        self._reply.resolve(self.response())

    def _stop_watching(self) -> None:
        for partition in self._watched:
            partition.waiters.pop(self._look, None)
        self._watched.clear()

"""One fetcher: follows the leaders on one broker, by one connection, with one request under way at a time.

A fetch session remembers on the leader's side what is fetched (KIP-227); a request carries what has changed since the
one before. What the answers mean is in `log/following.py`; what is done to logs is done here. No record is looked at.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from klamm.channel import Channel
from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.log import following, upkeep
from klamm.log.following import State, Verdict
from klamm.server.leader_offsets import LeaderOffsets

if TYPE_CHECKING:
    from collections.abc import Callable

    from klamm.channel import Channels
    from klamm.kproto.schema import Message
    from klamm.log.io_thread import Completion
    from klamm.metadata.image.cluster import Endpoint
    from klamm.seams import Timer
    from klamm.server.followed_partition import FollowedPartition
    from klamm.server.replication_quota import ReplicationQuota

log = logging.getLogger(__name__)

Key = tuple[bytes, int]
Data = FetchResponse.FetchableTopicResponse.PartitionData
Asked = FetchRequest.FetchTopic.FetchPartition
_THROTTLED_MS: Final = 100.0
_LOST_SESSION: Final = frozenset(
    {errors.FETCH_SESSION_ID_NOT_FOUND, errors.INVALID_FETCH_SESSION_EPOCH, errors.FETCH_SESSION_TOPIC_ID_ERROR}
)


class FetcherSettings(NamedTuple):
    """The `replica.*` settings of a broker, in Kafka's units."""

    wait_max_ms: int = 500
    min_bytes: int = 1
    response_max_bytes: int = 10_485_760
    partition_max_bytes: int = 1_048_576
    backoff_ms: int = 1000
    socket_timeout_ms: int = 30_000


class FetcherPorts(NamedTuple):
    """What a fetcher needs of its broker."""

    node_id: int
    channels: Channels
    settings: FetcherSettings
    broker_epoch: Callable[[], int]
    endpoint: Callable[[int], Endpoint | None]
    """Where a broker has the listener for other brokers."""
    fetch_version: Callable[[], int]
    quota: ReplicationQuota
    turn_done: Callable[[], None]
    """An answer has been dealt with: the moment to wake who waited for what it has brought."""


class _Followed:
    """A partition in a fetcher. `sent`: what the leader's session has of it, None when it is not in the session."""

    __slots__ = ("is_delayed", "partition", "sent", "state", "waits_for")

    def __init__(self, partition: FollowedPartition, state: following.Following) -> None:
        self.partition = partition
        self.state = state
        self.sent: tuple[int, int, int, int] | None = None
        self.is_delayed = False
        self.waits_for = 0
        """Writes that must end before it is fetched on."""

    @property
    def position(self) -> tuple[int, int, int, int]:
        state = self.state
        log_start_offset = self.partition.log.log_start_offset
        return state.leader_epoch, state.fetch_offset, state.last_fetched_epoch, log_start_offset


class ReplicaFetcher:
    """The fetcher number `index` of those that fetch from broker `leader_id`."""

    def __init__(self, ports: FetcherPorts, leader_id: int, index: int) -> None:
        self._ports = ports
        self._leader_id = leader_id
        self._client_id = f"broker-{ports.node_id}-fetcher-{index}"
        self._partitions: dict[Key, _Followed] = {}
        self._changed: dict[Key, _Followed] = {}
        """What the next request is to tell of."""
        self._forgotten: dict[Key, None] = {}
        """What is in the session and is not fetched any more."""
        self._session_id = self._session_epoch = 0
        self._channel: Channel | None = None
        self._offsets = LeaderOffsets(ports.node_id, self._send_to_leader)
        self._is_in_flight = self._is_closed = False
        self._writes = 0
        self._delayed: deque[tuple[float, Key, _Followed]] = deque()
        self._delay_timer: Timer | None = None
        self._retry_timer: Timer | None = None

    # -- what is fetched --

    def __len__(self) -> int:
        return len(self._partitions)

    @property
    def followed(self) -> list[FollowedPartition]:
        return [followed.partition for followed in self._partitions.values()]

    def add(self, partition: FollowedPartition) -> None:
        """Fetch `partition` as follower of its leader epoch, from where its log is trusted."""
        key = partition.topic_id, partition.index
        self.remove(key)
        plog = partition.log
        state = following.begin(
            partition.leader_epoch, plog.epochs.latest_epoch, plog.log_end_offset, plog.high_watermark
        )
        followed = self._partitions[key] = _Followed(partition, state)
        pending = plog.last_write  # it was the leader a moment ago: what it still writes may have to be cut
        if pending is None and plog.sync_offset > plog.synced_offset:
            # What a follower asks for says what it has, and what it has is to be synced here.
            pending = upkeep.flush(plog)
        if pending is None:
            self._settle(key, followed)
        else:
            followed.waits_for = 1
            pending.add_done_callback(lambda done: self._settled(key, followed, done))

    def _settled(self, key: Key, followed: _Followed, done: Completion) -> None:
        """What was under way has ended. Where it has failed so has the directory, and nobody follows there any more."""
        if done.exception() is None and self._partitions.get(key) is followed:
            self.add(followed.partition)

    def _settle(self, key: Key, followed: _Followed) -> None:
        state, plog = followed.state, followed.partition.log
        try:
            if state.state is State.TRUNCATING:
                upkeep.truncate_to(plog, state.fetch_offset)
                state.resume(plog.log_end_offset, plog.epochs.latest_epoch)
        except KafkaError as error:
            self._fail(key, followed, error.message)
            return
        self._changed[key] = followed
        self.wake()

    def remove(self, key: Key) -> None:
        """Fetch it no more."""
        followed = self._partitions.pop(key, None)
        if followed is not None:
            self._leave_session(key, followed)

    def close(self) -> None:
        """Fetch nothing more."""
        self._is_closed = True
        self._partitions.clear()
        for timer in (self._delay_timer, self._retry_timer):
            if timer is not None:
                timer.cancel()
        if self._channel is not None:
            self._channel.close()

    def _leave_session(self, key: Key, followed: _Followed) -> None:
        self._changed.pop(key, None)
        if followed.sent is not None:
            followed.sent = None
            self._forgotten[key] = None

    # -- requests --

    def wake(self) -> None:
        """Something has changed: send a request, unless one is under way."""
        if self._is_in_flight or self._writes or self._is_closed or self._retry_timer is not None:
            return
        self._throttle()
        if not any(f.sent is not None for f in self._partitions.values()) and not self._changed:
            return
        self._send()

    def _send(self) -> None:
        ports, settings = self._ports, self._ports.settings
        is_full = self._session_id == 0
        changed = self._partitions if is_full else self._changed
        topics: dict[bytes, FetchRequest.FetchTopic] = {}
        for key, followed in changed.items():
            if followed.is_delayed or followed.waits_for or followed.state.state is not State.FETCHING:
                continue
            followed.sent = position = followed.position
            topic = topics.get(key[0])
            if topic is None:
                topic = topics[key[0]] = FetchRequest.FetchTopic(topic_id=key[0], partitions=[])
            topic.partitions.append(_asked(key[1], position, settings.partition_max_bytes))
            self._forgotten.pop(key, None)
        if is_full and not topics:
            return
        forgotten: dict[bytes, list[int]] = {}
        for topic_id, index in () if is_full else self._forgotten:
            forgotten.setdefault(topic_id, []).append(index)
        self._changed.clear()
        self._forgotten.clear()
        request = FetchRequest(
            replica_state=FetchRequest.ReplicaState(replica_id=ports.node_id, replica_epoch=ports.broker_epoch()),
            max_wait_ms=settings.wait_max_ms,
            min_bytes=settings.min_bytes,
            max_bytes=settings.response_max_bytes,
            session_id=self._session_id,
            session_epoch=self._session_epoch,
            topics=list(topics.values()),
            forgotten_topics_data=[
                FetchRequest.ForgottenTopic(topic_id=topic_id, partitions=indexes)
                for topic_id, indexes in forgotten.items()
            ],
        )
        self._is_in_flight = True
        self._send_to_leader(request, ports.fetch_version(), self._answered)

    def _send_to_leader(self, request: Message, version: int, answered: Callable[[Message | Exception], None]) -> None:
        """Send by the channel to where the leader is now; a session lasts only as long as it is there."""
        endpoint = self._ports.endpoint(self._leader_id)
        channel = self._channel
        if endpoint is None:
            answered(KafkaError(errors.BROKER_NOT_AVAILABLE, f"broker {self._leader_id} is not known"))
            return
        if channel is None or (channel.host, channel.port) != (endpoint.host, endpoint.port):
            if channel is not None:
                channel.close()
            channel = self._channel = Channel(
                self._ports.channels,
                endpoint.host,
                endpoint.port,
                client_id=self._client_id,
                request_timeout_ms=self._ports.settings.socket_timeout_ms,
                is_negotiating=False,
            )
        channel.send(request, version).then(answered)

    # -- answers --

    def _answered(self, answer: Message | Exception) -> None:
        self._is_in_flight = False
        if self._is_closed:
            return
        if isinstance(answer, Exception):
            log.info("%s: broker %d: %s", self._client_id, self._leader_id, answer)
            self._forget_session()
            self._retry()
            return
        response = cast(FetchResponse, answer)
        if response.error_code:
            log.info("%s: broker %d: %s", self._client_id, self._leader_id, errors.name_of(response.error_code))
            self._forget_session()
            if response.error_code in _LOST_SESSION:
                self.wake()
            else:
                self._retry()
            return
        self._session_id = response.session_id
        self._session_epoch = self._session_epoch % 0x7FFFFFFF + 1 if response.session_id else 0
        for topic in response.responses:
            for data in topic.partitions:
                key = topic.topic_id, data.partition_index
                followed = self._partitions.get(key)
                # What was not asked for in this position was asked for before it was taken away and added again.
                if followed is not None and followed.sent is not None and not followed.is_delayed:
                    self._take(key, followed, data)
        self._ports.turn_done()
        self.wake()

    def _forget_session(self) -> None:
        self._session_id = self._session_epoch = 0
        self._forgotten.clear()
        for key, followed in self._partitions.items():
            followed.sent = None
            self._changed[key] = followed

    def _retry(self) -> None:
        if self._retry_timer is None:
            backoff_ms = self._ports.settings.backoff_ms
            self._retry_timer = self._ports.channels.clock.call_later(backoff_ms, self._retry_now)

    def _retry_now(self) -> None:
        self._retry_timer = None
        self.wake()

    def _take(self, key: Key, followed: _Followed, data: Data) -> None:
        try:
            if data.error_code:
                self._judge(key, followed, data.error_code)
            elif data.diverging_epoch.epoch >= 0 or data.diverging_epoch.end_offset >= 0:
                self._truncate(key, followed, data.diverging_epoch)
            else:
                self._append(key, followed, data)
        except KafkaError as error:
            # A torn batch may be whole the next time; a directory that has failed ends the following by itself.
            log.warning("%s: %s-%d: %s", self._client_id, followed.partition.topic, key[1], error)
            self._delay(key, followed, self._ports.settings.backoff_ms)

    def _append(self, key: Key, followed: _Followed, data: Data) -> None:
        plog = followed.partition.log
        written: Completion | None = None
        if data.records:
            if self._ports.quota.is_throttled(plog.topic, plog.partition):
                self._ports.quota.record(len(data.records))
            appended = plog.append_as_follower(data.records)
            written = None if appended is None else appended.written
        if written is None:
            self._appended(key, followed, data)
            return
        followed.waits_for += 1
        self._writes += 1

        def done(completion: Completion) -> None:
            followed.waits_for -= 1
            self._writes -= 1
            if completion.exception() is None and self._partitions.get(key) is followed:
                self._appended(key, followed, data)
            if not self._writes and not self._is_closed:
                self._ports.turn_done()
                self.wake()

        written.add_done_callback(done)

    def _appended(self, key: Key, followed: _Followed, data: Data) -> None:
        """What was fetched is in the log: go on behind it, and take over what the leader says of offsets."""
        partition, plog = followed.partition, followed.partition.log
        followed.state.fetched(plog.log_end_offset, plog.epochs.latest_epoch, data.high_watermark)
        partition.update_high_watermark(data.high_watermark)
        if plog.log_start_offset < data.log_start_offset <= plog.high_watermark:
            upkeep.increment_log_start_offset(plog, data.log_start_offset)
        if followed.position != followed.sent:
            self._changed[key] = followed

    def _truncate(self, key: Key, followed: _Followed, told: Data.EpochEndOffset) -> None:
        plog, state = followed.partition.log, followed.state
        cut = following.truncation(plog, told.epoch, told.end_offset, state.fetch_offset)
        if cut.offset < plog.high_watermark:
            log.warning(
                "%s-%d is cut to %d, below its high watermark %d: its leader was elected without having it all",
                plog.topic,
                plog.partition,
                cut.offset,
                plog.high_watermark,
            )
        else:
            log.info("%s-%d is cut to %d", plog.topic, plog.partition, cut.offset)
        upkeep.truncate_to(plog, cut.offset)
        state.resume(plog.log_end_offset, plog.epochs.latest_epoch)
        self._changed[key] = followed

    def _judge(self, key: Key, followed: _Followed, code: int) -> None:
        plog, sent = followed.partition.log, followed.sent
        log.info("%s: %s-%d: %s", self._client_id, plog.topic, plog.partition, errors.name_of(code))
        verdict = following.judge(code, sent[0] if sent is not None else -1, followed.state.leader_epoch)
        if verdict is Verdict.FAIL:
            self._fail(key, followed, "its leader knows a newer epoch, of which the metadata has not told yet")
        elif verdict is Verdict.RETRY_LATER:
            self._delay(key, followed, self._ports.settings.backoff_ms)
        else:
            followed.state.state = State.TRUNCATING
            self._leave_session(key, followed)
            self._offsets.ask(
                plog.topic, plog.partition, followed.state.leader_epoch, lambda told: self._restart(key, followed, told)
            )

    def _restart(self, key: Key, followed: _Followed, told: tuple[int, int] | None) -> None:
        """`told`: where the leader's log begins and ends, if it could be learnt."""
        if self._partitions.get(key) is not followed:
            return
        if told is None:
            self._delay(key, followed, self._ports.settings.backoff_ms)
            return
        plog = followed.partition.log
        restart = following.restart(plog.log_end_offset, *told)
        log.warning("%s-%d goes on from %d: its leader has %d to %d", plog.topic, plog.partition, restart.offset, *told)
        try:
            if restart.is_full:
                upkeep.truncate_fully(plog, restart.offset)
            else:
                upkeep.truncate_to(plog, restart.offset)
        except KafkaError as error:
            self._fail(key, followed, error.message)
            return
        followed.state.resume(plog.log_end_offset, plog.epochs.latest_epoch)
        self._changed[key] = followed
        self.wake()

    def _fail(self, key: Key, followed: _Followed, why: str) -> None:
        log.warning("%s-%d is not followed any more: %s", followed.partition.topic, key[1], why)
        followed.state.state = State.FAILED
        self._leave_session(key, followed)

    # -- what is not fetched for a while --

    def _delay(self, key: Key, followed: _Followed, delay_ms: float) -> None:
        self._leave_session(key, followed)
        followed.is_delayed = True
        clock = self._ports.channels.clock
        self._delayed.append((clock.monotonic_ms() + delay_ms, key, followed))
        if self._delay_timer is None:
            self._delay_timer = clock.call_later(delay_ms, self._end_delays)

    def _end_delays(self) -> None:
        self._delay_timer = None
        clock = self._ports.channels.clock
        now_ms = clock.monotonic_ms()
        for _ in range(len(self._delayed)):
            due_ms, key, followed = self._delayed.popleft()
            if due_ms > now_ms:
                self._delayed.append((due_ms, key, followed))
            elif self._partitions.get(key) is followed:
                followed.is_delayed = False
                if followed.state.state is State.TRUNCATING:
                    followed.state.state = State.FETCHING
                self._changed[key] = followed
        if self._delayed:
            first_ms = min(due_ms for due_ms, _, _ in self._delayed)
            self._delay_timer = clock.call_later(max(first_ms - now_ms, 0), self._end_delays)
        self.wake()

    def _throttle(self) -> None:
        """`follower.replication.throttled.*`: replicas that lag are left out while the rate is over its limit."""
        quota = self._ports.quota
        if quota.rate_max == float("inf") or not quota.is_exceeded():
            return
        for key, followed in list(self._partitions.items()):
            plog = followed.partition.log
            if (
                not followed.is_delayed
                and not followed.state.is_in_sync
                and quota.is_throttled(plog.topic, plog.partition)
            ):
                self._delay(key, followed, _THROTTLED_MS)


def _asked(index: int, position: tuple[int, int, int, int], max_bytes: int) -> Asked:
    leader_epoch, fetch_offset, last_fetched_epoch, log_start_offset = position
    return Asked(
        partition=index,
        current_leader_epoch=leader_epoch,
        fetch_offset=fetch_offset,
        last_fetched_epoch=last_fetched_epoch,
        log_start_offset=log_start_offset,
        partition_max_bytes=max_bytes,
    )

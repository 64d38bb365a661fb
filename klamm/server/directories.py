"""What this broker tells the controller of its log directories: where its replicas are, and which directories fail.

Both are told until the controller has them, in Kafka's rhythm: assignments in batches, a failure within
`log.dir.failure.timeout.ms`, or else the broker gives up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.assign_replicas_to_dirs import (
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse,
)
from klamm.kproto.uuids import uuid_text

if TYPE_CHECKING:
    from klamm.seams import Clock, Timer
    from klamm.server.broker_lifecycle import BrokerLifecycle
    from klamm.server.to_controller import ToController

_logger = logging.getLogger(__name__)

ASSIGNMENTS_PER_REQUEST_MAX: Final = 2250
_BATCHING_MS: Final = 100.0
_BACKOFF_MS_MAX: Final = 10_000.0

_SETTLED: Final = frozenset(
    {errors.NONE, errors.UNKNOWN_TOPIC_ID, errors.UNKNOWN_TOPIC_OR_PARTITION, errors.NOT_LEADER_OR_FOLLOWER}
)
"""Assigned; or the partition is gone by now, or this broker's replica of it: that needs no directory."""

Data = AssignReplicasToDirsRequest.DirectoryData


class DirectoryReports:
    """Sends what is to be told. `failure_timeout_ms`: after which `give_up(reason)` is called."""

    def __init__(
        self,
        controller: ToController,
        lifecycle: BrokerLifecycle,
        clock: Clock,
        *,
        node_id: int,
        retry_ms: float,
        failure_timeout_ms: float,
        give_up: Callable[[str], None],
    ) -> None:
        self._controller = controller
        self._lifecycle = lifecycle
        self._clock = clock
        self._node_id = node_id
        self._retry_ms = retry_ms
        self._failure_timeout_ms = failure_timeout_ms
        self._give_up = give_up
        self._ready: dict[tuple[bytes, int], bytes] = {}
        self._backoff_ms = _BATCHING_MS
        self._assign_timer: Timer | None = None
        self._offline: dict[bytes, Timer] = {}
        self._offline_timer: Timer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def close(self) -> None:
        """Tell nothing more."""
        self._is_closed = True
        for timer in (self._assign_timer, self._offline_timer, *self._offline.values()):
            if timer is not None:
                timer.cancel()
        for task in self._tasks:
            task.cancel()

    # -- where replicas are --

    def assign(self, topic_id: bytes, index: int, directory_id: bytes) -> None:
        """A replica is in another directory than the metadata says."""
        self._ready[topic_id, index] = directory_id
        self._schedule_assignments()

    def _schedule_assignments(self) -> None:
        if self._assign_timer is None and self._ready and not self._is_closed:
            self._assign_timer = self._clock.call_later(self._backoff_ms, lambda: self._start(self._send_assignments()))

    async def _send_assignments(self) -> None:
        keys = list(self._ready)[:ASSIGNMENTS_PER_REQUEST_MAX]
        sent = {key: self._ready.pop(key) for key in keys}
        failed = dict(sent)
        try:
            response = await self._controller.send(self._request(sent)).future()
            assert isinstance(response, AssignReplicasToDirsResponse)
            if response.error_code != errors.NONE:
                raise KafkaError(response.error_code)
            for directory in response.directories:
                for topic in directory.topics:
                    for row in topic.partitions:
                        if row.error_code in _SETTLED:
                            failed.pop((topic.topic_id, row.partition_index), None)
        except KafkaError as error:
            _logger.warning("%d replicas could not be assigned to directories: %s", len(sent), error)
        self._backoff_ms = min(self._backoff_ms * 2, _BACKOFF_MS_MAX) if failed else _BATCHING_MS
        self._ready = {**failed, **self._ready}
        self._assign_timer = None
        self._schedule_assignments()

    def _request(self, sent: dict[tuple[bytes, int], bytes]) -> AssignReplicasToDirsRequest:
        directories: dict[bytes, dict[bytes, Data.TopicData]] = {}
        for (topic_id, index), directory_id in sent.items():
            topics = directories.setdefault(directory_id, {})
            topic = topics.setdefault(topic_id, Data.TopicData(topic_id=topic_id, partitions=[]))
            topic.partitions.append(Data.TopicData.PartitionData(partition_index=index))
        return AssignReplicasToDirsRequest(
            broker_id=self._node_id,
            broker_epoch=self._lifecycle.broker_epoch,
            directories=[Data(id=i, topics=list(topics.values())) for i, topics in directories.items()],
        )

    # -- what has failed --

    def directory_failed(self, directory_id: bytes) -> None:
        """A directory of this broker has gone offline."""
        reason = f"the controller was not told of the failed directory {uuid_text(directory_id)} in time"
        self._offline[directory_id] = self._clock.call_later(self._failure_timeout_ms, lambda: self._give_up(reason))
        if self._offline_timer is None:
            self._start(self._report())

    async def _report(self) -> None:
        self._offline_timer = None
        told = list(self._offline)
        if not told or self._is_closed:
            return
        try:
            await self._lifecycle.report_offline(told)
        except KafkaError as error:
            _logger.warning("the controller could not be told of failed directories: %s", error)
            self._offline_timer = self._clock.call_later(self._retry_ms, lambda: self._start(self._report()))
            return
        for directory_id in told:
            self._offline.pop(directory_id).cancel()
        if self._offline:
            await self._report()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

"""Producers with acks=all: idempotent ones with several batches under way, and plain ones that may repeat themselves.

A producer never gives a batch up: it sends all that is not acknowledged again, in order, until it is told to end.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.init_producer_id import InitProducerIdRequest
from klamm.kproto.messages.produce import ProduceRequest
from klamm.kproto.records import Record, build_batch
from tests.sim.sim_client import Client, NotNow
from tests.sim.sim_history import Key, Ledger

_VERSION: Final = 9
_LATER: Final = {
    errors.NOT_LEADER_OR_FOLLOWER,
    errors.UNKNOWN_TOPIC_OR_PARTITION,
    errors.LEADER_NOT_AVAILABLE,
    errors.NOT_ENOUGH_REPLICAS,
    errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    errors.REQUEST_TIMED_OUT,
    errors.KAFKA_STORAGE_ERROR,
    errors.UNKNOWN_LEADER_EPOCH,
    errors.FENCED_LEADER_EPOCH,
    errors.NETWORK_EXCEPTION,
    errors.COORDINATOR_LOAD_IN_PROGRESS,
    errors.BROKER_NOT_AVAILABLE,
}
_LOST: Final = {
    errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
    errors.UNKNOWN_PRODUCER_ID,
    errors.INVALID_PRODUCER_EPOCH,
}
_LARGE: Final = bytes(1000)
"""The key of some records, so that large writes meet small ones."""


class _Batch(NamedTuple):
    sequence: int
    values: list[bytes]


class Producer:
    """One producer of one partition."""

    def __init__(
        self, client: Client, key: Key, name: str, *, is_idempotent: bool, window: int, pause_ms: float
    ) -> None:
        self.client, self.key, self.name = client, key, name
        self.is_idempotent, self.window, self.pause_ms = is_idempotent, window, pause_ms
        self.ledger: Ledger = client.history.ledger(key)
        if not is_idempotent:
            self.ledger.repeated.add(name)
            self.window = 1
        self.is_ending = False
        self._producer_id, self._epoch, self._sequence = -1, -1, 0
        self._count = 0
        self._starts = 0
        """How often nodes had been started when what waits was sent first."""
        self._waiting: list[_Batch] = []
        self._has_begun = self._has_begun_late = False
        """Whether a batch of this producer id is in the log; whether one came in before those in front of it."""

    async def run(self) -> None:
        """Until `is_ending`, and then until all is acknowledged."""
        while self._waiting or not self.is_ending:
            try:
                if self.is_idempotent and self._producer_id < 0:
                    await self._new_producer_id()
                if not self._waiting:
                    self._starts = self.client.cluster.starts
                while len(self._waiting) < self.window and not self.is_ending:
                    self._add()
                await self._send()
            except NotNow:
                self.client.history.counts["produce retries"] += 1
                await self.client.rest()
            if not self.is_ending:
                await self.client.rest(self.pause_ms)

    async def _new_producer_id(self) -> None:
        client = self.client
        try:
            request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60000, producer_epoch=-1)
            answer = await client.ask(client.any_broker(), request, 4)
        except KafkaError as error:
            raise NotNow(str(error)) from None
        if answer.error_code:
            raise NotNow(errors.name_of(answer.error_code))
        self._producer_id, self._epoch = answer.producer_id, answer.producer_epoch
        self._sequence = 0
        self._has_begun = self._has_begun_late = False
        client.cluster.new_producer_id(self._producer_id)
        for index, batch in enumerate(self._waiting):
            self._waiting[index] = _Batch(self._sequence, batch.values)
            self._sequence += len(batch.values)

    def _add(self) -> None:
        draw = self.client.random
        count = 1 + draw.randrange(4)
        values = [f"{self.name}/{self._count + n}".encode() for n in range(count)]
        self._count += count
        self._waiting.append(_Batch(self._sequence, values))
        self._sequence += count

    async def _send(self) -> None:
        """Send all that waits, in order, and take note of what comes back. Raises NotNow if some is to be repeated."""
        client, era = self.client, self.client.history.era
        address = await client.leader(self.key)
        batches = list(self._waiting)
        for batch in batches:
            self.ledger.sent.update(batch.values)
        tasks = [client.owner.spawn(self._ask(address, batch)) for batch in batches]
        answers = [await task for task in tasks]
        problem = ""
        for batch, answer in zip(batches, answers, strict=True):
            if isinstance(answer, KafkaError):
                client.forget_leader(self.key)
                problem = problem or str(answer)
                continue
            problem = self._answered(batch, answer, era, problem) or problem
        if problem:
            raise NotNow(problem)

    async def _ask(self, address: Any, batch: _Batch) -> Any:
        now_ms = self.client.cluster.time_ms
        key = _LARGE if batch.sequence % 7 == 0 else None
        rows = [Record(index, now_ms, key, value) for index, value in enumerate(batch.values)]
        data = build_batch(
            rows,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            base_sequence=batch.sequence if self.is_idempotent else -1,
        )
        topic = ProduceRequest.TopicProduceData
        request = ProduceRequest(
            acks=-1,
            timeout_ms=1500,
            topic_data=[
                topic(
                    name=self.key[0],
                    partition_data=[topic.PartitionProduceData(index=self.key[1], records=data)],
                )
            ],
        )
        try:
            return await self.client.ask(address, request, _VERSION)
        except KafkaError as error:
            return error

    def _answered(self, batch: _Batch, answer: Any, era: int, problem: str) -> str:
        """Take one answer; gives why it is to be sent again, if it is."""
        history = self.client.history
        result = answer.responses[0].partition_responses[0]
        code = result.error_code
        if code in (errors.NONE, errors.DUPLICATE_SEQUENCE_NUMBER):
            if batch in self._waiting:
                self._waiting.remove(batch)
            if problem and self.is_idempotent and era == history.era:
                # Behind a batch that failed only a repetition of what is there already may succeed.
                history.counts["acknowledged behind a failure"] += 1
                # Of a producer that it knows nothing of a leader takes any sequence, as Kafka's does: one that has
                # refused the first batch and is let write again meanwhile begins with the next.
                self._has_begun_late = self._has_begun_late or not self._has_begun
            self._has_begun = True
            if era == history.era and code == errors.NONE:
                self.ledger.acknowledge(result.base_offset, batch.values)
                history.counts["records acknowledged"] += len(batch.values)
            return ""
        history.counts[f"produce: {errors.name_of(code)}"] += 1
        if code in _LOST:
            if not problem:
                if self.window > 1 and self.client.cluster.starts > self._starts:
                    # A snapshot of producers has the last batch of each, as Kafka's format is: of several batches that
                    # were not answered before a restart it knows the last one only.
                    history.counts["producer starts over after a restart"] += 1
                    self.ledger.repeated.add(self.name)
                elif self._has_begun_late:
                    history.counts["producer starts over, its first batch was refused"] += 1
                    self.ledger.repeated.add(self.name)
                elif not history.is_lossy:
                    self.ledger.fail("I4", f"{self.name} is told {errors.name_of(code)} of sequence {batch.sequence}")
                self._producer_id = -1
            return errors.name_of(code)
        if code not in _LATER:
            self.client.unexpected(f"produce to {self.key}: {errors.name_of(code)}")
        self.client.forget_leader(self.key)
        return errors.name_of(code)


async def all_ended(producers: list[asyncio.Task[None]], timeout_ms: float) -> bool:
    """Whether all have ended in time."""
    if not producers:
        return True
    _, pending = await asyncio.wait(producers, timeout=timeout_ms / 1000)
    return not pending

"""One broker asked by raw requests: what the stories here set up, and what they read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from compat.differential.run import Topic as Place
from compat.differential.run import fit, records_for
from klamm.kproto import errors
from klamm.kproto.catalog import message_class
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.messages.init_producer_id import InitProducerIdRequest
from klamm.kproto.messages.list_offsets import ListOffsetsRequest
from klamm.kproto.messages.metadata import MetadataRequest
from klamm.kproto.messages.produce import ProduceRequest
from klamm.kproto.schema import Message
from klamm.testing.wire import WireClient

T = TypeVar("T")

LATEST, EARLIEST, MAX_TIMESTAMP = -1, -2, -3
SETTLE_TIMEOUT_S = 30.0


class Found(NamedTuple):
    """What ListOffsets tells of one partition."""

    timestamp: int
    offset: int
    leader_epoch: int


class Produced(NamedTuple):
    """The answer to a produced batch; `error` is a name, NONE if it was taken."""

    error: str
    base_offset: int


class Asking:
    """A connection to one broker."""

    def __init__(self, bootstrap: str) -> None:
        self._wire = WireClient(bootstrap, 30.0, "shared-directory")

    def close(self) -> None:
        self._wire.close()

    def ask(self, cls: type[Message], version: int, **values: Any) -> Any:
        """The answer to a request of those values (`compat.differential.run.fit`)."""
        name = cls.__schema__.name.removesuffix("Request")
        return self._wire.ask(fit(cls, version, **values), version, message_class(f"{name}Response"))

    def until(self, what: str, try_it: Callable[[], T | None]) -> T:
        """What `try_it` gives as soon as it is not None."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while (found := try_it()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(what)
            time.sleep(0.02)
        return found

    # -- topics --

    def create(self, name: str, partitions: int = 1, **configs: str) -> None:
        """Create a topic and wait for its leader. `cleanup_policy` stands for cleanup.policy."""
        rows = [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()]
        row = {"name": name, "num_partitions": partitions, "replication_factor": 1, "assignments": [], "configs": rows}
        result = self.ask(CreateTopicsRequest, 7, topics=[row], timeout_ms=30000).topics[0]
        if result.error_code:
            raise RuntimeError(f"{name}: {errors.name_of(result.error_code)} {result.error_message}")
        self.wait_for(name, partitions)

    def topics(self) -> dict[str, tuple[bytes, int]]:
        """Topic names to their ids and numbers of partitions."""
        answer = self.ask(MetadataRequest, 12, topics=None)
        return {t.name: (t.topic_id, len(t.partitions)) for t in answer.topics}

    def wait_for(self, name: str, partitions: int) -> None:
        """Wait until the broker leads all partitions of a topic."""

        def led() -> bool | None:
            try:
                for index in range(partitions):
                    self.offset(name, index, LATEST)
            except LookupError:
                return None
            return True

        self.until(f"{name} has no leader", led)

    def wait_for_all(self) -> None:
        """Wait until the broker leads all partitions that it knows of."""
        self.until("no topics", lambda: self.topics() or None)
        for name, (_, partitions) in self.topics().items():
            self.wait_for(name, partitions)

    def alter(self, topic: str, **configs: str | None) -> None:
        """Set settings of a topic, None takes one back; the caller waits for what it wants to see of it."""
        rows = [
            {"name": key.replace("_", "."), "config_operation": 1 if value is None else 0, "value": value}
            for key, value in configs.items()
        ]
        row = {"resource_type": 2, "resource_name": topic, "configs": rows}
        result = self.ask(IncrementalAlterConfigsRequest, 1, resources=[row], validate_only=False).responses[0]
        if result.error_code:
            raise RuntimeError(f"{topic}: {errors.name_of(result.error_code)} {result.error_message}")

    # -- records --

    def offset(self, topic: str, index: int, timestamp: int, isolation: int = 0) -> Found:
        """ListOffsets for one partition. Raises LookupError for an error of the partition."""
        rows = [{"name": topic, "partitions": [{"partition_index": index, "timestamp": timestamp}]}]
        answer = self.ask(ListOffsetsRequest, 8, replica_id=-1, isolation_level=isolation, topics=rows)
        found = answer.topics[0].partitions[0]
        if found.error_code:
            raise LookupError(f"{topic}-{index}: {errors.name_of(found.error_code)}")
        return Found(found.timestamp, found.offset, found.leader_epoch)

    def produce(self, topic: str, data: bytes, index: int = 0, **more: Any) -> Produced:
        """Produce one batch with acks=-1."""
        asked = records_for(Place(topic, bytes(16)), data, index, **more)
        result = self.ask(ProduceRequest, 12, **asked).responses[0].partition_responses[0]
        return Produced(errors.name_of(result.error_code), result.base_offset)

    def producer_id(self) -> int:
        """A new id for an idempotent producer."""

        def new() -> int | None:
            answer = self.ask(InitProducerIdRequest, 4, transactional_id=None, transaction_timeout_ms=60000)
            return None if answer.error_code else int(answer.producer_id)

        return self.until("no producer id", new)

    def delete_records(self, topic: str, index: int, offset: int) -> int:
        """Move the log start; gives the new one."""
        rows = [{"name": topic, "partitions": [{"partition_index": index, "offset": offset}]}]
        result = self.ask(DeleteRecordsRequest, 2, topics=rows, timeout_ms=30000).topics[0].partitions[0]
        if result.error_code:
            raise RuntimeError(f"DeleteRecords: {errors.name_of(result.error_code)}")
        return int(result.low_watermark)

    def partitions(self, names: Sequence[str] | None = None) -> Iterator[tuple[str, bytes, int]]:
        """(topic, topic id, index) of every partition, in order."""
        for name, (topic_id, count) in sorted(self.topics().items()):
            if names is None or name in names:
                for index in range(count):
                    yield name, topic_id, index

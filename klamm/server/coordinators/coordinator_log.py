"""The log under a coordinator: one partition of an internal topic, written as record batches, replayed when it is led.

Each append is one batch, so that it is replicated and replayed as a whole. Errors leave here as those that a
coordinator's clients understand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.records import Record, batches, build_batch, control_type, iter_records
from klamm.kproto.schema import RecordBytes
from klamm.seams import Clock
from klamm.server.coordinators.coordinator_record import CoordinatorRecord, RecordTypes, decode_record

_COMMIT: Final = 1
_ABORT: Final = 0


class CoordinatorPartition(Protocol):
    """What a coordinator needs of the partition that this broker leads."""

    def append(self, batch: bytes) -> tuple[int, int]:
        """Append one batch; gives its first and last offset. Raises KafkaError."""
        ...

    def read(self, offset: int, max_bytes: int) -> RecordBytes:
        """Whole batches from the one that holds `offset` on, at least one, up to the log's end; empty at the end."""
        ...

    @property
    def log_start_offset(self) -> int: ...

    @property
    def high_watermark(self) -> int: ...

    def on_high_watermark(self, callback: Callable[[int], None]) -> None: ...


_TRANSLATED: Final = {
    errors.UNKNOWN_TOPIC_OR_PARTITION: errors.COORDINATOR_NOT_AVAILABLE,
    errors.NOT_ENOUGH_REPLICAS: errors.COORDINATOR_NOT_AVAILABLE,
    errors.REQUEST_TIMED_OUT: errors.COORDINATOR_NOT_AVAILABLE,
    errors.NOT_LEADER_OR_FOLLOWER: errors.NOT_COORDINATOR,
    errors.KAFKA_STORAGE_ERROR: errors.NOT_COORDINATOR,
    errors.MESSAGE_TOO_LARGE: errors.UNKNOWN_SERVER_ERROR,
    errors.RECORD_LIST_TOO_LARGE: errors.UNKNOWN_SERVER_ERROR,
    errors.INVALID_FETCH_SIZE: errors.UNKNOWN_SERVER_ERROR,
}


def coordinator_error(code: int) -> int:
    """What a failed append means to the coordinator's clients; old ones retry only on coordinator errors."""
    return _TRANSLATED.get(code, code)


class CoordinatorLog:
    """A `RecordLog` on one partition."""

    def __init__(self, partition: CoordinatorPartition, clock: Clock, compression: int = 0) -> None:
        """`compression`: the codec's number (offsets.topic.compression.codec)."""
        self._partition, self._clock, self._compression = partition, clock, compression

    def append(self, records: Sequence[CoordinatorRecord]) -> int:
        """Append as one batch, all with the present time; gives the offset behind it. Raises KafkaError."""
        now_ms = self._clock.time_ms()
        batch = build_batch(
            [Record(i, now_ms, r.encode_key(), r.encode_value()) for i, r in enumerate(records)],
            compression=self._compression,
            base_sequence=0,  # as Kafka's coordinators write it, without a producer id too
        )
        try:
            return self._partition.append(batch)[1] + 1
        except KafkaError as error:
            raise KafkaError(coordinator_error(error.code)) from error

    @property
    def high_watermark(self) -> int:
        return self._partition.high_watermark

    def on_commit(self, callback: Callable[[int], None]) -> None:
        self._partition.on_high_watermark(callback)


class EndTransaction(NamedTuple):
    """A transaction marker found in the log."""

    producer_id: int
    commit: bool


class Replayed(NamedTuple):
    """One entry of the log; `producer_id` is -1 outside of transactions."""

    producer_id: int
    entry: CoordinatorRecord | EndTransaction


def read_entries(data: RecordBytes, from_offset: int, types: RecordTypes) -> Iterator[tuple[int, list[Replayed]]]:
    """The batches of `data`, each as the offset behind it and its entries from `from_offset` on.

    Raises ProtocolError for damage: a coordinator must not serve from half of its state.
    """
    for batch in batches(data):
        found: list[Replayed] = []
        for record in iter_records(batch):
            if record.offset < from_offset:
                continue
            if batch.is_control:
                marker = control_type(record.key)
                if marker not in (_ABORT, _COMMIT):
                    raise ProtocolError(f"a control record of type {marker} in a coordinator's log")
                found.append(Replayed(batch.producer_id, EndTransaction(batch.producer_id, marker == _COMMIT)))
                continue
            decoded = decode_record(types, record.key, record.value)
            if decoded is not None:
                found.append(Replayed(batch.producer_id if batch.is_transactional else -1, decoded))
        yield batch.next_offset, found

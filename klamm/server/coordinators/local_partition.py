"""The partition under a coordinator, as this broker leads it: a `CoordinatorPartition` over `server/partition.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from klamm.kproto.schema import RecordBytes
from klamm.log import validation

if TYPE_CHECKING:
    from klamm.seams import Clock
    from klamm.server.partition import Partition


class LocalCoordinatorPartition:
    """What a coordinator does with a partition that this broker leads."""

    def __init__(self, partition: Partition, clock: Clock) -> None:
        self._partition = partition
        self._clock = clock

    def append(self, batch: bytes) -> tuple[int, int]:
        """Append one batch; gives its first and last offset. Raises KafkaError."""
        now_ms = self._clock.time_ms()
        appended = self._partition.append(memoryview(bytearray(batch)), now_ms, origin=validation.COORDINATOR)
        return appended.base_offset, appended.last_offset

    def read(self, offset: int, max_bytes: int) -> RecordBytes:
        """Whole batches from the one that holds `offset` on, at least one; empty at the log's end."""
        log = self._partition.log
        return log.read(offset, max_bytes, min_one=True, max_offset=log.log_end_offset).data

    @property
    def log_start_offset(self) -> int:
        return self._partition.log.log_start_offset

    @property
    def high_watermark(self) -> int:
        return self._partition.log.high_watermark

    def on_high_watermark(self, callback: Callable[[int], None]) -> None:
        """Have `callback(high_watermark)` called whenever it advances."""
        self._partition.on_high_watermark(callback)

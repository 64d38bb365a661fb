"""The log under the controller: `__cluster_metadata-0` as a `RecordLog`, driven by the Raft core.

Performs the core's effects in their order. Appends of one turn of the event loop share a sync; the high watermark
moves when that sync is done, never within an append.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.metadata_records import BeginTransactionRecord, EndTransactionRecord
from klamm.kproto.schema import Message
from klamm.log import upkeep, validation
from klamm.log.log_config import INT64_MAX, LogConfig
from klamm.metadata.raft import election_state
from klamm.metadata.raft.core import (
    Append,
    AppendControl,
    Became,
    Commit,
    NotLeader,
    Persist,
    Propose,
    Raft,
    Resign,
    Role,
    Synced,
)
from klamm.metadata.record_codec import control_batch, data_batch

if TYPE_CHECKING:
    from klamm.log.io_thread import Completion
    from klamm.log.partition_log import PartitionLog
    from klamm.metadata.raft.exchange import Effect, Input
    from klamm.seams import Clock

_logger = logging.getLogger(__name__)

BATCH_SIZE_BYTES_MAX = 8 * 1024 * 1024
"""The largest batch a real voter takes."""
RECORDS_PER_BATCH_MAX = 20_000
"""About 2 MB of partitions with three replicas."""


def metadata_log_config(segment_bytes: int = 1 << 30, segment_ms: int = 604_800_000) -> LogConfig:
    """`metadata.log.segment.bytes` and `.ms`; what is in snapshots is deleted by us, never by retention."""
    return LogConfig(
        {
            "max.message.bytes": BATCH_SIZE_BYTES_MAX,
            "segment.bytes": segment_bytes,
            "segment.ms": segment_ms,
            "retention.ms": -1,
            "retention.bytes": -1,
            "flush.messages": INT64_MAX,
        }
    )


class MetadataLog:
    """A leader's log. `metadata_version` gives the finalized level, which decides the versions of records."""

    def __init__(self, log: PartitionLog, raft: Raft, clock: Clock, metadata_version: Callable[[], int]) -> None:
        self.log = log
        self.raft = raft
        self._clock = clock
        self._metadata_version = metadata_version
        self._commit_callbacks: list[Callable[[int], None]] = []
        self._role_callbacks: list[Callable[[Became], None]] = []
        self._is_sync_wanted = False
        self._is_closed = False

    @property
    def high_watermark(self) -> int:
        return self.raft.high_watermark

    @property
    def end_offset(self) -> int:
        """The offset of the next record."""
        return self.log.next_offset

    def on_commit(self, callback: Callable[[int], None]) -> None:
        self._commit_callbacks.append(callback)

    def on_role(self, callback: Callable[[Became], None]) -> None:
        """Have `callback` told of each change of role or leader."""
        self._role_callbacks.append(callback)

    def append(self, records: Sequence[Message]) -> int:
        """Append all or nothing. Raises KafkaError: NOT_CONTROLLER, KAFKA_STORAGE_ERROR, RECORD_LIST_TOO_LARGE.

        More than RECORDS_PER_BATCH_MAX records become several batches within one transaction (KIP-868).
        """
        level = self._metadata_version()
        if len(records) > RECORDS_PER_BATCH_MAX:
            records = [BeginTransactionRecord(name="Large change"), *records, EndTransactionRecord()]
        batches = []
        for start in range(0, len(records), RECORDS_PER_BATCH_MAX):
            chunk = records[start : start + RECORDS_PER_BATCH_MAX]
            data = data_batch(chunk, level, base_offset=0, leader_epoch=0, timestamp_ms=self._clock.time_ms())
            if len(data) > min(BATCH_SIZE_BYTES_MAX, self.log.config.segment_bytes):
                message = f"a change of {len(chunk)} metadata records takes {len(data)} bytes"
                raise KafkaError(errors.RECORD_LIST_TOO_LARGE, message)
            batches.append(Propose(data, len(chunk)))
        try:
            for batch in batches:
                self.step(batch)
        except NotLeader as error:
            raise KafkaError(errors.NOT_CONTROLLER, str(error)) from None
        return self.end_offset

    def close(self) -> None:
        """Begin no more syncs: the files are about to be closed, which syncs them."""
        self._is_closed = True

    def step(self, event: Input) -> None:
        """Give the core an input and carry out what it says."""
        for effect in self.raft.step(self._clock.monotonic_ms(), event):
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Append):
            self._write(effect.batch, effect.epoch)
        elif isinstance(effect, Commit):
            self.log.update_high_watermark(effect.offset)
            for callback in self._commit_callbacks:
                callback(effect.offset)
        elif isinstance(effect, AppendControl):
            data = control_batch(
                effect.records, base_offset=0, leader_epoch=effect.epoch, timestamp_ms=self._clock.time_ms()
            )
            self._write(data, effect.epoch)
        elif isinstance(effect, Persist):
            voter_ids = tuple(voter.node_id for voter in self.raft.voters.voters)
            content = election_state.encode(effect.state, self.raft.kraft_version, voter_ids)
            path = f"{self.log.directory}/{election_state.FILE}"
            try:
                self.log.log_dir.disk.write_atomic(path, content)
            except OSError as error:
                raise self.log.log_dir.fail(error) from error
        elif isinstance(effect, Became):
            for told in self._role_callbacks:
                told(effect)
        else:
            raise TypeError(f"a quorum of one has nothing to {type(effect).__name__}")

    def _write(self, data: bytes, epoch: int) -> None:
        now_ms = self._clock.time_ms()
        try:
            self.log.append_as_leader(memoryview(bytearray(data)), epoch, now_ms=now_ms, origin=validation.RAFT_LEADER)
        except KafkaError as error:
            # The core has counted these records in; a controller whose log is behind its state must not go on.
            self._fail(error)
            raise
        if not self._is_sync_wanted:
            self._is_sync_wanted = True
            self._clock.call_later(0, self._sync)

    def _sync(self) -> None:
        self._is_sync_wanted = False
        if self._is_closed or self.log.is_offline:
            return
        end_offset = self.log.next_offset

        def done(completion: Completion) -> None:
            if (error := completion.exception()) is not None:
                self._fail(error)
            elif self.raft.role is Role.LEADER:
                self.step(Synced(end_offset))

        upkeep.flush(self.log).add_done_callback(done)

    def _fail(self, error: BaseException) -> None:
        if self.raft.role is Role.LEADER:
            _logger.error("the metadata log cannot be written, this controller resigns: %s", error)
            self.step(Resign())

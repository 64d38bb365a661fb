"""This replica of `__cluster_metadata-0`, driven by the Raft core: appends, cuts, syncs, snapshots, requests.

Performs the core's effects in their order, also those of a step that is made while others are still performed. What a
turn of the event loop appends shares a sync; the core hears of it when it is done, never within an append.
"""

from __future__ import annotations

import logging
from collections import deque
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
    RaftError,
    Resign,
    Role,
    Synced,
    Tick,
)
from klamm.metadata.record_codec import control_batch, data_batch

if TYPE_CHECKING:
    from klamm.log.io_thread import Completion
    from klamm.log.partition_log import PartitionLog
    from klamm.metadata.raft.exchange import Effect, Input
    from klamm.metadata.replication import MetadataReplication
    from klamm.seams import Clock, Timer

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
    """The log and its core in step. `replication` is what a quorum of several needs; without it there is none."""

    def __init__(self, log: PartitionLog, raft: Raft, clock: Clock) -> None:
        self.log = log
        self.raft = raft
        self.replication: MetadataReplication | None = None
        self.failed: Callable[[str], None] = lambda reason: None
        """Told why this replica must not go on: what Raft rules out has happened, or a record is not understood."""
        self._clock = clock
        self._commit_callbacks: list[Callable[[int], None]] = []
        self._role_callbacks: list[Callable[[Became], None]] = []
        self._effects: deque[Effect] = deque()
        self._is_performing = False
        self._is_sync_wanted = False
        self._is_closed = False
        self._timer: Timer | None = None
        self._timer_ms = 0.0

    @property
    def high_watermark(self) -> int:
        return self.raft.high_watermark

    @property
    def end_offset(self) -> int:
        """The offset of the next record."""
        return self.raft.end_offset

    def on_commit(self, callback: Callable[[int], None]) -> None:
        """Have `callback(high_watermark)` called whenever more is committed."""
        self._commit_callbacks.append(callback)

    def on_role(self, callback: Callable[[Became], None]) -> None:
        """Have `callback` told of each change of role or leader."""
        self._role_callbacks.append(callback)

    def append(self, records: Sequence[Message], metadata_version: int) -> int:
        """Append all or nothing, as the leader. Raises KafkaError: NOT_CONTROLLER, KAFKA_STORAGE_ERROR,
        RECORD_LIST_TOO_LARGE.

        The level decides the versions of the records. More than RECORDS_PER_BATCH_MAX records become several batches
        within one transaction (KIP-868).
        """
        if len(records) > RECORDS_PER_BATCH_MAX:
            records = [BeginTransactionRecord(name="Large change"), *records, EndTransactionRecord()]
        batches = []
        for start in range(0, len(records), RECORDS_PER_BATCH_MAX):
            chunk = records[start : start + RECORDS_PER_BATCH_MAX]
            data = data_batch(
                chunk, metadata_version, base_offset=0, leader_epoch=0, timestamp_ms=self._clock.time_ms()
            )
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
        """Say and write nothing more: the files are about to be closed, which syncs them."""
        self._is_closed = True
        self._effects.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self.replication is not None:
            self.replication.close()

    def step(self, event: Input) -> None:
        """Give the core an input and carry out what it says. Raises NotLeader, and KafkaError for a failed disk."""
        if self._is_closed:
            return
        try:
            self._effects.extend(self.raft.step(self._clock.monotonic_ms(), event))
        except RaftError as error:
            self.failed(str(error))
            raise KafkaError(errors.UNKNOWN_SERVER_ERROR, str(error)) from error
        if self._is_performing:
            return
        self._is_performing = True
        try:
            while self._effects:
                self._perform(self._effects.popleft())
        except KafkaError as error:
            self._is_performing = False
            self._effects.clear()  # what was to come depends on what has failed
            # The core has counted those records in; a controller whose log is behind its state must not go on.
            self._cannot_write(error)
            raise
        finally:
            self._is_performing = False
        self._wait()

    def _wait(self) -> None:
        """Have the core called when its time comes."""
        deadline_ms = self.raft.deadline_ms
        if self._timer is not None:
            if self._timer_ms == deadline_ms:
                return
            self._timer.cancel()
            self._timer = None
        if deadline_ms != float("inf") and not self._is_closed:
            self._timer_ms = deadline_ms
            self._timer = self._clock.call_later(max(deadline_ms - self._clock.monotonic_ms(), 0), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.step(Tick())

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Append):
            self._write(effect.batch, effect.epoch)
        elif isinstance(effect, Commit):
            self.log.update_high_watermark(min(effect.offset, self.log.log_end_offset))
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
        elif self.replication is not None:
            self.replication.perform(effect)
        else:
            raise TypeError(f"a quorum of one has nothing to {type(effect).__name__}")

    def _write(self, data: bytes, epoch: int) -> None:
        now_ms = self._clock.time_ms()
        self.log.append_as_leader(memoryview(bytearray(data)), epoch, now_ms=now_ms, origin=validation.RAFT_LEADER)
        self.sync_soon()

    def sync_soon(self) -> None:
        """Sync what this turn of the event loop has appended."""
        if not self._is_sync_wanted:
            self._is_sync_wanted = True
            self._clock.call_later(0, self._sync)

    def _sync(self) -> None:
        self._is_sync_wanted = False
        if self._is_closed or self.log.is_offline:
            return
        end_offset, truncations = self.log.next_offset, self.raft.truncations

        def done(completion: Completion) -> None:
            if (error := completion.exception()) is not None:
                self._cannot_write(error)
            else:
                self.step(Synced(end_offset, truncations))

        upkeep.flush(self.log).add_done_callback(done)

    def _cannot_write(self, error: BaseException) -> None:
        if self.raft.role is Role.LEADER and not self._is_closed:
            _logger.error("the metadata log cannot be written, this controller resigns: %s", error)
            self.step(Resign())

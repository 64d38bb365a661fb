"""The log of one partition: appends, reads, offsets.

Lives on the event loop; only writes of large batches and syncs leave it, through the `IoThread`s of its `LogDir`.
Bytes that are not written yet have offsets (`next_offset`) but nobody sees them: `log_end_offset` covers what is in the
file. What the log does over time (rolls, retention, flushes, truncation) is in `upkeep.py`, its start in `recovery.py`.
"""

from __future__ import annotations

import struct
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import compression, errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.records import HEADER
from klamm.log import follower_append, partition_metadata, upkeep, validation
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.io_thread import Completion
from klamm.log.partition_metadata import InconsistentTopicId
from klamm.log.producer_state import BatchMetadata, CompletedTxn, ProducerState, aborted_txn, read_marker
from klamm.log.segment import BatchHeader, LogSegment
from klamm.log.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from klamm.log.buffers import Buffer
    from klamm.log.log_config import LogConfig
    from klamm.log.log_dir import LogDir
    from klamm.log.txn_index import AbortedTxn

LARGE_WRITE_BYTES: Final = 262144
"""From this size on a batch is written by the writer thread, and its buffer belongs to the log until then.

Handing a smaller one over takes longer than writing it.
"""

_INT32_MAX: Final = (1 << 31) - 1
_PACK_OFFSET: Final = struct.Struct(">q").pack_into
_PACK_EPOCH: Final = struct.Struct(">i").pack_into
_UNPACK: Final = HEADER.unpack_from
_POSITIONS_KEPT: Final = 64


class Appended(NamedTuple):
    """What became of an append.

    `log_append_time_ms` is -1 unless the topic has log append time or the batch is a duplicate. `written`: None when
    the bytes are in the file; else they are on their way (or a flush that the topic asks for is), and the producer must
    not be answered before it is done. Of a duplicate these are the offsets of the batch that it repeats.
    """

    base_offset: int
    last_offset: int
    log_append_time_ms: int
    log_start_offset: int
    written: Completion | None
    is_duplicate: bool = False


class FetchData(NamedTuple):
    """Whole batches as they stand in the log, from the one that holds the offset asked for.

    `data` is a view of a mapped file or a copy; `aborted` lists the aborted transactions in it, if asked for.
    """

    data: bytes | bytearray | memoryview
    aborted: list[AbortedTxn] | None = None


_EMPTY: Final = FetchData(b"")


class PartitionLog:
    """One partition's log. Made by `recovery.open_log`."""

    __slots__ = (
        "_active",
        "_config",
        "_pending",
        "_positions",
        "directory",
        "epochs",
        "flush_waiters",
        "has_new_files",
        "high_watermark",
        "is_flushing",
        "jobs",
        "last_flush_ms",
        "last_stable_offset",
        "log_dir",
        "log_end_offset",
        "log_start_offset",
        "next_offset",
        "partition",
        "producers",
        "sealing",
        "segments",
        "snapshot_offset",
        "sync_offset",
        "synced_offset",
        "topic",
        "topic_id",
    )

    def __init__(
        self,
        log_dir: LogDir,
        directory: str,
        topic: str,
        partition: int,
        topic_id: bytes | None,
        config: LogConfig,
        segments: Segments,
        *,
        epochs: LeaderEpochs,
        producers: ProducerState,
        log_start_offset: int,
        log_end_offset: int,
        recovery_point: int,
    ) -> None:
        self.log_dir = log_dir
        self.directory = directory
        """The path of the partition's directory."""
        self.topic = topic
        self.partition = partition
        self.topic_id = topic_id
        self.segments = segments
        self.epochs = epochs
        self.producers = producers
        self.log_start_offset = log_start_offset
        self.log_end_offset = self.next_offset = log_end_offset
        self.synced_offset = recovery_point
        """Everything below is synced."""
        self.sync_offset = 0
        """The end of the last append that nobody is told of before it is synced."""
        self.sealing: deque[int] = deque()  # the base offsets of sealed segments whose indexes are not written yet
        self.high_watermark = self.last_stable_offset = log_start_offset
        self.last_flush_ms = log_dir.clock.time_ms()
        self._config = config
        self.activate(segments.last)
        self._pending: deque[tuple[int, LogSegment, int, Completion]] = deque()
        self._positions: dict[int, tuple[LogSegment, int]] = {}
        self.jobs = 0
        self.has_new_files = False
        """Whether the directory has names that are not synced."""
        self.snapshot_offset = -1
        """The newest offset that has a snapshot file."""
        self.is_flushing = False
        self.flush_waiters: deque[tuple[int, Completion]] = deque()
        """(offset, completion) of the flushes asked for, to be finished when all below the offset is synced."""

    @property
    def config(self) -> LogConfig:
        """The topic's configuration; may be replaced at any time."""
        return self._config

    @config.setter
    def config(self, config: LogConfig) -> None:
        self._config = config  # the index settings of a segment are those it was begun with, as in Kafka

    @property
    def active_segment(self) -> LogSegment:
        return self._active

    def activate(self, segment: LogSegment) -> None:
        """Appends go to `segment`, the last one, from now on."""
        self._active = segment
        segment.configure(self._config)

    @property
    def has_pending_writes(self) -> bool:
        return bool(self._pending)

    def submit(self, work: Callable[[], object], done: Callable[[BaseException | None], None]) -> None:
        """Run slow work on the flusher; `jobs` tells how much of it is under way."""
        self.jobs += 1

        def finished(error: BaseException | None) -> None:
            self.jobs -= 1
            done(error)

        self.log_dir.flusher.submit(work, finished, self)

    def assign_topic_id(self, topic_id: bytes) -> None:
        """Note which topic this is; the file follows on the flusher. Raises InconsistentTopicId."""
        if self.topic_id == topic_id:
            return
        if self.topic_id is not None:
            raise InconsistentTopicId(f"{self.directory} belongs to another topic id than the one expected")
        self.topic_id = topic_id
        log_dir, path = self.log_dir, f"{self.directory}/{partition_metadata.FILE}"

        def done(error: BaseException | None) -> None:
            if isinstance(error, OSError):
                log_dir.fail_unless_deleted(error, self.directory)

        self.submit(lambda: partition_metadata.write_topic_id(log_dir.disk, path, topic_id), done)

    def close_files(self) -> None:
        """Close all descriptors, when the writes under way are done."""
        if self._pending:
            self._pending[-1][3].add_done_callback(lambda _: self.close_files())
            return
        for segment in self.segments:
            segment.close()

    @property
    def recovery_point(self) -> int:
        """Everything below is synced, indexes of sealed segments too: recovery takes it on trust."""
        return min(self.synced_offset, self.sealing[0]) if self.sealing else self.synced_offset

    @property
    def is_offline(self) -> bool:
        return self.log_dir.failure is not None

    # -- appending --

    def append_as_leader(
        self, batches: memoryview, leader_epoch: int, *, now_ms: int, origin: int = validation.CLIENT
    ) -> Appended:
        """Append the one batch in `batches`, giving it the next offsets and the leader epoch, in place.

        `batches` is writable. One of LARGE_WRITE_BYTES or more must be left as it is until `written` is done; a
        smaller one is free on return. `origin` is one of `validation.CLIENT`, `COORDINATOR`, `RAFT_LEADER`.

        Raises KafkaError: CORRUPT_MESSAGE, INVALID_RECORD, INVALID_TIMESTAMP, MESSAGE_TOO_LARGE,
        RECORD_LIST_TOO_LARGE, UNSUPPORTED_COMPRESSION_TYPE, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH,
        INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED, KAFKA_STORAGE_ERROR.
        """
        config = self._config
        size = len(batches)
        try:
            header = _UNPACK(batches)
        except struct.error:
            raise validation.NotOneBatch(f"{size} bytes hold no record batch") from None
        base, length, _, magic, crc, attributes, delta, _, max_timestamp, producer_id, _, sequence, count = header
        if (
            length + 12 == size
            and magic == 2
            and base == 0
            and 0 <= attributes <= compression.ZSTD
            and delta + 1 == count > 0
            and size <= config.max_message_bytes
            and config.is_plain
            and max_timestamp - now_ms <= config.message_timestamp_after_max_ms
            and (producer_id < 0 or sequence >= 0)
            and origin == validation.CLIENT
        ):
            # The whole check of an ordinary batch; what its records hold is not looked at.
            if records.crc32c(batches[21:]) != crc:
                raise KafkaError(errors.CORRUPT_MESSAGE, f"the stored CRC of the batch is {crc}, which is not its CRC")
        else:
            batches = validation.prepare(batches, origin, config, now_ms)
            size = len(batches)
            header = _UNPACK(batches)
        try:
            return self._append(batches, size, header, leader_epoch, now_ms, origin)
        except OSError as error:
            raise self.log_dir.fail(error) from error

    def _append(
        self, batch: memoryview, size: int, header: BatchHeader, leader_epoch: int, now_ms: int, origin: int
    ) -> Appended:
        """Append a batch whose form is right, if its producer may."""
        config = self._config
        attributes, delta, _, max_timestamp, producer_id, epoch, sequence = header[5:12]
        if self.log_dir.failure is not None:
            raise self.log_dir.storage_error()
        if size > config.segment_bytes:
            raise KafkaError(
                errors.RECORD_LIST_TOO_LARGE,
                f"the record batch has {size} bytes, segment.bytes allows {config.segment_bytes}",
            )
        first_offset = self.next_offset
        last_offset = first_offset + delta
        if producer_id >= 0:
            duplicate = self._check_producer(batch, attributes, producer_id, epoch, sequence, delta, origin)
            if duplicate is not None:
                return self._duplicate(duplicate)
        must_roll = self.must_roll(size, last_offset, max_timestamp, now_ms)
        segment = upkeep.roll(self) if must_roll else self._active
        _PACK_OFFSET(batch, 0, first_offset)
        _PACK_EPOCH(batch, 12, leader_epoch)
        if leader_epoch != self.epochs.latest_epoch:
            self.epochs.assign(leader_epoch, first_offset)
        written = self.write(segment, segment.size, batch, size, last_offset + 1)
        segment.append(size, last_offset, max_timestamp)
        if producer_id >= 0:
            self._note_producer(
                batch, attributes, producer_id, epoch, sequence, first_offset, last_offset, max_timestamp
            )
        if last_offset - self.synced_offset >= config.flush_messages - 1:
            self.sync_offset = last_offset + 1
            written = upkeep.flush(self)
        append_time = now_ms if config.is_log_append_time else -1
        return Appended(first_offset, last_offset, append_time, self.log_start_offset, written)

    def must_roll(self, size: int, last_offset: int, max_timestamp: int, now_ms: int) -> bool:
        """Whether a batch needs a new segment: it does not fit the active one, or that one's time is over."""
        segment, config = self._active, self._config
        position = segment.size
        return position > 0 and (
            position + size > config.segment_bytes
            or last_offset - segment.base_offset > _INT32_MAX
            or segment.is_index_full
            or segment.is_due(max_timestamp, now_ms, config)
        )

    def append_as_follower(self, batches: Buffer) -> Appended | None:
        """Append batches as a leader has them, offsets and epochs included; a cut last one is left out.

        `batches` must be left as it is until `written` is done. None when there is no whole batch. Raises KafkaError:
        CORRUPT_MESSAGE for a damaged batch, or one below the end of this log; KAFKA_STORAGE_ERROR.
        """
        done = follower_append.append(self, batches)
        return None if done is None else Appended(done[0], done[1], -1, self.log_start_offset, done[2])

    def write(self, segment: LogSegment, position: int, data: Buffer, size: int, end_offset: int) -> Completion | None:
        """Write whole batches at their place, now or on the writer thread. Raises OSError."""
        self.next_offset = end_offset
        if size < LARGE_WRITE_BYTES:
            if not self._pending:
                segment.file.pwrite(data, position)
                self.log_end_offset = end_offset
                segment.written_size = position + size
                return None
            data = bytes(data)
        completion = Completion()
        self._pending.append((end_offset, segment, position + size, completion))
        self.log_dir.writer.submit(partial(segment.file.pwrite, data, position), self._written)
        return completion

    def _written(self, error: BaseException | None) -> None:
        """The oldest pending write is done. On the event loop, in the order of the writes."""
        end_offset, segment, end, completion = self._pending.popleft()
        failure = self.log_dir.failure
        if error is not None or failure is not None:
            completion.finish(
                self.log_dir.fail(error) if isinstance(error, OSError) else error or self.log_dir.storage_error()
            )
            upkeep.start_flush(self)  # those who wait for a sync are told, too
            return
        self.log_end_offset = end_offset
        segment.written_size = end
        if segment.is_sealed and (not self._pending or self._pending[0][1] is not segment):
            segment.let_go()
        completion.finish()
        if self.flush_waiters:
            upkeep.start_flush(self)

    # -- producers --

    def _check_producer(
        self, batches: memoryview, attributes: int, producer_id: int, epoch: int, sequence: int, delta: int, origin: int
    ) -> BatchMetadata | None:
        transactional = attributes & records.TRANSACTIONAL != 0
        if origin == validation.CLIENT:
            return self.producers.check(producer_id, epoch, sequence, (sequence + delta) & 0x7FFFFFFF, transactional)
        if not attributes & records.CONTROL:
            self.producers.check_epoch(producer_id, epoch, transactional)
        elif (marker := read_marker(next(records.batches(batches)))) is not None:
            self.producers.check_marker(producer_id, epoch, marker[1])
        return None

    def _duplicate(self, batch: BatchMetadata) -> Appended:
        written = self.last_write
        if batch.last_offset - self.synced_offset >= self._config.flush_messages - 1:
            self.sync_offset = max(self.sync_offset, batch.last_offset + 1)
            written = upkeep.flush(self)  # the batch that it repeats waits for its sync, or was found by a restart
        # Kafka tells a duplicate's highest timestamp as its log append time, whatever the topic's timestamps are.
        return Appended(batch.first_offset, batch.last_offset, batch.timestamp, self.log_start_offset, written, True)

    def _note_producer(
        self,
        batches: Buffer,
        attributes: int,
        producer_id: int,
        epoch: int,
        sequence: int,
        first_offset: int,
        last_offset: int,
        max_timestamp: int,
    ) -> None:
        """A batch of a producer, or its transaction's marker, has its place in the log."""
        if not attributes & records.CONTROL:
            last_sequence = (sequence + last_offset - first_offset) & 0x7FFFFFFF if sequence >= 0 else -1
            transactional = attributes & records.TRANSACTIONAL != 0
            self.producers.append(
                producer_id, epoch, last_sequence, first_offset, last_offset, max_timestamp, transactional
            )
            return
        marker = read_marker(next(records.batches(batches)))
        if marker is not None:
            is_abort, coordinator_epoch = marker
            completed = self.producers.append_marker(
                producer_id, epoch, coordinator_epoch, first_offset, max_timestamp, is_abort
            )
            if completed is not None:
                self._end_transaction(completed)

    def _end_transaction(self, completed: CompletedTxn) -> None:
        if completed.is_aborted:
            stable = self.producers.last_stable_offset_after(completed)
            try:
                self._active.txn_index.append(aborted_txn(completed, stable))
            except OSError as error:
                raise self.log_dir.fail(error) from error

    def replay_producer(self, batch: records.Batch) -> None:
        """Take what a batch of the log tells of its producer; nothing is checked."""
        if batch.producer_id >= 0:
            self._note_producer(
                batch.view,
                batch.attributes,
                batch.producer_id,
                batch.producer_epoch,
                batch.base_sequence,
                batch.base_offset,
                batch.last_offset,
                batch.max_timestamp,
            )

    # -- reading --

    def read(
        self, offset: int, max_bytes: int, *, min_one: bool = True, max_offset: int | None = None, aborted: bool = False
    ) -> FetchData:
        """Whole batches from the one that holds `offset`, below `max_offset` (None: the high watermark).

        At most `max_bytes`, but at least one batch with `min_one`, however large. `aborted`: also the aborted
        transactions among them. Raises KafkaError: OFFSET_OUT_OF_RANGE, CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR.
        """
        if offset < self.log_start_offset or offset > self.log_end_offset:
            raise KafkaError(
                errors.OFFSET_OUT_OF_RANGE,
                f"offset {offset} is not within [{self.log_start_offset}, {self.log_end_offset}]",
            )
        end_offset = self.high_watermark if max_offset is None else max_offset
        if offset >= end_offset:
            return _EMPTY
        if self.log_dir.failure is not None:
            raise self.log_dir.storage_error()
        try:
            return self._read(offset, max_bytes, min_one, end_offset, aborted)
        except OSError as error:
            raise self.log_dir.fail(error) from error

    def _read(self, offset: int, max_bytes: int, min_one: bool, end_offset: int, aborted: bool) -> FetchData:
        found = self.position_of(offset)
        if found is None:
            return _EMPTY
        segment, position = found
        end = segment.written_size
        if end_offset < self.log_end_offset:
            bound = self.position_of(end_offset)
            if bound is not None and bound[0] is segment:
                end = bound[1]
        limit = position + max_bytes
        if end > limit:
            end = segment.boundary(position, limit)
            if end == position:
                if not min_one:
                    return _EMPTY
                end = position + segment.batch_size_at(position)
        if end <= position:
            return _EMPTY
        if end < segment.written_size:
            self._remember(segment.base_offset_at(end), segment, end)
        elif segment is self._active:
            self._remember(self.log_end_offset, segment, end)
        data = segment.lend(position, end - position)
        if not aborted:
            return FetchData(data)
        return FetchData(data, self._aborted(segment, offset, end))

    def position_of(self, offset: int) -> tuple[LogSegment, int] | None:
        """Segment and position of the first batch that holds `offset` or a later one; None at the end of the log.

        Raises KafkaError: CORRUPT_MESSAGE.
        """
        found = self._positions.get(offset)
        if found is not None and found[1] < found[0].size:
            return found
        segment: LogSegment | None = self.segments.floor(offset)
        while segment is not None:
            batch = segment.find(offset, segment.written_size, is_read=True)
            following = self.segments.after(segment)
            # What lies in the next segment's range is a file under a wrong name: a reader must not be led past others.
            if batch is not None and (following is None or batch[2] < following.base_offset):
                self._remember(offset, segment, batch[0])
                return segment, batch[0]
            segment = following
        return None

    def _remember(self, offset: int, segment: LogSegment, position: int) -> None:
        """Readers mostly go on where they, or another reader, have stopped: keep where that is."""
        positions = self._positions
        if len(positions) >= _POSITIONS_KEPT:
            positions.clear()
        positions[offset] = (segment, position)

    def forget_positions(self) -> None:
        """Positions have changed: a truncation, or a segment has gone."""
        self._positions.clear()

    def _aborted(self, segment: LogSegment, offset: int, end: int) -> list[AbortedTxn]:
        """Those of the batches from `offset` to the position `end`, and as in Kafka some that come soon behind it."""
        upper_bound = segment.upper_bound(end)
        if upper_bound is None:
            following = self.segments.after(segment)
            upper_bound = following.base_offset if following is not None else self.log_end_offset
        found: list[AbortedTxn] = []
        at: LogSegment | None = segment
        while at is not None:
            rows, is_complete = at.txn_index.collect(offset, upper_bound)
            found += rows
            if is_complete:
                break
            at = self.segments.after(at)
        return found

    # -- offsets --

    def update_high_watermark(self, offset: int) -> bool:
        """Everything below `offset` is committed. Never beyond the log end; True when it has advanced."""
        offset = min(offset, self.log_end_offset)
        if offset <= self.high_watermark:
            return False
        self.high_watermark = offset
        self.update_last_stable_offset()
        return True

    def advance_high_watermark(self) -> bool:
        """One replica: what is written is committed, and synced where `flush.messages` asks for it, as in Kafka.

        True when it has advanced.
        """
        end_offset = self.committable_end if self.sync_offset > self.synced_offset else self.log_end_offset
        if end_offset == self.high_watermark:
            return False
        self.high_watermark = end_offset
        self.update_last_stable_offset()
        return True

    @property
    def committable_end(self) -> int:
        """How far this replica has the log, in the sense of the high watermark: synced, if that is asked for."""
        if self.sync_offset > self.synced_offset:
            return max(self.high_watermark, min(self.log_end_offset, self.synced_offset))
        return self.log_end_offset

    @property
    def last_write(self) -> Completion | None:
        """The end of the youngest write that is under way."""
        return self._pending[-1][3] if self._pending else None

    def update_last_stable_offset(self) -> None:
        """The last stable offset is the high watermark, or where the oldest undecided transaction begins."""
        high_watermark = self.high_watermark
        producers = self.producers
        if producers.has_transactions:
            producers.on_high_watermark(high_watermark)
            unstable = producers.first_unstable_offset
            if unstable is not None and unstable < high_watermark:
                self.last_stable_offset = max(unstable, self.log_start_offset)
                return
        self.last_stable_offset = high_watermark

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        """(the largest epoch known that is at most `epoch`, its end offset); (-1, -1) if not known (KIP-101, 279)."""
        return self.epochs.end_offset_for(epoch, self.log_end_offset)

    @property
    def size_bytes(self) -> int:
        """The bytes of all segments."""
        return sum(segment.size for segment in self.segments)

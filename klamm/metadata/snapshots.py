"""When the metadata log is snapshotted, and which snapshots and segments go (KIP-630).

A snapshot is due after so many bytes of log or so much time; it is written off the event loop, from an image, which
nobody changes. Old ones go by size and age; the newest stays, and the log is kept from the oldest one's end on.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from klamm.kproto import records
from klamm.kproto.control_records import SnapshotHeaderRecord
from klamm.log import upkeep
from klamm.metadata.image.snapshot_records import image_records
from klamm.metadata.raft.exchange import LogStartMoved, SnapshotTaken
from klamm.metadata.raft.log_index import OffsetAndEpoch
from klamm.metadata.snapshot_file import SnapshotId, encode_snapshot, file_name, find_snapshots

if TYPE_CHECKING:
    from klamm.metadata.image.image import MetadataImage
    from klamm.metadata.metadata_log import MetadataLog
    from klamm.seams import Clock

_logger = logging.getLogger(__name__)


_CLOSE_BYTES = 1 << 20
"""A clean stop snapshots a log of more than this, for a quick start: about 15,000 records."""


class SnapshotSettings(NamedTuple):
    """metadata.log.max.record.bytes.between.snapshots, metadata.log.max.snapshot.interval.ms (0: never by time),
    metadata.max.retention.bytes and .ms (-1: no limit).
    """

    record_bytes: int = 20 * 1024 * 1024
    interval_ms: float = 3_600_000
    retention_bytes: int = 104_857_600
    retention_ms: int = 604_800_000


class Snapshots:
    """Writes and deletes the snapshots of one log. `unsnapshotted_bytes`: what was replayed behind the newest one."""

    def __init__(
        self, metadata_log: MetadataLog, settings: SnapshotSettings, clock: Clock, unsnapshotted_bytes: int
    ) -> None:
        log = metadata_log.log
        self._metadata_log = metadata_log
        self._log = log
        self._settings = settings
        self._clock = clock
        # Bytes of the log that a snapshot covers, counted from the log's present start.
        self._covered_bytes = log.size_bytes - unsnapshotted_bytes
        self._last_ms = clock.monotonic_ms()
        self._is_writing = False
        self._is_closed = False

    def on_commit(self, image: MetadataImage) -> None:
        """Look whether a snapshot is due; `image` is what is committed now."""
        if self._is_writing or image.offset < 0:
            return
        settings = self._settings
        by_size = self._unsnapshotted_bytes() >= settings.record_bytes
        by_time = settings.interval_ms > 0 and self._clock.monotonic_ms() - self._last_ms >= settings.interval_ms
        if by_size or by_time:
            self.write(image)

    def on_replaced(self) -> None:
        """A snapshot that was fetched has taken the place of the log."""
        self._covered_bytes = self._log.size_bytes
        self._last_ms = self._clock.monotonic_ms()

    def close(self, image: MetadataImage) -> None:
        """The last chance: the file is written before the flusher ends, nothing is cleaned any more."""
        self._is_closed = True
        if not self._is_writing and image.offset >= 0 and self._unsnapshotted_bytes() >= _CLOSE_BYTES:
            self.write(image)

    def _unsnapshotted_bytes(self) -> int:
        return self._log.size_bytes - self._covered_bytes

    def write(self, image: MetadataImage) -> None:
        """Begin to write a snapshot of `image`."""
        log, disk, now_ms = self._log, self._log.log_dir.disk, self._clock.time_ms()
        self._is_writing = True
        self._last_ms = self._clock.monotonic_ms()
        covered_bytes = log.size_bytes
        snapshot_id = SnapshotId(image.offset + 1, image.epoch)
        kraft_version, voters = self._metadata_log.raft.history.at(snapshot_id.end_offset)

        sizes: list[int] = []

        def work() -> None:
            data = encode_snapshot(
                image_records(image),
                image.metadata_version,
                timestamp_ms=now_ms,
                last_contained_log_timestamp=now_ms,
                kraft_version=kraft_version,
                voters=voters,
            )
            path = f"{log.directory}/{file_name(snapshot_id)}"
            disk.write_atomic(path, data)
            disk.protect(path)
            sizes.append(len(data))

        def done(error: BaseException | None) -> None:
            self._is_writing = False
            if error is not None:
                _logger.error("the metadata snapshot at offset %d was not written: %s", image.offset, error)
                return
            self._covered_bytes = covered_bytes
            if not self._is_closed:
                self._metadata_log.step(SnapshotTaken(OffsetAndEpoch(*snapshot_id), sizes[0]))
                self.clean()

        log.log_dir.flusher.submit(work, done)

    def clean(self) -> None:
        """Delete the snapshots that retention lets go, and the segments below the oldest one that stays."""
        log, disk = self._log, self._log.log_dir.disk
        kept = find_snapshots(disk, log.directory)
        total = log.size_bytes + sum(disk.size(self._path(snapshot_id)) for snapshot_id in kept)
        while len(kept) > 1 and (0 <= self._settings.retention_bytes < total or self._is_old(kept[0])):
            path = self._path(kept.pop(0))
            total -= disk.size(path)
            disk.remove(path)
        if kept and kept[0].end_offset > log.log_start_offset:
            before = log.size_bytes
            upkeep.increment_log_start_offset(log, min(kept[0].end_offset, log.high_watermark))
            upkeep.delete_old_segments(log, self._clock.time_ms())
            self._covered_bytes -= before - log.size_bytes
            self._metadata_log.step(LogStartMoved(log.log_start_offset))

    def _is_old(self, snapshot_id: SnapshotId) -> bool:
        if self._settings.retention_ms < 0:
            return False
        first = next(records.batches(self._log.log_dir.disk.read(self._path(snapshot_id))))
        header = next(records.iter_records(first))
        written_ms = SnapshotHeaderRecord.decode(header.value or b"", 0).last_contained_log_timestamp
        return self._clock.time_ms() - written_ms > self._settings.retention_ms

    def _path(self, snapshot_id: SnapshotId) -> str:
        return f"{self._log.directory}/{file_name(snapshot_id)}"

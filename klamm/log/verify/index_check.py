"""Indexes held against their segment, in one pass with it: the segment's check tells the batches as it meets them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from klamm.log.dump.data_files import data_file
from klamm.log.dump.index_facts import OFFSET_ENTRY, TIME_ENTRY, index_rows, insane, zeros_within
from klamm.log.verify.findings import ERROR, INFO, WARNING, Finding, Report

if TYPE_CHECKING:
    from klamm.kproto.records import Batch
    from klamm.log.disk import Disk

_SHOWN_MAX: Final = 5
"""Wrong entries of one index that are told one by one."""
_REBUILT: Final = "made anew from the segment at the next start"
_TRUSTED: Final = "Kafka trusts it, klamm makes it anew when a lookup leads astray; 'klamm log repair' makes it anew"


class IndexCheck:
    """One index file. `is_wrong` after the pass: it must be made anew."""

    entry: struct.Struct
    offset_at: int

    def __init__(self, disk: Disk, path: str, base_offset: int, report: Report) -> None:
        self.path = path
        self.is_wrong = False
        self._base_offset = base_offset
        self._report = report
        self._wrong = 0
        self.is_missing = not disk.exists(path)
        data = b"" if self.is_missing else disk.read(path)
        self._check_form(data)
        self._rows: Iterator[tuple[int, int]] = index_rows(data, self.entry, self.offset_at)
        self._next = next(self._rows, None) if any(data) else None

    def _check_form(self, data: bytes) -> None:
        file = data_file(self.path)
        if file is not None and any(data) and len(data) % self.entry.size == 0:
            # The zeros at the end, which a kill leaves behind, make no index wrong.
            data = data[: -(-len(data.rstrip(b"\0")) // self.entry.size) * self.entry.size]
        if file is not None and (reason := insane(data, self.entry, file)) is not None:
            self.wrong("insane_index", reason, recovery=_REBUILT, severity=WARNING)
        elif (at := zeros_within(data, self.entry, self.offset_at)) is not None:
            self.wrong("index_mismatch", f"there are entries behind zeros at byte {at}")

    def wrong(
        self, code: str, message: str, *, offset: int | None = None, recovery: str = _TRUSTED, severity: str = ERROR
    ) -> None:
        """Report an entry; after a few only their number is told, by `finish`."""
        self.is_wrong = True
        self._wrong += 1
        if self._wrong <= _SHOWN_MAX:
            self._report(Finding(severity, code, self.path, message, recovery, offset))

    def finish(self, is_pending: bool, is_clean: bool, segment_size: int) -> None:
        """The segment is read: tell what is left."""
        while self._next is not None:
            self.wrong("index_beyond_log", "an entry leads behind the end of the segment", offset=self._next_offset())
            self._next = next(self._rows, None)
        if self._wrong > _SHOWN_MAX:
            message = f"{self._wrong - _SHOWN_MAX} more entries of it are wrong"
            self._report(Finding(ERROR, "index_mismatch", self.path, message, _TRUSTED))
        if self.is_missing and segment_size:
            severity = INFO if is_pending else WARNING
            recovery = f"{_REBUILT}; Kafka forgets the log's producers with it" if is_clean else _REBUILT
            self._report(Finding(severity, "missing_index", self.path, "the index is missing", recovery))
            self.is_wrong = self.is_wrong or severity == WARNING

    def _next_offset(self) -> int:
        assert self._next is not None
        return self._base_offset + self._next[self.offset_at]


class OffsetIndexCheck(IndexCheck):
    """Every entry must name the last offset of a batch that begins at its position."""

    entry, offset_at = OFFSET_ENTRY, 0

    def on_batch(self, position: int, batch: Batch) -> None:
        while self._next is not None and self._next[1] <= position:
            offset, at = self._next_offset(), self._next[1]
            if at < position:
                self.wrong("index_mismatch", f"no batch begins at {at}", offset=offset)
            elif offset != batch.last_offset:
                message = f"the batch at {at} ends with offset {batch.last_offset}, the index says {offset}"
                self.wrong("index_mismatch", message, offset=offset)
            self._next = next(self._rows, None)


class TimeIndexCheck(IndexCheck):
    """Every entry must be the highest timestamp so far and the last offset of its batch."""

    entry, offset_at = TIME_ENTRY, 1

    def __init__(self, disk: Disk, path: str, base_offset: int, report: Report) -> None:
        self._highest, self._last_entry = -1, -1
        super().__init__(disk, path, base_offset, report)

    def on_batch(self, position: int, batch: Batch) -> None:
        self._highest = max(self._highest, batch.max_timestamp)
        while self._next is not None and self._next_offset() <= batch.last_offset:
            offset, timestamp = self._next_offset(), self._next[0]
            if offset < batch.last_offset:
                self.wrong("time_index_mismatch", f"no batch ends with offset {offset}", offset=offset)
            elif timestamp != self._highest:
                message = f"up to offset {offset} the highest timestamp is {self._highest}, the index says {timestamp}"
                self.wrong("time_index_mismatch", message, offset=offset)
            elif timestamp <= self._last_entry:
                self.wrong("time_index_mismatch", f"{timestamp} comes after {self._last_entry}", offset=offset)
            self._last_entry = max(self._last_entry, timestamp)
            self._next = next(self._rows, None)

    def finish(self, is_pending: bool, is_clean: bool, segment_size: int) -> None:
        super().finish(is_pending, is_clean, segment_size)
        if not self.is_missing and not self.is_wrong and self._last_entry < self._highest:
            if is_pending:
                return  # the last entry is added at the roll or the close
            message = f"the highest timestamp of the segment, {self._highest}, has no entry"
            recovery = "none: retention by time counts from the last entry's timestamp"
            self.wrong("time_index_incomplete", message, recovery=recovery, severity=WARNING)

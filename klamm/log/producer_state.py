"""What one log knows of its producers: epochs, the last five batches of each, and their open transactions.

Built only from the batches of the log (and, to save reading, from snapshots of it), so that every replica has the
same. `check` reads, `append` changes; the rules and error codes are those of Kafka's idempotent and transactional
producers (KIP-98, KIP-360, KIP-890).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.kproto.records import NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP
from klamm.log.txn_index import AbortedTxn
from klamm.log.verification import Verification

BATCHES_KEPT: Final = 5
MARK_EVERY: Final = 512
"""Batches between two marks; more where there are more producers, so that a batch costs the same."""
_MARKS_KEPT: Final = 8
NO_TXN: Final = -1


class BatchMetadata(NamedTuple):
    """One appended batch of a producer. `offset_delta` is last minus first offset, which its sequences share."""

    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def first_sequence(self) -> int:
        return (self.last_sequence - self.offset_delta) & 0x7FFFFFFF

    @property
    def first_offset(self) -> int:
        return self.last_offset - self.offset_delta


class ProducerStateEntry:
    """One producer id. `batches` holds the last five, oldest first; `last_timestamp` is in ms."""

    __slots__ = (
        "batches",
        "coordinator_epoch",
        "current_txn_first_offset",
        "last_timestamp",
        "producer_epoch",
        "producer_id",
    )

    def __init__(
        self,
        producer_id: int,
        producer_epoch: int = NO_PRODUCER_EPOCH,
        coordinator_epoch: int = -1,
        last_timestamp: int = NO_TIMESTAMP,
        current_txn_first_offset: int = NO_TXN,
        batch: BatchMetadata | None = None,
    ) -> None:
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        self.coordinator_epoch = coordinator_epoch
        self.last_timestamp = last_timestamp
        self.current_txn_first_offset = current_txn_first_offset
        self.batches: list[BatchMetadata] = [] if batch is None else [batch]

    @property
    def last_sequence(self) -> int:
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    @property
    def last_offset(self) -> int:
        """The offset of the last data record; -1 when only markers are known."""
        return self.batches[-1].last_offset if self.batches else -1

    def is_alive(self, forget_before_ms: int) -> bool:
        """Whether the producer is remembered: its last record is younger than that, or its transaction is open."""
        return self.last_timestamp > forget_before_ms or self.current_txn_first_offset != NO_TXN

    def duplicate(self, producer_epoch: int, first_sequence: int, last_sequence: int) -> BatchMetadata | None:
        """The one of the last five batches that has these sequence numbers."""
        if producer_epoch == self.producer_epoch:
            for batch in self.batches:
                if batch.last_sequence == last_sequence and batch.first_sequence == first_sequence:
                    return batch
        return None

    def copy(self) -> ProducerStateEntry:
        """One that stays as this one is now."""
        copied = ProducerStateEntry(
            self.producer_id,
            self.producer_epoch,
            self.coordinator_epoch,
            self.last_timestamp,
            self.current_txn_first_offset,
        )
        copied.batches = list(self.batches)
        return copied

    def raise_epoch(self, producer_epoch: int) -> None:
        if producer_epoch != self.producer_epoch:
            self.producer_epoch = producer_epoch
            self.batches.clear()


class CompletedTxn(NamedTuple):
    """A transaction that a marker ended. Offsets are inclusive; the last one is the marker's."""

    producer_id: int
    first_offset: int
    last_offset: int
    is_aborted: bool


class _Mark(NamedTuple):
    """The state below an offset."""

    offset: int
    entries: list[ProducerStateEntry]
    unreplicated: dict[int, int]


class ProducerState:
    """All producers of one log, and from it the first offset that `read_committed` must not pass.

    It remembers how it was at a few recent offsets: a log whose end is cut need not be read from its last snapshot on.
    """

    __slots__ = (
        "_marks",
        "_ongoing",
        "_unmarked",
        "_unreplicated",
        "map_end_offset",
        "must_verify",
        "producers",
        "verifications",
    )

    def __init__(self) -> None:
        self.producers: dict[int, ProducerStateEntry] = {}
        self.map_end_offset = 0
        """The offset behind the last batch that this state knows of."""
        self._ongoing: dict[int, int] = {}  # first offset -> producer id, oldest first
        self._unreplicated: dict[int, int] = {}  # first offset -> marker's offset, oldest first
        self.must_verify = False
        """Whether a transaction needs a `Verification` to begin here, as on a broker."""
        self.verifications: dict[int, Verification] = {}
        self._marks: deque[_Mark] = deque(maxlen=_MARKS_KEPT)
        self._unmarked = 0

    def check(
        self, producer_id: int, producer_epoch: int, first_sequence: int, last_sequence: int, is_transactional: bool
    ) -> BatchMetadata | None:
        """May a client append this batch? None if so; the batch it repeats if it is a duplicate.

        Raises KafkaError: INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_TXN_STATE.
        """
        entry = self.producers.get(producer_id)
        if is_transactional and self.must_verify:
            if entry is not None and (found := entry.duplicate(producer_epoch, first_sequence, last_sequence)):
                return found
            self._check_verified(producer_id, producer_epoch, first_sequence)
        if entry is None:
            # Unknown producers may begin anywhere: their state can have been lost to retention.
            return None
        batches = entry.batches
        if producer_epoch == entry.producer_epoch:
            if batches:
                last = batches[-1][0]
                if first_sequence != (last + 1) & 0x7FFFFFFF:
                    found = entry.duplicate(producer_epoch, first_sequence, last_sequence)
                    if found is not None:
                        return found
                    raise _out_of_order(producer_id, first_sequence, last)
            elif first_sequence != 0:
                raise _out_of_order(producer_id, first_sequence, NO_SEQUENCE)
        elif producer_epoch < entry.producer_epoch:
            raise _fenced(entry, producer_epoch)
        elif first_sequence != 0 and entry.producer_epoch != NO_PRODUCER_EPOCH:
            raise KafkaError(
                errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {producer_id} begins epoch {producer_epoch} with sequence number {first_sequence}",
            )
        self._check_txn(entry, is_transactional)
        return None

    def has_open_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """Whether the producer's transaction, of that epoch, has batches here and no end."""
        entry = self.producers.get(producer_id)
        return entry is not None and entry.producer_epoch == producer_epoch and entry.current_txn_first_offset != NO_TXN

    def begin_verification(
        self, producer_id: int, producer_epoch: int, sequence: int, now_ms: int
    ) -> Verification | None:
        """What is to be marked before a transactional batch may be appended; None: its transaction is open here."""
        if self.has_open_transaction(producer_id, producer_epoch):
            return None
        found = self.verifications.get(producer_id)
        if found is None:
            found = self.verifications[producer_id] = Verification(producer_epoch, sequence, now_ms)
        else:
            found.meet(producer_epoch, sequence)
        return found

    def _check_verified(self, producer_id: int, producer_epoch: int, first_sequence: int) -> None:
        if self.has_open_transaction(producer_id, producer_epoch):
            return
        found = self.verifications.get(producer_id)
        if found is None or not found.is_verified:
            raise KafkaError(
                errors.INVALID_TXN_STATE, f"producer {producer_id} writes to a transaction that has not been verified"
            )
        if first_sequence > found.lowest_sequence:
            raise _out_of_order(producer_id, first_sequence, found.lowest_sequence)

    def check_epoch(self, producer_id: int, producer_epoch: int, is_transactional: bool) -> None:
        """The check for a coordinator's data batches, which carry no sequence numbers. Raises KafkaError."""
        entry = self.producers.get(producer_id)
        if is_transactional and self.must_verify:
            self._check_verified(producer_id, producer_epoch, NO_SEQUENCE)
        if entry is not None:
            if producer_epoch < entry.producer_epoch:
                raise _fenced(entry, producer_epoch)
            self._check_txn(entry, is_transactional)

    def check_marker(self, producer_id: int, producer_epoch: int, coordinator_epoch: int) -> None:
        """May a coordinator append this end-of-transaction marker? Raises KafkaError."""
        entry = self.producers.get(producer_id)
        if entry is not None:
            if producer_epoch < entry.producer_epoch:
                raise _fenced(entry, producer_epoch)
            if coordinator_epoch < entry.coordinator_epoch:
                raise KafkaError(
                    errors.TRANSACTION_COORDINATOR_FENCED,
                    f"marker of coordinator epoch {coordinator_epoch}, {entry.coordinator_epoch} has been seen",
                )

    @staticmethod
    def _check_txn(entry: ProducerStateEntry, is_transactional: bool) -> None:
        if entry.current_txn_first_offset != NO_TXN and not is_transactional:
            raise KafkaError(
                errors.INVALID_TXN_STATE,
                f"producer {entry.producer_id} writes outside of its transaction, which is open",
            )

    def append(
        self,
        producer_id: int,
        producer_epoch: int,
        last_sequence: int,
        first_offset: int,
        last_offset: int,
        timestamp: int,
        is_transactional: bool,
    ) -> None:
        """A data batch of a producer is in the log. Unchecked: the log is right."""
        self._unmarked += 1
        if self._unmarked >= MARK_EVERY and self._unmarked >= len(self.producers):
            self._mark(first_offset)
        entry = self.producers.get(producer_id)
        if entry is None:
            entry = self.producers[producer_id] = ProducerStateEntry(producer_id, producer_epoch)
        elif entry.producer_epoch != producer_epoch:
            entry.raise_epoch(producer_epoch)
        batches = entry.batches
        if len(batches) == BATCHES_KEPT:
            del batches[0]
        batches.append(BatchMetadata(last_sequence, last_offset, last_offset - first_offset, timestamp))
        entry.last_timestamp = timestamp
        self.map_end_offset = last_offset + 1
        if is_transactional and entry.current_txn_first_offset == NO_TXN:
            entry.current_txn_first_offset = first_offset
            self._ongoing[first_offset] = producer_id
            self.verifications.pop(producer_id, None)

    def append_marker(
        self,
        producer_id: int,
        producer_epoch: int,
        coordinator_epoch: int,
        offset: int,
        timestamp: int,
        is_abort: bool,
    ) -> CompletedTxn | None:
        """A marker is in the log. The transaction that it ended; None when it had no records here."""
        entry = self.producers.get(producer_id)
        if entry is None:
            entry = self.producers[producer_id] = ProducerStateEntry(producer_id)
        self.verifications.pop(producer_id, None)
        entry.raise_epoch(producer_epoch)
        entry.coordinator_epoch = coordinator_epoch
        entry.last_timestamp = timestamp
        first_offset, entry.current_txn_first_offset = entry.current_txn_first_offset, NO_TXN
        self.map_end_offset = offset + 1
        if first_offset == NO_TXN:
            return None
        self._ongoing.pop(first_offset, None)
        self._unreplicated[first_offset] = offset
        return CompletedTxn(producer_id, first_offset, offset, is_abort)

    @property
    def has_transactions(self) -> bool:
        """Whether any transaction may hold `read_committed` readers back."""
        return bool(self._ongoing or self._unreplicated)

    @property
    def first_unstable_offset(self) -> int | None:
        """The first offset of the oldest transaction that is open, or whose marker is not yet below the HW."""
        if not self._ongoing and not self._unreplicated:
            return None
        return min(*self._ongoing.keys(), *self._unreplicated.keys(), 1 << 63)

    def last_stable_offset_after(self, completed: CompletedTxn) -> int:
        """The last stable offset once that transaction's marker is replicated (goes into the aborted index)."""
        others = [first for first in self._ongoing if first != completed.first_offset]
        return min(others, default=completed.last_offset + 1)

    def on_high_watermark(self, high_watermark: int) -> None:
        """Transactions whose marker is below the high watermark are decided for readers."""
        if self._unreplicated:
            for first, last in list(self._unreplicated.items()):
                if last < high_watermark:
                    del self._unreplicated[first]

    def remove_expired(self, forget_before_ms: int) -> None:
        """Forget producers that are not alive: see `ProducerStateEntry.is_alive`."""
        self.producers = {
            producer_id: entry for producer_id, entry in self.producers.items() if entry.is_alive(forget_before_ms)
        }
        self.verifications = {
            producer_id: found for producer_id, found in self.verifications.items() if found.begun_ms > forget_before_ms
        }

    def load(self, entries: Iterator[ProducerStateEntry] | list[ProducerStateEntry], end_offset: int) -> None:
        """Replace the state by that of a snapshot taken at `end_offset`."""
        self.clear()
        self._fill(entries, end_offset)

    def _mark(self, offset: int) -> None:
        entries = [entry.copy() for entry in self.producers.values()]
        self._marks.append(_Mark(offset, entries, dict(self._unreplicated)))
        self._unmarked = 0

    def go_back(self, offset: int, forget_before_ms: int) -> int | None:
        """Be again as at the last mark up to `offset`, without producers that are not alive; the mark's offset.

        None without one: nothing has changed then.
        """
        while self._marks and self._marks[-1].offset > offset:
            self._marks.pop()
        if not self._marks:
            return None
        marks, mark = self._marks.copy(), self._marks[-1]
        self.load([entry.copy() for entry in mark.entries if entry.is_alive(forget_before_ms)], mark.offset)
        self._unreplicated.update(mark.unreplicated)
        self._marks = marks
        return mark.offset

    def _fill(self, entries: Iterator[ProducerStateEntry] | list[ProducerStateEntry], end_offset: int) -> None:
        for entry in entries:
            self.producers[entry.producer_id] = entry
        open_txns = [e for e in self.producers.values() if e.current_txn_first_offset != NO_TXN]
        for entry in sorted(open_txns, key=lambda e: e.current_txn_first_offset):
            self._ongoing[entry.current_txn_first_offset] = entry.producer_id
        self.map_end_offset = end_offset

    def on_log_start_offset(self, log_start_offset: int) -> None:
        """Transactions that ended below the log start cannot hold readers back any more."""
        for first, last in list(self._unreplicated.items()):
            if last < log_start_offset:
                del self._unreplicated[first]
        self.map_end_offset = max(self.map_end_offset, log_start_offset)

    def clear(self) -> None:
        self.producers.clear()
        self._ongoing.clear()
        self._unreplicated.clear()
        self._marks.clear()
        self._unmarked = 0
        self.map_end_offset = 0


def aborted_txn(completed: CompletedTxn, last_stable_offset: int) -> AbortedTxn:
    """The index entry of an aborted transaction."""
    return AbortedTxn(completed.producer_id, completed.first_offset, completed.last_offset, last_stable_offset)


def read_marker(batch: records.Batch) -> tuple[bool, int] | None:
    """(is abort, coordinator epoch) of a control batch that ends a transaction; None for other control batches."""
    record = next(records.iter_records(batch), None)
    if record is None:
        return None
    kind = records.control_type(record.key)
    if kind not in (records.CONTROL_ABORT, records.CONTROL_COMMIT):
        return None
    if record.value is None or len(record.value) < 6:
        raise KafkaError(errors.INVALID_RECORD, "an end-of-transaction marker without a coordinator epoch")
    return kind == records.CONTROL_ABORT, int.from_bytes(record.value[2:6], "big", signed=True)


def _out_of_order(producer_id: int, first_sequence: int, known: int) -> KafkaError:
    return KafkaError(
        errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
        f"producer {producer_id} sent sequence number {first_sequence}, {known} has been seen",
    )


def _fenced(entry: ProducerStateEntry, producer_epoch: int) -> KafkaError:
    # INVALID_PRODUCER_EPOCH and not PRODUCER_FENCED since KIP-588, so that the client may abort and go on.
    return KafkaError(
        errors.INVALID_PRODUCER_EPOCH,
        f"producer {entry.producer_id} has epoch {producer_epoch}, {entry.producer_epoch} has been seen",
    )

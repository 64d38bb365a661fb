"""Transactions as a compaction pass meets them, batch by batch in the order of the log.

Records of aborted transactions go; a marker may go when no batch of its transaction was met before it, that is, when a
former pass has removed them all. The rules of Kafka's CleanedTransactionMetadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klamm.log.txn_index import AbortedTxn


class CleanedTransactions:
    """What is under way at one place of the log. `aborted`: the aborted transactions of all that will be read."""

    __slots__ = ("_aborted", "_committed", "_next", "_ongoing", "retained")

    def __init__(self, aborted: list[AbortedTxn]) -> None:
        self._aborted = sorted(aborted, key=lambda txn: txn.first_offset)
        self._next = 0
        self._ongoing: dict[int, tuple[AbortedTxn, bool]] = {}  # by producer id; whether a batch of it was met
        self._committed: set[int] = set()
        self.retained: list[AbortedTxn] = []
        """The aborted transactions whose marker stays: the entries of the cleaned segment's index."""

    def _begin_up_to(self, offset: int) -> None:
        aborted = self._aborted
        while self._next < len(aborted) and aborted[self._next].first_offset <= offset:
            txn = aborted[self._next]
            self._ongoing.setdefault(txn.producer_id, (txn, False))
            self._next += 1

    def is_aborted(self, producer_id: int, last_offset: int) -> bool:
        """Whether a transactional data batch belongs to an aborted transaction."""
        self._begin_up_to(last_offset)
        found = self._ongoing.get(producer_id)
        if found is None:
            self._committed.add(producer_id)
            return False
        self._ongoing[producer_id] = found[0], True
        return True

    def end_abort(self, producer_id: int, last_offset: int) -> bool:
        """An abort marker: whether nothing is left of its transaction."""
        self._begin_up_to(last_offset)
        txn, has_batches = self._ongoing.pop(producer_id, (None, False))
        if txn is not None and has_batches:
            self.retained.append(txn)
            return False
        return True

    def end_commit(self, producer_id: int, last_offset: int) -> bool:
        """A commit marker: whether nothing is left of its transaction."""
        self._begin_up_to(last_offset)
        if producer_id in self._committed:
            self._committed.remove(producer_id)
            return False
        return True

"""What a log knows of transactions that are about to begin in it (KIP-890).

The first batch of a transaction is taken only when its coordinator is known to know of the partition: else a batch that
comes late could open a transaction that nobody ends. Who asks the coordinator holds a `Verification` and marks it with
the answer. A marker or a first batch takes it out of the log, so that an answer which comes later allows nothing.
"""

from __future__ import annotations


class Verification:
    """One producer that is being verified. `lowest_sequence` is the lowest that came in its epoch so far."""

    __slots__ = ("begun_ms", "is_verified", "lowest_sequence", "producer_epoch")

    def __init__(self, producer_epoch: int, sequence: int, begun_ms: int) -> None:
        self.producer_epoch = producer_epoch
        self.lowest_sequence = sequence
        self.begun_ms = begun_ms
        self.is_verified = False
        """Whether the coordinator has said that the partition is part of the transaction."""

    def meet(self, producer_epoch: int, sequence: int) -> None:
        """Another batch of the producer asks to be verified: requests may overtake each other."""
        if producer_epoch > self.producer_epoch:
            self.producer_epoch, self.lowest_sequence = producer_epoch, sequence
        elif producer_epoch == self.producer_epoch:
            self.lowest_sequence = min(self.lowest_sequence, sequence)

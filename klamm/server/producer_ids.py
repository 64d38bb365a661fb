"""Producer ids for idempotent producers, handed out of blocks that the controller allocates (KIP-730)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from klamm.metadata.node_metadata import MetadataNode


class Block(NamedTuple):
    """`size` ids from `first` on."""

    first: int
    size: int


class ProducerIds:
    """Gives every caller another id; no id is ever given twice, also over restarts."""

    def __init__(self, metadata: MetadataNode) -> None:
        self._metadata = metadata
        self._next = self._end = 0

    async def next(self) -> int:
        """A producer id nobody had before. Raises KafkaError when the controller gives no block."""
        while self._next == self._end:
            block = self._metadata.allocate_producer_ids()
            if not isinstance(block, tuple):
                block = await block
            if self._next == self._end:
                self._next, self._end = block[0], block[0] + block[1]
        self._next += 1
        return self._next - 1

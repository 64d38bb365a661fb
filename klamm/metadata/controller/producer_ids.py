"""Producer ids come in blocks: a broker takes one and hands its ids out without asking again (KIP-730)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from klamm.kproto.metadata_records import ProducerIdsRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.brokers import BrokerControl
from klamm.metadata.image.image import MetadataImage

BLOCK_SIZE = 1000


class ProducerIdBlock(NamedTuple):
    """The ids from `first` to `first + size - 1`."""

    first: int
    size: int


class ProducerIdControl:
    def __init__(self, state: Callable[[], MetadataImage], brokers: BrokerControl) -> None:
        self._state = state
        self._brokers = brokers

    def allocate(self, broker_id: int, broker_epoch: int) -> Decision[ProducerIdBlock, Message]:
        """The next block, which no other broker gets. Raises KafkaError for an unknown broker or a stale epoch."""
        self._brokers.checked(broker_id, broker_epoch)
        first = self._state().next_producer_id
        record = ProducerIdsRecord(broker_id=broker_id, broker_epoch=broker_epoch, next_producer_id=first + BLOCK_SIZE)
        return Decision(ProducerIdBlock(first, BLOCK_SIZE), [record])

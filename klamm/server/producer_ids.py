"""Producer ids for idempotent producers, handed out of blocks that the controller allocates (KIP-730)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.allocate_producer_ids import AllocateProducerIdsRequest, AllocateProducerIdsResponse

if TYPE_CHECKING:
    from klamm.server.broker_lifecycle import BrokerLifecycle
    from klamm.server.to_controller import ToController


class ProducerIds:
    """Gives every caller another id; no id is ever given twice, also over restarts."""

    def __init__(self, broker_id: int, controller: ToController, lifecycle: BrokerLifecycle) -> None:
        self._broker_id = broker_id
        self._controller = controller
        self._lifecycle = lifecycle
        self._next = self._end = 0

    async def next(self) -> int:
        """A producer id nobody had before. Raises KafkaError when the controller gives no block."""
        while self._next == self._end:
            request = AllocateProducerIdsRequest(broker_id=self._broker_id, broker_epoch=self._lifecycle.broker_epoch)
            block = await self._controller.send(request).future()
            assert isinstance(block, AllocateProducerIdsResponse)
            if block.error_code != errors.NONE:
                raise KafkaError(block.error_code)
            if self._next == self._end:
                self._next, self._end = block.producer_id_start, block.producer_id_start + block.producer_id_len
        self._next += 1
        return self._next - 1

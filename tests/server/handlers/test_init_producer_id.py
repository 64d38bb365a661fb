"""InitProducerId of an idempotent producer: id and epoch come together or not at all."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from klamm.testing.wire import WireClient


@pytest.mark.parametrize(
    ("producer_id", "producer_epoch", "code"),
    [(-1, -1, errors.NONE), (5, 3, errors.NONE), (5, -1, errors.INVALID_REQUEST), (-1, 3, errors.INVALID_REQUEST)],
)
def test_id_and_epoch(wire: WireClient, producer_id: int, producer_epoch: int, code: int) -> None:
    request = InitProducerIdRequest(
        transactional_id=None, transaction_timeout_ms=1000, producer_id=producer_id, producer_epoch=producer_epoch
    )
    answer = wire.ask(request, 4, InitProducerIdResponse)
    assert (answer.error_code, answer.producer_epoch) == (code, -1 if code else 0)

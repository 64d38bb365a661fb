"""UnregisterBroker over the wire: a broker that nobody knows."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from klamm.testing.wire import WireClient


def test_nobody_knows_it(wire: WireClient) -> None:
    answer = wire.ask(UnregisterBrokerRequest(broker_id=99), 0, UnregisterBrokerResponse)
    assert answer.error_code == errors.BROKER_ID_NOT_REGISTERED

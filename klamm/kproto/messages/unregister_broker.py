"""UnregisterBroker (API 64): forget a broker that will not come back."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, string


class UnregisterBrokerRequest(Message, key=64, versions="0", flexible="0+"):
    """The broker's id."""

    broker_id: int32


class UnregisterBrokerResponse(Message, key=64, versions="0", flexible="0+"):
    """OK, or why not."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None

"""SaslHandshake v0-1 on a listener without SASL: always ILLEGAL_SASL_STATE, as a plaintext listener of Kafka
answers.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext


def handle(broker: Broker, context: RequestContext, request: SaslHandshakeRequest) -> SaslHandshakeResponse:
    return SaslHandshakeResponse(error_code=errors.ILLEGAL_SASL_STATE, mechanisms=[])

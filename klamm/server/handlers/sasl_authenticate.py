"""SaslAuthenticate v0-2 on a listener without SASL: always ILLEGAL_SASL_STATE, as a plaintext listener of Kafka
answers.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from klamm.server.broker import Broker
from klamm.server.request import RequestContext

_MESSAGE = "this listener does not authenticate by SASL, or has done so already"


def handle(broker: Broker, context: RequestContext, request: SaslAuthenticateRequest) -> SaslAuthenticateResponse:
    return SaslAuthenticateResponse(error_code=errors.ILLEGAL_SASL_STATE, error_message=_MESSAGE, auth_bytes=b"")

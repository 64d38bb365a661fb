"""A client's request that the active controller is to answer, sent on from a broker in an envelope (KIP-590)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError, info
from klamm.kproto.messages.envelope import EnvelopeRequest, EnvelopeResponse
from klamm.kproto.state_files import DefaultPrincipalData
from klamm.reply import Reply

if TYPE_CHECKING:
    from klamm.server.connection import Answer
    from klamm.server.request import RequestContext
    from klamm.server.to_controller import ControllerChannel

_SIZE: Final = struct.Struct(">i")
_INT16: Final = struct.Struct(">h")
_PRINCIPAL_VERSION: Final = 0


def forward(
    controller: ControllerChannel, context: RequestContext, frame: bytes, serve_here: Callable[[], Any]
) -> Reply[Answer]:
    """Have a request (a frame without its size) answered by the controller; by `serve_here` if that is here by then.

    Whoever asked does not hear that nobody is the controller: the time of the request was over.
    """
    kind, _, name = context.principal.partition(":")
    principal = DefaultPrincipalData(type=kind, name=name, token_authenticated=False)
    envelope = EnvelopeRequest(
        request_data=frame,
        request_principal=_INT16.pack(_PRINCIPAL_VERSION) + principal.encode(_PRINCIPAL_VERSION),
        client_host_address=_address(context.client_host),
    )
    answer: Reply[Answer] = Reply()

    def answered(result: Any) -> None:
        if isinstance(result, EnvelopeResponse) and result.error_code != errors.NONE:
            result = KafkaError(result.error_code)
        if isinstance(result, KafkaError) and result.code == errors.NOT_CONTROLLER:
            result = KafkaError(errors.REQUEST_TIMED_OUT, info(errors.REQUEST_TIMED_OUT).message)
        if not isinstance(result, EnvelopeResponse):
            answer.resolve(result)
        else:
            data = bytes(result.response_data or b"")
            answer.resolve([_SIZE.pack(len(data)) + data])

    controller.call(serve_here, envelope).then(answered)
    return answer


def _address(host: str) -> bytes:
    try:
        return ipaddress.ip_address(host).packed
    except ValueError:
        return bytes(4)

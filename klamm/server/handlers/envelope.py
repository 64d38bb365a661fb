"""Envelope v0: a request that a broker hands on to the active controller for its client (KIP-590).

Inside are a whole request and a whole answer, headers included; the client is who the broker says it is.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable

from klamm.kproto import apis, errors
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.frame import read_request_header
from klamm.kproto.messages.envelope import EnvelopeRequest, EnvelopeResponse
from klamm.kproto.schema import Message
from klamm.kproto.state_files import DefaultPrincipalData
from klamm.reply import Reply
from klamm.server.broker import Broker
from klamm.server.dispatch import encode_answer
from klamm.server.refusals import refusal
from klamm.server.request import RequestContext
from klamm.server.routes import Route, route


async def handle(broker: Broker, context: RequestContext, request: EnvelopeRequest) -> EnvelopeResponse:
    _check_principal(request.request_principal)
    frame = memoryview(bytes(request.request_data))
    try:
        header = read_request_header(frame)
    except ProtocolError as error:
        raise KafkaError(errors.UNSUPPORTED_VERSION, str(error)) from None
    if header.api_key not in apis.APIS:
        raise KafkaError(errors.UNSUPPORTED_VERSION, f"there is no API {header.api_key}")
    found = route(header.api_key, apis.CONTROLLER)
    if found is None or not found.api.forwardable or not found.api.low <= header.api_version <= found.api.high:
        raise KafkaError(errors.INVALID_REQUEST, "such a request is not forwarded")
    inner = RequestContext(
        header.api_key,
        header.api_version,
        header.client_id,
        _host(bytes(request.client_host_address)),
        context.listener_name,
        context.connection_id,
    )
    decoded, _ = found.request.decode_from(frame, header.body, header.api_version)
    try:
        response = await _answer(broker, found, inner, decoded)
    except KafkaError as error:
        if error.code == errors.NOT_CONTROLLER:
            raise  # the broker is to look for another one
        response = refusal(found, header.api_version, error, decoded)
    flexible = header.api_version >= found.tagged_answers_from
    chunks = encode_answer(response, header.api_version, header.correlation_id, flexible)
    return EnvelopeResponse(response_data=b"".join(chunks)[4:], error_code=errors.NONE)


async def _answer(broker: Broker, found: Route, context: RequestContext, request: Message) -> Message:
    answer = found.handle(broker, context, request)
    if isinstance(answer, Reply):
        answer = await answer.future()
    elif isinstance(answer, Awaitable):
        answer = await answer
    assert isinstance(answer, Message)
    return answer


def _check_principal(data: bytes | None) -> None:
    """It is an int16 version and a DefaultPrincipalData. Raises KafkaError PRINCIPAL_DESERIALIZATION_FAILURE."""
    raw = bytes(data or b"")
    try:
        if len(raw) < 2 or (version := int.from_bytes(raw[:2], "big", signed=True)) != 0:
            raise ProtocolError("no principal of a known version")
        DefaultPrincipalData.decode(raw[2:], version)
    except ProtocolError as error:
        raise KafkaError(errors.PRINCIPAL_DESERIALIZATION_FAILURE, str(error)) from None


def _host(address: bytes) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise KafkaError(errors.INVALID_REQUEST, f"an address of {len(address)} bytes") from None

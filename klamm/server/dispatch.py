"""One request from frame to answer: version check, decode, handler, error mapping, encode.

What every API shares is done here, once, so that a handler only unpacks, asks a domain object and shapes the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from klamm.kproto import apis, errors
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.frame import SCRATCH_BYTES, read_api, read_request_header, response_prefix
from klamm.kproto.schema import Message, RecordBytes
from klamm.reply import Reply
from klamm.server.refusals import refusal
from klamm.server.request import RequestContext
from klamm.server.routes import Route, route

if TYPE_CHECKING:
    from klamm.server.broker import Broker
    from klamm.server.connection import Answer, Connection

log = logging.getLogger(__name__)

_JOIN_BELOW_BYTES = 65536
_ANSWERED_BY_BROKERS = frozenset({apis.ALTER_CONFIGS, apis.INCREMENTAL_ALTER_CONFIGS})
"""Forwardable as they are, brokers look at them first, and hand on what is left."""
_APIS_VERSIONS_FALLBACK = apis.APIS[apis.API_VERSIONS]


class AcksZeroError(ProtocolError):
    """A produce request that gets no answer failed: closing the connection is how its client learns of it."""


def encode_answer(response: Message, version: int, correlation_id: int, header_version: int) -> Answer:
    """The chunks of an answer; small ones joined, large ones (records) left where they are."""
    parts: list[RecordBytes] = [b""]
    try:
        response.encode_to(parts, version)
    except ProtocolError:
        log.exception("a handler's answer does not fit version %d: %r", version, type(response).__name__)
        raise
    size = sum(map(len, parts))
    parts[0] = response_prefix(size, correlation_id, header_version)
    return [b"".join(parts)] if size < _JOIN_BELOW_BYTES else parts


class Dispatcher:
    """Serves requests of one kind of listener (`apis.BROKER` or `apis.CONTROLLER`) with one broker's handlers."""

    def __init__(self, broker: Broker, listener_name: str, kind: int) -> None:
        self._broker = broker
        self.listener_name = listener_name
        self._kind = kind

    def serve(self, connection: Connection, frame: memoryview) -> Answer | Reply[Answer] | Awaitable[Answer]:
        """Serve one request. Raises ProtocolError when, as in Kafka, the connection is to be closed."""
        key, version, correlation_id = read_api(frame)
        found = route(key, self._kind)
        if found is None:
            raise ProtocolError(f"API key {key} is not served on this listener")
        api = found.api
        if not api.low <= version <= api.high:
            if key == apis.API_VERSIONS:
                read_request_header(frame)  # a header that cannot be read closes the connection in this case too
                return self._unsupported_api_versions(correlation_id)
            raise ProtocolError(f"{api.name} version {version} is not served ({api.low} to {api.high} are)")
        context = connection.contexts.get(key)
        if context is None or context.api_version != version or frame[8 : context.body_at] != context.header:
            context = self._context(connection, frame)
        if api.forwardable and key not in _ANSWERED_BY_BROKERS and self._kind == apis.BROKER:
            return self._forward(found, context, bytes(frame), correlation_id)
        request: Message | None = None
        try:
            response: Any = found.quick(self._broker, context, frame) if found.quick is not None else None
            if response is None:
                # A frame in the scratch buffer is good only until this returns: Produce has done with it by then, as
                # the log holds no batch for longer that fits the scratch buffer.
                body = frame if len(frame) > SCRATCH_BYTES or key == apis.PRODUCE else bytes(frame)
                request, _ = found.request.decode_from(body, context.body_at, version)
                response = found.handle(self._broker, context, request)
        except Exception as error:
            response = self._fault(found, version, error, request)
        if response is None:
            return []
        if isinstance(response, Message):
            return encode_answer(response, version, correlation_id, version >= found.tagged_answers_from)
        if type(response) is bytes:
            return [response_prefix(len(response), correlation_id, version >= found.tagged_answers_from) + response]
        asked = request if api.forwardable else None  # else nobody asks for it, and what it holds can go
        if isinstance(response, Reply):
            return self._later(response, found, version, correlation_id, asked)
        return self._await(response, found, version, correlation_id, asked)

    def _forward(self, found: Route, context: RequestContext, frame: bytes, correlation_id: int) -> Reply[Answer]:
        """Have the active controller answer, wherever it is; by a call when it is here."""
        from klamm.server.forwarding import forward

        version = context.api_version

        def outcome(response: Message | Exception | None, request: Message | None) -> Answer | ProtocolError:
            """NOT_CONTROLLER is raised: somebody else is to be asked then. All else is an answer."""
            if isinstance(response, KafkaError) and response.code == errors.NOT_CONTROLLER:
                raise response
            try:
                return self._encoded(response, found, version, correlation_id, request)
            except ProtocolError as error:
                return error

        def serve_here() -> Any:
            request: Message | None = None
            try:
                request, _ = found.request.decode_from(frame, context.body_at, version)
                response: Any = found.handle(self._broker, context, request)
            except Exception as error:
                response = error
            if isinstance(response, Message | Exception):
                return outcome(response, request)

            async def later() -> Answer | ProtocolError:
                try:
                    settled = await (response.future() if isinstance(response, Reply) else response)
                except Exception as error:
                    settled = error
                return outcome(settled, request)

            return asyncio.ensure_future(later())

        answer: Reply[Answer] = Reply()

        def answered(result: Answer | Exception) -> None:
            try:
                if isinstance(result, KafkaError):
                    request, _ = found.request.decode_from(frame, context.body_at, version)
                    result = self._encoded(result, found, version, correlation_id, request)
            except ProtocolError as error:
                result = error
            answer.resolve(result)

        forward(self._broker.controller, context, frame, serve_here).then(answered)
        return answer

    def _context(self, connection: Connection, frame: memoryview) -> RequestContext:
        """Read a header, and keep what was read for the next request."""
        key, version, _, client_id, body_at = read_request_header(frame)
        context = connection.contexts[key] = RequestContext(
            key,
            version,
            client_id,
            connection.client_host,
            self.listener_name,
            connection.id,
            header=bytes(frame[8:body_at]),
            body_at=body_at,
        )
        return context

    def _later(
        self, reply: Reply[Message | None], found: Route, version: int, correlation_id: int, request: Message | None
    ) -> Reply[Answer]:
        later: Reply[Answer] = Reply()

        def resolved(response: Message | Exception | None) -> None:
            try:
                later.resolve(self._encoded(response, found, version, correlation_id, request))
            except ProtocolError as error:
                later.resolve(error)

        reply.then(resolved)
        return later

    async def _await(
        self,
        awaited: Awaitable[Message | None],
        found: Route,
        version: int,
        correlation_id: int,
        request: Message | None,
    ) -> Answer:
        response: Message | Exception | None
        try:
            response = await awaited
        except Exception as error:
            response = error
        return self._encoded(response, found, version, correlation_id, request)

    def _encoded(
        self,
        response: Message | Exception | None,
        found: Route,
        version: int,
        correlation_id: int,
        request: Message | None,
    ) -> Answer:
        if response is None:
            return []
        if isinstance(response, Exception):
            response = self._fault(found, version, response, request)
        return encode_answer(response, version, correlation_id, version >= found.tagged_answers_from)

    def _fault(self, found: Route, version: int, error: Exception, request: Message | None) -> Message:
        if isinstance(error, ProtocolError):
            raise error
        if isinstance(error, KafkaError):
            return refusal(found, version, error, request)
        log.error("%s version %d failed", found.api.name, version, exc_info=error)
        return refusal(found, version, KafkaError(errors.UNKNOWN_SERVER_ERROR), request)

    @staticmethod
    def _unsupported_api_versions(correlation_id: int) -> Answer:
        """KIP-511: version 0 with error 35 and the range of ApiVersions itself, so that the client can try again."""
        from klamm.kproto.messages.api_versions import ApiVersionsResponse

        own = _APIS_VERSIONS_FALLBACK
        response = ApiVersionsResponse(
            error_code=errors.UNSUPPORTED_VERSION,
            api_keys=[ApiVersionsResponse.ApiVersion(api_key=own.key, min_version=own.low, max_version=own.high)],
        )
        return encode_answer(response, 0, correlation_id, 0)

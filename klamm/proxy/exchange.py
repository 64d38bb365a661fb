"""A request on its way through the proxy, and what can be read of it.

Reading is lenient: whatever is no request of a known API and version still has a name and passes on as bytes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto import apis
from klamm.kproto.apis import APIS, Api
from klamm.kproto.catalog import message_class
from klamm.kproto.codec_reader import read_uvarint
from klamm.kproto.errors import ProtocolError
from klamm.kproto.frame import read_request_header
from klamm.kproto.schema import Message

if TYPE_CHECKING:
    from klamm.proxy.rules import Rule

_HEADER: Final = struct.Struct(">hhih")
_INT16: Final = struct.Struct(">h")
_UNSUPPORTED_VERSION: Final = b"\x00\x23"
_VERSIONS_AHEAD: Final = 32
"""A version further ahead of ours than this is no version of a newer client but other bytes."""


class Exchange:
    """One request and its answer.

    `api` is None when body and version are not known here, so that only sizes and the header can be told; `is_token`:
    a SASL token without any header, as after SaslHandshake version 0. `frame` and `answer` are without their sizes, and
    None unless somebody watches. Times are milliseconds of the monotonic clock.
    """

    __slots__ = (
        "answer",
        "api",
        "body_at",
        "client_id",
        "correlation_id",
        "fault",
        "frame",
        "has_answer",
        "is_token",
        "key",
        "own_answer",
        "rule",
        "sent_ms",
        "size_bytes",
        "version",
    )

    def __init__(self, key: int, version: int, correlation_id: int, client_id: str | None, size_bytes: int) -> None:
        self.key, self.version = key, version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.size_bytes = size_bytes
        self.api: Api | None = None
        self.body_at = 0
        self.is_token = False
        self.has_answer = True
        self.frame: bytes | memoryview | None = None
        self.answer: bytes | memoryview | None = None
        self.own_answer: bytes | None = None
        """An answer that the proxy gives in place of the server."""
        self.rule: Rule | None = None
        """The fault that is to happen to this exchange."""
        self.fault = ""
        """What was done to it, in words."""
        self.sent_ms = 0.0

    @property
    def name(self) -> str:
        """The API's name, also of one whose version is not known here."""
        if self.is_token:
            return "SaslToken"
        api = APIS.get(self.key)
        return api.name if api is not None else f"Api{self.key}"

    def request(self) -> Message:
        """The request decoded. Raises ProtocolError; only to be asked where `api` and `frame` are there."""
        assert self.api is not None and self.frame is not None
        return message_class(f"{self.api.name}Request").decode_from(self.frame, self.body_at, self.version)[0]

    def response(self) -> Message:
        """The answer decoded. Raises ProtocolError; only to be asked where `api` and `answer` are there."""
        assert self.answer is not None
        return self.response_from(self.answer).message

    def response_from(self, frame: bytes | memoryview) -> Answer:
        """An answer's frame decoded, in the version in which it is written. Raises ProtocolError."""
        assert self.api is not None
        start, version = answer_start(self.api, self.version, frame)
        message, end = message_class(f"{self.api.name}Response").decode_from(frame, start, version)
        return Answer(message, version, start, end)


class Answer(NamedTuple):
    """A decoded answer: its own version, and where its body begins and ends in the frame."""

    message: Message
    version: int
    start: int
    end: int


def answer_start(api: Api, version: int, frame: bytes | memoryview) -> tuple[int, int]:
    """Where the body of an answer begins, and its version: ApiVersions may fall back to 0 (KIP-511)."""
    if api.key == apis.API_VERSIONS and bytes(frame[4:6]) == _UNSUPPORTED_VERSION:
        return 4, 0
    return 4 + api.response_header_version(version), version


def read_exchange(frame: memoryview) -> Exchange:
    """What a request's header tells. Never fails: bytes that are no request become a token."""
    size = len(frame)
    try:
        key, version, correlation_id, id_size = _HEADER.unpack_from(frame)
        api = APIS.get(key)
        if not _is_plausible(api, key, version) or id_size < -1 or 10 + id_size > size:
            return _token(size)
        if api is not None and api.low <= version <= api.high:
            header = read_request_header(frame)
            exchange = Exchange(key, version, correlation_id, header.client_id, size)
            exchange.api, exchange.body_at = api, header.body
            if key == apis.PRODUCE:
                exchange.has_answer = _acks(frame, header.body, version) != 0
            return exchange
        client_id = str(frame[10 : 10 + id_size], "utf-8", "replace") if id_size >= 0 else None
        return Exchange(key, version, correlation_id, client_id, size)
    except (struct.error, ProtocolError):
        return _token(size)


def _is_plausible(api: Api | None, key: int, version: int) -> bool:
    """SASL tokens begin with letters or zeros: neither is a version of any API (the second two bytes)."""
    newest = api.high if api is not None else 0
    return 0 <= key < 1024 and 0 <= version <= newest + _VERSIONS_AHEAD


def _token(size: int) -> Exchange:
    exchange = Exchange(-1, 0, 0, None, size)
    exchange.is_token = True
    return exchange


def _acks(frame: memoryview, body: int, version: int) -> int:
    """Produce begins with a nullable transactional id, compact from version 9 on, and then acks."""
    if version >= 9:
        size, at = read_uvarint(frame, body)
        at += max(size - 1, 0)
    else:
        (size,) = _INT16.unpack_from(frame, body)
        at = body + 2 + max(size, 0)
    (acks,) = _INT16.unpack_from(frame, at)
    return int(acks)

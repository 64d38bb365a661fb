"""The trace of a proxy: JSON lines, a header and then an event a line, in the order in which things happened.

docs/proxy.md describes the format. Frames are hex, without their size; secrets are left out unless they are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from klamm.kproto.errors import ProtocolError
from klamm.proxy.exchange import Exchange, answer_start
from klamm.proxy.secrets import hide_secrets, may_bear_secrets

if TYPE_CHECKING:
    from klamm.proxy.link import Seen
    from klamm.seams import Clock

FORMAT: Final = 1
OPEN, REQUEST, ANSWER, CLOSE, NOTE = "open", "request", "answer", "close", "note"


class TraceError(ValueError):
    """A file that is no trace, or one of another format."""


class Event(NamedTuple):
    """One line. `at_ms` counts from the header's time; `frame` is None where it was left out."""

    at_ms: float
    connection: int
    kind: str
    fields: dict[str, Any]

    @property
    def frame(self) -> bytes | None:
        told = self.fields.get("hex")
        return None if told is None else bytes.fromhex(told)


class Trace(NamedTuple):
    """A whole trace: when it began (ms since 1970), which address the client was led to, and what happened."""

    began_ms: int
    to: str
    events: list[Event]


class TraceWriter:
    """A watcher that writes a trace; `write` takes whole lines."""

    def __init__(self, write: Callable[[str], object], clock: Clock, to: str, *, has_secrets: bool = False) -> None:
        self._write_line, self._clock = write, clock
        self._has_secrets = has_secrets
        self._began_ms = clock.monotonic_ms()
        header = {"klamm_trace": FORMAT, "began_ms": clock.time_ms(), "to": to, "secrets": has_secrets}
        self._line(header)

    def _line(self, fields: dict[str, Any]) -> None:
        self._write_line(json.dumps(fields, separators=(",", ":")) + "\n")

    def _event(self, link: Seen, kind: str, **fields: Any) -> None:
        at_ms = round(self._clock.monotonic_ms() - self._began_ms, 3)
        self._line({"at_ms": at_ms, "connection": link.id, "event": kind, **fields})

    def opened(self, link: Seen) -> None:
        self._event(link, OPEN, to=f"{link.to[0]}:{link.to[1]}")

    def asked(self, link: Seen, exchange: Exchange) -> None:
        fields = self._frame(exchange, exchange.frame, is_answer=False)
        if exchange.rule is not None and exchange.rule.keeps_request:
            fields["dropped"] = True
        self._event(
            link,
            REQUEST,
            api=exchange.name,
            version=exchange.version,
            correlation_id=exchange.correlation_id,
            client_id=exchange.client_id,
            **fields,
        )

    def answered(self, link: Seen, exchange: Exchange, took_ms: float) -> None:
        fields = self._frame(exchange, exchange.answer, is_answer=True)
        if exchange.fault:
            fields["fault"] = exchange.fault
        if exchange.own_answer is not None:
            fields["own"] = True
        self._event(link, ANSWER, correlation_id=exchange.correlation_id, **fields)

    def closed(self, link: Seen, who: str) -> None:
        self._event(link, CLOSE, by=who)

    def said(self, link: Seen, text: str) -> None:
        self._event(link, NOTE, text=text)

    def _frame(self, exchange: Exchange, frame: bytes | memoryview | None, *, is_answer: bool) -> dict[str, Any]:
        assert frame is not None
        if self._has_secrets or (exchange.api is not None and not may_bear_secrets(exchange.key)):
            return {"hex": frame.hex()}
        if exchange.api is None:
            return {"size_bytes": len(frame), "hidden": True}
        try:
            if is_answer:
                start, version = answer_start(exchange.api, exchange.version, frame)
                message = exchange.response()
            else:
                start, version = exchange.body_at, exchange.version
                message = exchange.request()
            if not hide_secrets(message):
                return {"hex": frame.hex()}
            return {"hex": bytes(frame[:start]).hex() + message.encode(version).hex(), "hidden": True}
        except ProtocolError:
            return {"size_bytes": len(frame), "hidden": True}


def read_trace(lines: Iterable[str]) -> Trace:
    """A trace from its lines. Raises TraceError, naming the line."""
    rows = _rows(lines)
    header = next(rows, None)
    if header is None or header[1].get("klamm_trace") != FORMAT:
        raise TraceError(f"the first line is not the header of a trace of format {FORMAT}")
    events = []
    for number, row in rows:
        try:
            events.append(Event(row.pop("at_ms"), row.pop("connection"), row.pop("event"), row))
        except KeyError as missing:
            raise TraceError(f"line {number}: {missing} is missing") from None
    return Trace(header[1]["began_ms"], header[1]["to"], events)


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise TraceError(f"line {number}: {error}") from None
            if not isinstance(row, dict):
                raise TraceError(f"line {number} is no JSON object")
            yield number, row

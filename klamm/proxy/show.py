"""What passes through a proxy, for people: a line for each request and each answer, or all of it as JSON.

Secrets are hidden. Messages are decoded here and nowhere else, so that a proxy that shows nothing costs little.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from klamm.kproto.errors import ProtocolError
from klamm.kproto.json_form import to_json
from klamm.kproto.schema import Message
from klamm.proxy.exchange import Exchange, answer_start
from klamm.proxy.secrets import hide_secrets
from klamm.proxy.subjects import TopicNames, errors_in, subjects, topics_text

if TYPE_CHECKING:
    from klamm.proxy.link import Seen
    from klamm.seams import Clock

SUMMARY, FULL, NONE = "summary", "full", "none"
_ERRORS_SHOWN_MAX: Final = 8
_SLOW_MS: Final = 1000.0


class Shower:
    """A watcher that writes lines. `form`: `summary` or `full`; `is_json`: objects, one a line, in place of words."""

    def __init__(
        self,
        write: Callable[[str], object],
        clock: Clock,
        names: TopicNames,
        *,
        form: str = SUMMARY,
        is_json: bool = False,
    ) -> None:
        self._write, self._clock, self._names = write, clock, names
        self._is_full, self._is_json = form == FULL, is_json

    # -- as a watcher --

    def opened(self, link: Seen) -> None:
        text = f"opened by {_address(link.client_address)} to {_address(link.to)}"
        self._tell(link.id, "open", text, client=_address(link.client_address), to=_address(link.to))

    def asked(self, link: Seen, exchange: Exchange) -> None:
        fields = self._head(exchange, exchange.size_bytes)
        message = self._decoded(exchange, is_answer=False)
        words = [_size(exchange.size_bytes), exchange.client_id or "-"]
        if message is not None:
            words += self._about(message, exchange.version, fields)
        elif exchange.is_token:
            words.append("a SASL token, hidden")
        elif exchange.api is None:
            words.append("unknown here, passes through unread")
        if not exchange.has_answer:
            words.append("wants no answer")
        if exchange.rule is not None:
            words.append(f"[fault: {exchange.fault}]")
            fields["fault"] = exchange.fault
        self._tell(
            link.id, "request", f"> {_title(exchange)}  {'  '.join(words)}", client_id=exchange.client_id, **fields
        )

    def answered(self, link: Seen, exchange: Exchange, took_ms: float) -> None:
        assert exchange.answer is not None
        size = len(exchange.answer)
        fields = {**self._head(exchange, size), "took_ms": round(took_ms, 3)}
        message = self._decoded(exchange, is_answer=True)
        words = [_size(size), _duration(took_ms)]
        if message is not None:
            if isinstance(message, Message) and exchange.name == "Metadata":
                self._names.learn(message)
            words += self._errors(message, fields)
            _, version = answer_start(exchange.api, exchange.version, exchange.answer)  # type: ignore[arg-type]
            words += self._about(message, version, fields)
        if exchange.fault:
            words.append(f"[fault: {exchange.fault}]")
            fields["fault"] = exchange.fault
        self._tell(link.id, "answer", f"< {_title(exchange)}  {'  '.join(words)}", **fields)

    def closed(self, link: Seen, who: str) -> None:
        unanswered = [exchange for exchange in link.pending if exchange.has_answer]
        text = f"closed by the {who}"
        if unanswered:
            text += f", without an answer to {', '.join(_title(exchange) for exchange in unanswered)}"
        fields: dict[str, Any] = {"by": who, "unanswered": [_title(exchange) for exchange in unanswered]}
        if link.is_raw:
            text += (
                f"; {_size(link.raw_bytes[0])} to the server, {_size(link.raw_bytes[1])} to the client passed unread"
            )
            fields["unread_bytes"] = link.raw_bytes
        self._tell(link.id, "close", text, **fields)

    def said(self, link: Seen, text: str) -> None:
        self._tell(link.id, "note", text, text=text)

    # -- words --

    def _tell(self, connection: int, event: str, words: str, **fields: Any) -> None:
        at_ms = self._clock.time_ms()
        if self._is_json:
            row = {"time_ms": at_ms, "connection": connection, "event": event, **fields}
            self._write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        at = datetime.fromtimestamp(at_ms / 1000).strftime("%H:%M:%S.%f")[:-3]
        self._write(f"{at} #{connection:<3} {words}\n")
        if "json" in fields:
            self._write(json.dumps(fields["json"], indent=2, ensure_ascii=False) + "\n")

    @staticmethod
    def _head(exchange: Exchange, size_bytes: int) -> dict[str, Any]:
        return {
            "api": exchange.name,
            "version": exchange.version,
            "correlation_id": exchange.correlation_id,
            "size_bytes": size_bytes,
        }

    @staticmethod
    def _decoded(exchange: Exchange, *, is_answer: bool) -> Message | None:
        if exchange.api is None:
            return None
        try:
            message = exchange.response() if is_answer else exchange.request()
        except ProtocolError:
            return None
        hide_secrets(message)
        return message

    def _about(self, message: Message, version: int, fields: dict[str, Any]) -> list[str]:
        about = subjects(message, self._names)
        words = []
        if about.groups:
            words.append(f"group {', '.join(about.groups[:5])}")
        if about.topics:
            words.append(topics_text(about.topics))
        if about.records_bytes:
            words.append(f"{_size(about.records_bytes)} of records")
        words += about.facts
        fields.update(topics=about.topics, groups=about.groups, records_bytes=about.records_bytes)
        if self._is_full:
            fields["json"] = to_json(message, version, message.__schema__.is_flexible(version))
        return words

    def _errors(self, message: Message, fields: dict[str, Any]) -> list[str]:
        found = errors_in(message, self._names)
        fields["errors"] = [{"error": error.name, "where": error.where, "message": error.message} for error in found]
        words = [f"{error.name}{f' ({error.where})' if error.where else ''}" for error in found[:_ERRORS_SHOWN_MAX]]
        if len(found) > _ERRORS_SHOWN_MAX:
            words.append(f"and {len(found) - _ERRORS_SHOWN_MAX} more errors")
        return words


class Watchers:
    """Several watchers as one."""

    def __init__(self, *watchers: Any) -> None:
        self._watchers = watchers

    def opened(self, link: Seen) -> None:
        for watcher in self._watchers:
            watcher.opened(link)

    def asked(self, link: Seen, exchange: Exchange) -> None:
        for watcher in self._watchers:
            watcher.asked(link, exchange)

    def answered(self, link: Seen, exchange: Exchange, took_ms: float) -> None:
        for watcher in self._watchers:
            watcher.answered(link, exchange, took_ms)

    def closed(self, link: Seen, who: str) -> None:
        for watcher in self._watchers:
            watcher.closed(link, who)

    def said(self, link: Seen, text: str) -> None:
        for watcher in self._watchers:
            watcher.said(link, text)


def _title(exchange: Exchange) -> str:
    return exchange.name if exchange.is_token else f"{exchange.name} v{exchange.version} id {exchange.correlation_id}"


def _address(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def _size(size_bytes: int) -> str:
    return f"{size_bytes} B" if size_bytes < 10_000 else f"{size_bytes / 1024:.1f} KiB"


def _duration(took_ms: float) -> str:
    return f"{took_ms:.1f} ms" if took_ms < _SLOW_MS else f"{took_ms / 1000:.2f} s"

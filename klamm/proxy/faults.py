"""Faults by rule: what happens to the exchanges that a rule chooses. Randomness comes from an `Entropy`: by seed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from klamm.kproto import apis
from klamm.kproto.errors import ProtocolError, name_of
from klamm.kproto.schema import Message
from klamm.proxy import rules
from klamm.proxy.error_answer import error_answer, put_error
from klamm.proxy.lane import Chunks, Held, Lane
from klamm.proxy.rules import Rule
from klamm.proxy.subjects import TopicNames, subjects

if TYPE_CHECKING:
    from klamm.proxy.exchange import Exchange
    from klamm.proxy.link import Link
    from klamm.seams import Entropy

_SIZE: Final = struct.Struct(">i")
_GARBLE_FROM: Final = 8
"""Size and correlation id stay: the frame still arrives, and as the answer to its request."""


class Faults:
    """The rules of one proxy, in their order: the first that is due for an exchange counts."""

    def __init__(self, given: Sequence[Rule], entropy: Entropy, names: TopicNames) -> None:
        self.rules = list(given)
        self._entropy = entropy
        self._names = names
        self._held: list[tuple[Rule, Lane, Held]] = []
        self._fetched: dict[int, set[str]] = {}

    # -- choosing --

    def choose(self, link: Link, exchange: Exchange) -> None:
        """Give an exchange the rule that is due for it; every rule that fits counts it."""
        request: Message | None = None
        for rule in self.rules:
            if exchange.is_token or not rule.fits_header(exchange.key, exchange.version, exchange.client_id, link.id):
                continue
            if rule.looks_inside:
                request = request or self._decoded(exchange)
                if request is None or not self._fits_body(rule, link, exchange, request):
                    continue
            if rule.is_due(self._entropy.random()) and exchange.rule is None:
                exchange.rule = rule
                exchange.fault = rule.name

    @staticmethod
    def _decoded(exchange: Exchange) -> Message | None:
        try:
            return exchange.request() if exchange.api is not None else None
        except ProtocolError:
            return None

    def _fits_body(self, rule: Rule, link: Link, exchange: Exchange, request: Message) -> bool:
        about = subjects(request, self._names)
        topics = set(about.topics)
        if exchange.key == apis.FETCH:
            topics = self._in_session(link, request, topics)
        groups = about.groups + ([request.key] if exchange.key == apis.FIND_COORDINATOR else [])  # type: ignore[attr-defined]
        return (rule.topic is None or any(fnmatchcase(topic, rule.topic) for topic in topics)) and (
            rule.group is None or any(fnmatchcase(group, rule.group) for group in groups)
        )

    def _in_session(self, link: Link, request: Message, topics: set[str]) -> set[str]:
        """A fetch within a session (KIP-227) names only what changes; the rest is known from before."""
        if getattr(request, "session_epoch", -1) > 0:
            topics = topics | self._fetched.get(link.id, set())
        self._fetched[link.id] = topics
        return topics

    # -- doing --

    def forward(self, link: Link, exchange: Exchange) -> bool:
        """Prepare what concerns the request as a whole; False when it is not to go to the server."""
        rule = exchange.rule
        assert rule is not None
        if rule.do == rules.ERROR:
            return self._forward_error(link, exchange, rule)
        if rule.keeps_request and rule.do == rules.CLOSE:
            link.close()
        return not rule.keeps_request

    def _forward_error(self, link: Link, exchange: Exchange, rule: Rule) -> bool:
        if rule.is_forwarded or exchange.api is None:
            return True
        if not exchange.has_answer:  # Kafka closes the connection: acks=0 has no other way to tell
            link.close()
            return False
        request = self._decoded(exchange)
        answer = None if request is None else error_answer(request, exchange.api, exchange.version, rule.error)
        if answer is None:
            return True  # nothing in the request that an error could be told of: the server's answer will bear it
        body = answer.encode(exchange.version)
        header = _SIZE.pack(exchange.correlation_id) + bytes(exchange.api.response_header_version(exchange.version))
        exchange.own_answer = header + body
        exchange.fault = f"{rule.name} (the server was not asked)"
        link.expect(exchange)
        return False

    def send_request(self, exchange: Exchange, lane: Lane, chunks: Chunks) -> bool:
        """Send a request whose own way is disturbed; False when it is not."""
        rule = exchange.rule
        assert rule is not None
        if rule.side != rules.REQUEST or rule.do == rules.ERROR:
            return False
        self._send(rule, lane, lane.hold(), chunks)
        return True

    def send_answer(self, exchange: Exchange, lane: Lane, held: Held, chunks: Chunks) -> None:
        """Send an answer in the place that is held for it, as the rule says."""
        rule = exchange.rule
        assert rule is not None
        if rule.do == rules.ERROR:
            held.data = self._with_error(exchange, rule, chunks)
            lane.ready(held)
        elif rule.side == rules.REQUEST:
            held.data = chunks
            lane.ready(held)
        else:
            self._send(rule, lane, held, chunks)

    def _with_error(self, exchange: Exchange, rule: Rule, chunks: Chunks) -> Chunks:
        frame = b"".join(chunks)[4:]
        if exchange.api is None:
            return chunks
        try:
            answer = exchange.response_from(frame)
            put_error(answer.message, rule.error)
            body = answer.message.encode(answer.version)
        except ProtocolError:
            return chunks
        return (_SIZE.pack(answer.start + len(body)), frame[: answer.start], body)

    def _send(self, rule: Rule, lane: Lane, held: Held, chunks: Chunks) -> None:
        held.data = chunks
        if rule.do == rules.DELAY:
            lane.ready_after(held, rule.delay_ms)
            return
        if rule.do == rules.HOLD:
            self._held.append((rule, lane, held))
            return
        if rule.do == rules.THROTTLE:
            held.bytes_per_s = rule.bytes_per_s
        elif rule.do == rules.DROP:
            held.data = ()
        elif rule.do == rules.CLOSE:
            held.data, held.close_after = (), True
        elif rule.do == rules.CUT:
            held.data, held.close_after = (b"".join(chunks)[: rule.bytes],), True
        elif rule.do == rules.GARBLE:
            held.data = (self._garbled(b"".join(chunks), rule.bytes),)
        lane.ready(held)

    def _garbled(self, data: bytes, count: int) -> bytes:
        out = bytearray(data)
        for _ in range(count if len(out) > _GARBLE_FROM else 0):
            at = _GARBLE_FROM + self._entropy.randrange(len(out) - _GARBLE_FROM)
            out[at] ^= 1 + self._entropy.randrange(255)
        return bytes(out)

    def release(self, name: str | None = None) -> int:
        """Let go what `hold` holds back, of the rule of that name or of all; gives how many there were."""
        free = [entry for entry in self._held if name is None or entry[0].name == name]
        self._held = [entry for entry in self._held if entry not in free]
        for _, lane, held in free:
            lane.ready(held)
        return len(free)

    def forget(self, link: Link) -> None:
        """A link is no more."""
        self._fetched.pop(link.id, None)
        self._held = [entry for entry in self._held if not entry[1].is_closed]

    def told(self) -> list[str]:
        """A line a rule: how often it fitted, and how often its fault happened."""
        return [
            f"{rule.name}: {rule.done} of {rule.seen} that fitted" + (f", {name_of(rule.error)}" if rule.error else "")
            for rule in self.rules
        ]

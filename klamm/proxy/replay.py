"""A trace said again: the same requests in the same order, to another server, and its answers beside the recorded ones.

The order of the trace is kept as a whole: a request leaves when all answers have come that were there before it was
sent. What the server has made (`variables.py`) is replaced; then the normal form of the differential cases decides.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from klamm.kproto import apis, errors
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message
from klamm.proxy import trace as kinds
from klamm.proxy.addresses import Address, bearers, names_addresses
from klamm.proxy.comparing import ABSENT, walk
from klamm.proxy.exchange import Answer, Exchange, read_exchange
from klamm.proxy.normal import Json, Names, normal_form
from klamm.proxy.player import Player
from klamm.proxy.secrets import hide_secrets, may_bear_secrets
from klamm.proxy.subjects import TopicNames, errors_in
from klamm.proxy.trace import Event, Trace
from klamm.proxy.variables import Variables

if TYPE_CHECKING:
    from klamm.seams import Clock, Network

ANSWER_TIMEOUT_MS: Final = 30_000.0
_SETTLE_TIMEOUT_MS: Final = 15_000.0
_ASK_AGAIN_MS: Final = 50.0
_PACE_MS_MAX: Final = 25.0
"""Requests of different connections follow each other as closely as recorded, up to this distance."""
_PORT: Final = 1
NO_ANSWER: Final = "no answer"
CLOSED: Final = "closed"

_NOT_READY: Final = {
    errors.name_of(code)
    for code in (
        errors.LEADER_NOT_AVAILABLE, errors.COORDINATOR_NOT_AVAILABLE, errors.COORDINATOR_LOAD_IN_PROGRESS,
        errors.CONCURRENT_TRANSACTIONS,
    )
}  # fmt: skip
"""A server that comes up says so any number of times: how often is no part of a conversation."""
_NOT_YET: Final = _NOT_READY | {
    errors.name_of(code)
    for code in (
        errors.UNKNOWN_TOPIC_OR_PARTITION, errors.UNKNOWN_TOPIC_ID, errors.NOT_LEADER_OR_FOLLOWER,
        errors.NOT_COORDINATOR, errors.UNKNOWN_LEADER_EPOCH, errors.INVALID_TOPIC_EXCEPTION,
    )
}  # fmt: skip
"""What a server may say for a moment after a change, where the recorded one had it behind it: asked again."""


class Compared(NamedTuple):
    """One answer beside the recorded one, both in normal form. `differences`: (path, recorded, this run)."""

    connection: int
    api: str
    version: int
    correlation_id: int
    recorded: Json
    answer: Json
    differences: list[tuple[str, Json, Json]]


class Result(NamedTuple):
    """`settled`: answers that told of a server that comes up, here or there; `left_out`: exchanges not in the trace."""

    compared: list[Compared]
    settled: int
    left_out: int
    asked_again: int

    @property
    def different(self) -> list[Compared]:
        """The answers that are not as recorded."""
        return [row for row in self.compared if row.differences]


class Replay:
    """Says a trace again to the server at `to`. `pace`: keep the recorded distances in time too."""

    def __init__(
        self,
        trace: Trace,
        to: Address,
        *,
        network: Network,
        clock: Clock,
        pace: bool = False,
        timeout_ms: float = ANSWER_TIMEOUT_MS,
        compared: Callable[[Compared], None] | None = None,
    ) -> None:
        self._trace, self._to = trace, to
        self._network, self._clock, self._timeout_ms = network, clock, timeout_ms
        self._pace_ms_max = float("inf") if pace else _PACE_MS_MAX
        self._told = compared
        self.variables = Variables()
        self._players: dict[int, Player] = {}
        self._asked: dict[tuple[int, int], Exchange] = {}
        self._sent: dict[tuple[int, int], bytes] = {}
        self._addresses: dict[Address, Address] = {_address(trace.to): to}
        ends = [trace.began_ms, trace.began_ms + (trace.events[-1].at_ms if trace.events else 0)]
        self._names = Names(_PORT, "", now_ms=[*ends, clock.time_ms()])
        self._used = {event.fields.get("api") for event in trace.events if event.kind == kinds.REQUEST}
        self._unsaid = set(_unsaid(trace.events))
        self._known_later = _topics_told_at(trace)
        self._compared: list[Compared] = []
        self._settled = self._left_out = self._asked_again = 0

    async def run(self) -> Result:
        """Say all of it. Raises OSError when the server cannot be reached."""
        last: Event | None = None
        try:
            for index, event in enumerate(self._trace.events):
                if event.kind == kinds.OPEN:
                    await self._open(event)
                elif event.kind == kinds.REQUEST:
                    await self._pause(last, event)
                    self._request(event)
                    last = event
                elif event.kind == kinds.ANSWER:
                    await self._answer(index, event)
                elif event.kind == kinds.CLOSE and event.connection in self._players:
                    self._players.pop(event.connection).close()
        finally:
            for player in self._players.values():
                player.close()
        return Result(self._compared, self._settled, self._left_out, self._asked_again)

    # -- events --

    async def _open(self, event: Event) -> None:
        player = self._players[event.connection] = Player()
        address = self._addresses.get(_address(event.fields["to"]), self._to)
        await self._network.connect(lambda: player, *address)

    async def _pause(self, last: Event | None, event: Event) -> None:
        """Give a request of another connection, still unanswered, the time to be the first."""
        if last is None or not self._sent:
            return
        if last.connection != event.connection or self._pace_ms_max > _PACE_MS_MAX:
            await self._wait(min(event.at_ms - last.at_ms, self._pace_ms_max))

    async def _wait(self, delay_ms: float) -> None:
        over = asyncio.Event()
        self._clock.call_later(delay_ms, over.set)
        await over.wait()

    def _request(self, event: Event) -> None:
        frame = event.frame
        key = (event.connection, event.fields["correlation_id"])
        if frame is None or key in self._unsaid:
            self._left_out += 1
            return
        exchange = read_exchange(memoryview(frame))
        exchange.frame = frame
        if exchange.api is not None:
            try:
                request = exchange.request()
                self.variables.put_into(request)
                frame = frame[: exchange.body_at] + request.encode(exchange.version)
            except ProtocolError:
                pass  # a malformed request is said as it was
        if exchange.has_answer:
            self._asked[key] = exchange
            self._sent[key] = frame
        self._players[event.connection].send(frame)

    async def _answer(self, index: int, event: Event) -> None:
        key = (event.connection, event.fields["correlation_id"])
        exchange = self._asked.pop(key, None)
        frame = self._sent.pop(key, b"")
        recorded = event.frame
        if exchange is None or recorded is None:
            return
        deadline_ms = self._clock.monotonic_ms() + _SETTLE_TIMEOUT_MS
        player = self._players[event.connection]
        while True:
            answer = await player.answer(key[1], self._clock, self._timeout_ms)
            if answer is None or exchange.api is None:
                self._compare_bytes(key, exchange, recorded, answer)
                return
            verdict = self._settling(index, exchange, recorded, answer)
            if verdict == "again" and self._clock.monotonic_ms() < deadline_ms:
                self._asked_again += 1
                await self._wait(_ASK_AGAIN_MS)
                player.send(frame)
                continue
            if verdict == "settled":
                self._settled += 1
            else:
                self._compare(key, exchange, recorded, answer)
            return

    def _settling(self, index: int, exchange: Exchange, recorded: bytes, answer: bytes) -> str:
        """Whether one of two answers only says "not yet": "again", "settled", or "" when both mean what they say."""
        try:
            ours, theirs = exchange.response_from(recorded).message, exchange.response_from(answer).message
        except ProtocolError:
            return ""
        was = {(error.name, error.where) for error in errors_in(ours, self.variables.names)}
        now = {(error.name, error.where) for error in errors_in(theirs, TopicNames())}
        if {name for name, _ in now} & _NOT_YET - {name for name, _ in was}:
            return "again"
        if was and not now and all(self._is_passing(index, exchange, *error) for error in was):
            return "settled"
        return ""

    def _is_passing(self, index: int, exchange: Exchange, name: str, where: str) -> bool:
        """Whether a recorded error was over a moment later."""
        if name in _NOT_READY:
            return True
        return exchange.key == apis.METADATA and name in _NOT_YET and self._known_later.get(where, -1) > index

    # -- comparing --

    def _compare_bytes(self, key: tuple[int, int], exchange: Exchange, recorded: bytes, answer: bytes | None) -> None:
        now: Json = answer.hex() if answer is not None else CLOSED if self._players[key[0]].is_closed else NO_ANSWER
        was: Json = recorded.hex()
        if answer is None and exchange.api is not None:
            try:
                was = self._normal(exchange.response_from(recorded))
            except ProtocolError:
                pass
        self._add(key, exchange, was, now)

    def _compare(self, key: tuple[int, int], exchange: Exchange, recorded: bytes, answer: bytes) -> None:
        try:
            was, now = exchange.response_from(recorded), exchange.response_from(answer)
            request: Message | None = exchange.request()
        except ProtocolError:
            self._compare_bytes(key, exchange, recorded, answer)
            return
        if names_addresses(exchange.key, exchange.version):
            self._pair_addresses(was.message, now.message)
        self.variables.bring_back(was.message, now.message, request)
        self._add(key, exchange, self._normal(was), self._normal(now))

    def _pair_addresses(self, was: Message, now: Message) -> None:
        """Learn which address stands for which, and give both of them one name."""
        theirs = list(bearers(now))
        for i, bearer in enumerate(bearers(was)):
            if i < len(theirs):
                self._addresses.setdefault((bearer.host, bearer.port), (theirs[i].host, theirs[i].port))
        nodes = {address: f"node-{i}" for i, address in enumerate(dict.fromkeys(self._addresses.values()))}
        for bearer in bearers(was):
            address = self._addresses.get((bearer.host, bearer.port), (bearer.host, bearer.port))
            bearer.host, bearer.port = nodes.get(address, bearer.host), _PORT
        for bearer in theirs:
            bearer.host, bearer.port = nodes.get((bearer.host, bearer.port), bearer.host), _PORT

    def _normal(self, answer: Answer) -> Json:
        if may_bear_secrets(answer.message.__schema__.key):
            hide_secrets(answer.message)
        form = normal_form(answer.message, answer.version, self._names)
        if answer.message.__schema__.key == apis.API_VERSIONS:
            # Which APIs a server has besides those that this client has used is no part of the conversation.
            used = {api.key for api in apis.APIS.values() if api.name in self._used}
            form["apiKeys"] = sorted(
                (r for r in form["apiKeys"] if r["apiKey"] in used), key=lambda r: int(r["apiKey"])
            )
            for name in ("supportedFeatures", "finalizedFeatures", "finalizedFeaturesEpoch"):
                form.pop(name, None)
        return form

    def _add(self, key: tuple[int, int], exchange: Exchange, was: Json, now: Json) -> None:
        found = list(walk("", was, now)) if type(was) is type(now) else [("", was, now)]
        row = Compared(key[0], exchange.name, exchange.version, key[1], was, now, found)
        self._compared.append(row)
        if self._told is not None:
            self._told(row)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _unsaid(events: list[Event]) -> Iterator[tuple[int, int]]:
    """Requests that never reached the recorded server: a fault has answered or dropped them."""
    for event in events:
        if event.fields.get("own") or event.fields.get("dropped"):
            yield event.connection, event.fields["correlation_id"]


def _topics_told_at(trace: Trace) -> dict[str, int]:
    """Topic -> the last event whose Metadata answer knew it."""
    told: dict[str, int] = {}
    asked: dict[tuple[int, int], Exchange] = {}
    for index, event in enumerate(trace.events):
        frame = event.frame
        if frame is None or event.kind not in (kinds.REQUEST, kinds.ANSWER):
            continue
        key = (event.connection, event.fields["correlation_id"])
        if event.kind == kinds.REQUEST:
            asked[key] = read_exchange(memoryview(frame))
        elif (exchange := asked.get(key)) is not None and exchange.key == apis.METADATA and exchange.api is not None:
            try:
                message: Any = exchange.response_from(frame).message
            except ProtocolError:
                continue
            told.update({topic.name: index for topic in message.topics if topic.name and not topic.error_code})
    return told


def summary(result: Result) -> dict[str, Any]:
    """The figures of a replay."""
    return {
        "answers": len(result.compared),
        "equal": len(result.compared) - len(result.different),
        "different": len(result.different),
        "settled": result.settled,
        "asked_again": result.asked_again,
        "left_out": result.left_out,
    }


def differences_in_words(result: Result) -> list[str]:
    """A line for each place that differs; the same place in several answers is told once, with their number."""
    lines: Counter[str] = Counter()
    first: dict[str, str] = {}
    for row in result.different:
        for path, was, now in row.differences:
            line = f"{row.api} v{row.version}{path and ' '}{path}: recorded {_told(was)}, now {_told(now)}"
            lines[line] += 1
            first.setdefault(line, f"#{row.connection} id {row.correlation_id}")
    return [
        f"{first[line]} {line}" + (f" (and {count - 1} times more)" if count > 1 else "")
        for line, count in lines.items()
    ]


def _told(value: Json) -> str:
    text = "nothing" if value == ABSENT else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"

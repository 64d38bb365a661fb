"""A trace told to a watcher as if it happened now, at the times of the trace."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from klamm.proxy import trace as kinds
from klamm.proxy.exchange import Exchange, read_exchange
from klamm.proxy.trace import Event, Trace
from klamm.seams import StoppedClock

if TYPE_CHECKING:
    from klamm.proxy.addresses import Address
    from klamm.proxy.link import Watcher


class TraceClock(StoppedClock):
    """Stands at the time of the event that is told."""

    def __init__(self) -> None:
        self.now_ms = 0.0

    def time_ms(self) -> int:
        return int(self.now_ms)


class RecordedLink:
    """A connection of a trace, to a watcher like one of a running proxy."""

    def __init__(self, link_id: int, to: Address) -> None:
        self.id, self.to = link_id, to
        self.client_address: Address = ("", 0)
        self.is_raw = False
        self.raw_bytes = [0, 0]
        self.pending: deque[Exchange] = deque()


def tell(trace: Trace, watcher: Watcher, clock: TraceClock) -> None:
    """Tell all events of a trace, in their order."""
    links: dict[int, RecordedLink] = {}
    for event in trace.events:
        clock.now_ms = trace.began_ms + event.at_ms
        if event.kind == kinds.OPEN:
            host, _, port = event.fields["to"].rpartition(":")
            links[event.connection] = RecordedLink(event.connection, (host, int(port)))
            watcher.opened(links[event.connection])
        elif (link := links.get(event.connection)) is not None:
            _tell_one(event, link, watcher)


def _tell_one(event: Event, link: RecordedLink, watcher: Watcher) -> None:
    if event.kind == kinds.REQUEST:
        exchange = _exchange(event)
        exchange.sent_ms = event.at_ms
        if exchange.has_answer:
            link.pending.append(exchange)
        watcher.asked(link, exchange)
    elif event.kind == kinds.ANSWER:
        correlation_id = event.fields["correlation_id"]
        exchange_or_none = next((e for e in link.pending if e.correlation_id == correlation_id), None)
        if exchange_or_none is not None:
            link.pending.remove(exchange_or_none)
            exchange_or_none.answer = event.frame if event.frame is not None else bytes(event.fields["size_bytes"])
            exchange_or_none.fault = event.fields.get("fault", "")
            if event.frame is None:
                exchange_or_none.api = None
            watcher.answered(link, exchange_or_none, event.at_ms - exchange_or_none.sent_ms)
    elif event.kind == kinds.CLOSE:
        watcher.closed(link, event.fields["by"])
    elif event.kind == kinds.NOTE:
        watcher.said(link, event.fields["text"])


def _exchange(event: Event) -> Exchange:
    frame = event.frame
    if frame is not None:
        exchange = read_exchange(memoryview(frame))
        exchange.frame = frame
        return exchange
    fields = event.fields
    key = next((key for key, api in _apis().items() if api == fields["api"]), -1)
    exchange = Exchange(key, fields["version"], fields["correlation_id"], fields["client_id"], fields["size_bytes"])
    exchange.is_token = fields["api"] == "SaslToken"
    return exchange


def _apis() -> dict[int, str]:
    from klamm.kproto.apis import APIS

    return {key: api.name for key, api in APIS.items()}

"""The requests that are under way, one a node at most: which node is ready, and which is left alone for a while.

Forgetting a node's request makes its answer, if it still comes, nobody's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from klamm.seams import Entropy


class Node(NamedTuple):
    """Where a request goes. Bootstrap servers have ids from -2 down: who answers there is not known before."""

    node_id: int
    host: str
    port: int


class _Connection:
    __slots__ = ("failed_ms", "node", "request_id", "sent_ms")

    def __init__(self, node: Node, request_id: int, sent_ms: float) -> None:
        self.node = node
        self.request_id = request_id
        self.sent_ms = sent_ms
        self.failed_ms: float | None = None
        """When the last request failed; None while an answer is awaited."""


class Connections:
    """Kafka's timeouts: an unanswered request is given up after `request_timeout_ms`, a failed one repeated after
    `retry_backoff_ms`.
    """

    def __init__(self, bootstrap: Sequence[Node], request_timeout_ms: float, retry_backoff_ms: float) -> None:
        self.bootstrap = list(bootstrap)
        self._request_timeout_ms = request_timeout_ms
        self._retry_backoff_ms = retry_backoff_ms
        self._connections: dict[int, _Connection] = {}
        self._next_request_id = 0

    def begin(self, node: Node, now_ms: float) -> int:
        """A request goes to `node` now; its id."""
        self._next_request_id += 1
        self._connections[node.node_id] = _Connection(node, self._next_request_id, now_ms)
        return self._next_request_id

    def source_of(self, request_id: int) -> Node | None:
        """Whose answer that is; None if it is not awaited any more."""
        for connection in self._connections.values():
            if connection.request_id == request_id and connection.failed_ms is None:
                return connection.node
        return None

    def finish(self, request_id: int, is_success: bool, now_ms: float) -> None:
        """The answer was taken, or was none that could be used."""
        for node_id, connection in self._connections.items():
            if connection.request_id == request_id and connection.failed_ms is None:
                if is_success:
                    del self._connections[node_id]
                else:
                    connection.failed_ms = now_ms
                return

    def reset(self, node_id: int) -> None:
        self._connections.pop(node_id, None)

    def reset_all(self) -> None:
        self._connections.clear()

    def has_timed_out(self, node_id: int, now_ms: float) -> bool:
        connection = self._connections.get(node_id)
        return connection is not None and connection.failed_ms is None and now_ms >= self._timeout_ms(connection)

    def backoff_until_ms(self, node_id: int, now_ms: float) -> float | None:
        """Until when the node is left alone; None if it is not."""
        connection = self._connections.get(node_id)
        if connection is None or connection.failed_ms is None:
            return None
        until_ms = connection.failed_ms + self._retry_backoff_ms
        return until_ms if now_ms < until_ms else None

    def is_ready(self, node_id: int, now_ms: float) -> bool:
        """Whether a request may go to that node."""
        connection = self._connections.get(node_id)
        if connection is None:
            return True
        if now_ms < self._free_ms(connection):
            return False
        del self._connections[node_id]
        return True

    def deadline_ms(self, node_id: int) -> float:
        """When the request to that node is given up; minus infinity without one."""
        connection = self._connections.get(node_id)
        return -math.inf if connection is None else self._timeout_ms(connection)

    def in_flight_until_ms(self, now_ms: float) -> float | None:
        """When the request that is under way is given up, whoever it went to; None without one."""
        self._forget_old(now_ms)
        for connection in self._connections.values():
            if connection.failed_ms is None:
                return self._timeout_ms(connection)
        return None

    def ready_bootstrap(self, now_ms: float, entropy: Entropy) -> Node | None:
        """A bootstrap server to ask; None while any request is under way."""
        if not self.bootstrap or self.in_flight_until_ms(now_ms) is not None:
            return None
        start = entropy.randrange(len(self.bootstrap))
        for node in self.bootstrap[start:] + self.bootstrap[:start]:
            if self.is_ready(node.node_id, now_ms):
                return node
        return None

    def bootstrap_deadline_ms(self, now_ms: float) -> float:
        """When to look for a bootstrap server again."""
        until_ms = self.in_flight_until_ms(now_ms)
        if until_ms is not None:
            return until_ms
        return min((self._free_ms(c) for c in self._connections.values()), default=now_ms + self._retry_backoff_ms)

    def _forget_old(self, now_ms: float) -> None:
        for node_id in [key for key, c in self._connections.items() if now_ms >= self._free_ms(c)]:
            del self._connections[node_id]

    def _timeout_ms(self, connection: _Connection) -> float:
        return connection.sent_ms + self._request_timeout_ms

    def _free_ms(self, connection: _Connection) -> float:
        if connection.failed_ms is not None:
            return connection.failed_ms + self._retry_backoff_ms
        return self._timeout_ms(connection)

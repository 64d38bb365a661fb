"""Throttles of replication (KIP-73): so many bytes a second, for the replicas that are named.

A rate over a few windows of time, as Kafka measures it; the clock is injected. A throttle delays replicas that catch
up, never those in sync.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from klamm.seams import Clock

LEADER: Final = "leader.replication.throttled"
FOLLOWER: Final = "follower.replication.throttled"
"""What settings begin with: `.rate` of a broker, `.replicas` of a topic."""


class ReplicationQuota:
    """One direction of one broker. `throttled(topic)` gives a topic's setting: pairs `partition:broker`, or `*`."""

    def __init__(
        self,
        clock: Clock,
        node_id: int,
        throttled: Callable[[str], Iterable[str]],
        *,
        window_count: int = 11,
        window_ms: float = 1000,
    ) -> None:
        self.rate_max: float = float("inf")
        """Bytes a second."""
        self._clock = clock
        self._node_id = str(node_id)
        self._throttled = throttled
        self._window_count, self._window_ms = window_count, window_ms
        self._windows: deque[tuple[float, int]] = deque()  # (when it began, bytes)
        self._topics: dict[str, frozenset[str]] = {}

    def reconfigure(self, rate_max: float) -> None:
        """Settings have changed."""
        self.rate_max = rate_max
        self._topics.clear()

    def is_throttled(self, topic: str, index: int) -> bool:
        """Whether this broker's replica of that partition is named."""
        partitions = self._topics.get(topic)
        if partitions is None:
            partitions = self._topics[topic] = self._of_this_broker(topic)
        return str(index) in partitions or "*" in partitions

    def _of_this_broker(self, topic: str) -> frozenset[str]:
        found = set()
        for text in self._throttled(topic):
            index, _, broker = text.strip().partition(":")
            if index == "*" or broker == self._node_id:
                found.add(index)
        return frozenset(found)

    def record(self, size_bytes: int) -> None:
        """So many bytes of throttled replicas have gone through."""
        now_ms = self._clock.monotonic_ms()
        windows = self._windows
        if windows and now_ms - windows[-1][0] < self._window_ms:
            windows[-1] = windows[-1][0], windows[-1][1] + size_bytes
        else:
            windows.append((now_ms, size_bytes))
        self._forget(now_ms)

    def _forget(self, now_ms: float) -> None:
        oldest_ms = now_ms - self._window_count * self._window_ms
        while self._windows and self._windows[0][0] <= oldest_ms:
            self._windows.popleft()

    @property
    def rate(self) -> float:
        """Bytes a second over the windows, never over less than all of them but the newest."""
        now_ms = self._clock.monotonic_ms()
        self._forget(now_ms)
        if not self._windows:
            return 0.0
        over_ms = max(now_ms - self._windows[0][0], (self._window_count - 1) * self._window_ms)
        return sum(size for _, size in self._windows) * 1000 / over_ms

    def is_exceeded(self) -> bool:
        return self.rate > self.rate_max

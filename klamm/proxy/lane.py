"""One direction of a connection: chunks leave in their order, some later than others. Time comes in as a `Clock`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from klamm.seams import Clock

Chunks = Sequence[bytes | bytearray | memoryview]
LANE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A lane that holds more asks its source to pause."""
_TICK_MS: Final = 20.0


class Held:
    """Chunks that wait for their turn. `data` may still be set until they are `ready`."""

    __slots__ = ("bytes_per_s", "close_after", "data", "is_ready")

    def __init__(self) -> None:
        self.data: Chunks = ()
        self.is_ready = False
        self.close_after = False
        self.bytes_per_s = 0


class Lane:
    """`write(chunks)` is called with what may leave, `close()` when the connection is to end after something that left,
    and `drained()` when nothing waits any more.
    """

    def __init__(
        self, clock: Clock, write: Callable[[Chunks], None], close: Callable[[], None], drained: Callable[[], None]
    ) -> None:
        self._clock, self._write, self._close, self._drained = clock, write, close, drained
        self._queue: deque[Held] = deque()
        self._out: list[bytes | bytearray | memoryview] = []
        self._is_ticking = False
        self.is_closed = False
        """Whether nothing leaves any more."""

    @property
    def held_bytes(self) -> int:
        """What waits in the lane."""
        return sum(len(chunk) for held in self._queue for chunk in held.data)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits: chunks may go straight out."""
        return not self._queue

    def put(self, *chunks: bytes | bytearray | memoryview) -> None:
        """Chunks that are ready; they leave with the next `flush`, or behind what waits."""
        if not self._queue:
            self._out += chunks
            return
        held = Held()
        held.data, held.is_ready = chunks, True
        self._queue.append(held)

    def hold(self) -> Held:
        """A place in the order for chunks that come later: set its data, then call `ready`."""
        held = Held()
        self._queue.append(held)
        return held

    def ready(self, held: Held) -> None:
        """What was held may leave when it is its turn."""
        held.is_ready = True
        self.flush()

    def ready_after(self, held: Held, delay_ms: float) -> None:
        """As `ready`, when that time has passed."""
        self._clock.call_later(delay_ms, lambda: self.ready(held))

    def flush(self) -> None:
        """Write all that may leave now."""
        queue = self._queue
        waited = bool(queue)
        while queue and queue[0].is_ready and not self._is_ticking:
            if queue[0].bytes_per_s:
                self._trickle()
                break
            held = queue.popleft()
            self._out += held.data
            if held.close_after:
                self.end()
                return
        if self._out:
            out, self._out = self._out, []
            if not self.is_closed:
                self._write(out)
        if waited and not queue:
            self._drained()

    def end(self) -> None:
        """Write what is out, and close."""
        out, self._out = self._out, []
        if not self.is_closed:
            if out:
                self._write(out)
            self.is_closed = True
            self._queue.clear()
            self._close()

    def drop(self) -> None:
        """The connection is gone: nothing leaves any more."""
        self.is_closed = True
        self._queue.clear()
        self._out.clear()

    def _trickle(self) -> None:
        """Send the next part of a throttled head, and go on a tick later."""
        held = self._queue[0]
        part_bytes = max(1, int(held.bytes_per_s * _TICK_MS / 1000))
        data = memoryview(held.data[0] if len(held.data) == 1 else b"".join(held.data))
        self._out.append(data[:part_bytes])
        held.data = [data[part_bytes:]]
        if len(data) <= part_bytes:
            held.bytes_per_s = 0
        self._is_ticking = True
        self._clock.call_later(_TICK_MS, self._tick)

    def _tick(self) -> None:
        self._is_ticking = False
        if not self.is_closed:
            self.flush()

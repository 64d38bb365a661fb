"""An answer that comes later, handed over by a plain call: a long poll takes no task and no turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class Reply(Generic[R]):
    """Resolved once, with the answer or with why there is none. Who waits for it must not raise."""

    __slots__ = ("_result", "_waiting", "is_resolved")

    def __init__(self) -> None:
        self.is_resolved = False
        self._result: R | Exception
        self._waiting: Callable[[R | Exception], None] | None = None

    def resolve(self, result: R | Exception) -> None:
        """Give the answer or the error. Only the first call counts."""
        if self.is_resolved:
            return
        self.is_resolved = True
        if self._waiting is None:
            self._result = result
        else:
            self._waiting(result)

    def future(self) -> asyncio.Future[R]:
        """The answer for who awaits it; in place of `then`."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()

        def resolved(result: R | Exception) -> None:
            if future.done():
                return
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.then(resolved)
        return future

    def then(self, waiting: Callable[[R | Exception], None]) -> None:
        """Have `waiting(answer or error)` called, now if it is there already. To be called once."""
        if self.is_resolved:
            waiting(self._result)
        else:
            self._waiting = waiting

"""Tests of this folder that are coroutines run on asyncio's loop and on uvloop: the server must work on both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from klamm.server.event_loop import new_event_loop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "fastest": new_event_loop}

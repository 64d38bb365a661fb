"""A proxy on a thread of its own, for clients that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from klamm.proxy.faults import Faults
from klamm.proxy.proxy import Proxy
from klamm.proxy.rules import Rule
from klamm.proxy.show import Shower, Watchers
from klamm.proxy.subjects import TopicNames
from klamm.proxy.trace import TraceWriter
from klamm.seams import SeededEntropy, SystemClock, TcpNetwork
from klamm.testing import Cluster


class Running:
    """A proxy in front of `to`: what it shows is in `shown`, what it records in `recorded`, line by line."""

    def __init__(self, to: str, rules: Sequence[Rule] = (), *, seed: int = 1, **more: Any) -> None:
        self.shown: list[str] = []
        self.recorded: list[str] = []
        host, _, port = to.rpartition(":")
        self._to = (host, int(port))
        self._rules, self._seed, self._more = rules, seed, more
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        clock, names = SystemClock(self._loop), TopicNames()
        self.faults = Faults(self._rules, SeededEntropy(self._seed), names)
        self.proxy = Proxy(
            ("127.0.0.1", 0),
            self._to,
            network=TcpNetwork(),
            clock=clock,
            watcher=Watchers(
                Shower(self.shown.append, clock, names, **self._more),
                TraceWriter(self.recorded.append, clock, f"{self._to[0]}:{self._to[1]}"),
            ),
            faults=self.faults,
            names=names,
        )
        await self.proxy.start()
        self._ready.set()
        await self._stop.wait()
        await self.proxy.stop()

    @property
    def address(self) -> str:
        return self.proxy.address

    def call(self, function: Callable[[], Any]) -> None:
        """Have a function called on the proxy's thread."""
        self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)


Starting = Callable[..., Running]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture
def proxied(cluster: Cluster) -> Iterator[Starting]:
    """Start a proxy in front of the cluster, with rules."""
    started: list[Running] = []

    def start(*rules: Rule, **more: Any) -> Running:
        started.append(Running(cluster.bootstrap_servers, rules, **more))
        return started[-1]

    yield start
    for one in started:
        one.stop()

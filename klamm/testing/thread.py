"""A cluster in this process: an event loop and a node on a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klamm.server.node import Node

_START_TIMEOUT_S = 30.0


class ThreadRunner:
    """Runs a node on a daemon thread. Data is in memory unless there is a data directory."""

    def __init__(self, config: dict[str, str], data_dir: str | None, port: int) -> None:
        self._config, self._data_dir, self._port = config, data_dir, port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._address = ""

    def start(self) -> str:
        from klamm.testing.cluster import ClusterError

        self._ready.clear()
        self._error = None
        self._thread = threading.Thread(target=self._run, name="klamm-cluster", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT_S):
            raise ClusterError(f"the broker did not start within {_START_TIMEOUT_S:.0f} s")
        if self._error is not None:
            self._thread.join()
            raise ClusterError(f"the broker did not start: {self._error}") from self._error
        return self._address

    def stop(self) -> None:
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is None or stop is None or thread is None:
            return
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        self._loop = self._stop = self._thread = None
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        from klamm.server.event_loop import new_event_loop

        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        node = self._node()
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await node.start()
        self._address = node.bootstrap_servers
        self._ready.set()
        await self._stop.wait()
        await node.stop()

    def _node(self) -> Node:
        from klamm.log.disk import RealDisk
        from klamm.log.memory_disk import MEMORY_DIRECTORY, MemoryDisk
        from klamm.server.config.broker_config import BrokerConfig
        from klamm.server.config.profiles import TEST
        from klamm.server.node import Node

        overrides = {"listeners": f"PLAINTEXT://127.0.0.1:{self._port}", **self._config}
        overrides["log.dirs"] = self._data_dir or MEMORY_DIRECTORY
        config = BrokerConfig.load(profile=TEST, overrides=overrides)
        return Node(config, disk=RealDisk() if self._data_dir else MemoryDisk())

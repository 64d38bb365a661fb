"""Nodes as child processes: started together, told of signals, left dead when they die or started again.

Every line a node writes comes out with the node's name in front. A node ends by itself when the supervisor is gone: it
holds one end of a pipe whose other end is the supervisor's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

from klamm.cli.cluster_directories import ClusterNode
from klamm.cli.rolling_restart import Look, RollingRestart

READY_FILE: Final = "ready.json"
_POLL_S: Final = 0.02
_READ_BYTES: Final = 65536
SHORT_LIFE_S: Final = 10.0
"""A node that dies younger than that is started again later and later."""
RESTART_DELAY_S: Final = 0.5
RESTART_DELAY_MAX_S: Final = 30.0

Command = Callable[[ClusterNode, str, int], Sequence[str]]
"""Node, ready file and the pipe to watch -> command line of its process."""


class Child:
    """One node's process, and those that come after it."""

    def __init__(self, node: ClusterNode) -> None:
        self.node = node
        self.node_id = node.node.node_id
        self.name = f"node-{self.node_id}"
        self.ready_file = os.path.join(node.directory, READY_FILE)
        self.process: asyncio.subprocess.Process | None = None
        self.is_ready = False
        self.is_to_return = False
        """It was told to end this life, and begins another at once."""
        self.has_ended = False
        """For good."""
        self.began = 0.0
        self.short_lives = 0

    @property
    def restart_delay_s(self) -> float:
        return min(RESTART_DELAY_S * 2.0**self.short_lives, RESTART_DELAY_MAX_S)

    def forget_ready(self) -> None:
        self.is_ready = False
        try:
            os.remove(self.ready_file)
        except FileNotFoundError:
            pass

    def send(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            # Not `send_signal`: it looks first whether the process has ended, and the exit status is lost to the loop.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


class Supervisor:
    """`run` once. `tell` is told when all nodes serve first, and whenever one has died or come back."""

    def __init__(
        self,
        nodes: Iterable[ClusterNode],
        command: Command,
        *,
        restart: bool = False,
        environment: Mapping[str, str] | None = None,
        tell: Callable[[Mapping[str, Any]], None] | None = None,
        is_json: bool = False,
        output: TextIO | None = None,
        look: Look | None = None,
    ) -> None:
        """`look` at how the cluster does, for rolling restarts; None: there are none."""
        self.children = [Child(node) for node in nodes]
        self._command = command
        self._restart = restart
        self._environment = environment
        self._tell = tell
        self._is_json = is_json
        self._output = output or sys.stderr
        self._stopping = asyncio.Event()
        self._interrupts = 0
        self._has_served = False
        self._status = 0
        self._pipe = (-1, -1)
        self._rolling = None if look is None else RollingRestart(self.children, look, self._say, self._changed)

    async def run(self) -> int:
        """Start all nodes, and return the exit status when all have ended: 0 if they were told to and did well."""
        self._pipe = os.pipe()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGUSR1, self._restart_nodes)
        try:
            living = [asyncio.ensure_future(self._live(child)) for child in self.children]
            serving = asyncio.ensure_future(self._announce())
            await asyncio.gather(*living)
            serving.cancel()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                loop.remove_signal_handler(number)
            if self._rolling is not None:
                self._rolling.close()
            for child in self.children:
                child.send(signal.SIGKILL)
                child.forget_ready()
            for end in self._pipe:
                os.close(end)
        if not self._stopping.is_set():
            self._say("all nodes have ended")
            return 1
        return self._status

    def stop(self) -> None:
        """Tell all nodes to stop: brokers before controllers, which take their partitions from them."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._stop_task = asyncio.ensure_future(self._stop_in_order())

    def _restart_nodes(self) -> None:
        if self._rolling is None:
            self._say("nodes in memory would lose what they hold: no rolling restart")
        elif not self._stopping.is_set():
            self._rolling.ask()

    async def _stop_in_order(self) -> None:
        for is_last in (False, True):
            chosen = [child for child in self.children if (child.node.node.roles == ("controller",)) is is_last]
            for child in chosen:
                child.send(signal.SIGTERM)
                child.send(signal.SIGCONT)  # one that was stopped hears of it only then
            for child in chosen:
                if child.process is not None:
                    await child.process.wait()

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts > 1:
                self._say("killing all nodes")
                for child in self.children:
                    child.send(signal.SIGKILL)
                return
        self.stop()

    async def _announce(self) -> None:
        """Wait until every node serves."""
        while not all(child.is_ready for child in self.children):
            await asyncio.sleep(_POLL_S)
        self._has_served = True
        self._changed()

    async def _live(self, child: Child) -> None:
        """The lives of one node."""
        try:
            await self._lives(child)
        finally:
            child.has_ended = True

    async def _lives(self, child: Child) -> None:
        while not self._stopping.is_set():
            status = await self._one_life(child)
            child.forget_ready()
            if self._stopping.is_set():
                if status not in (0, -signal.SIGTERM):  # SIGTERM: it came before the node could mind it
                    self._status = 1
                    self._say(f"{child.name} ended with {_described(status)}")
                return
            if not self._has_served:
                self._say(f"{child.name} ended with {_described(status)} before it served")
                self._status = 1
                self.stop()
                return
            if child.is_to_return:
                child.is_to_return = False
                child.short_lives = 0
                self._changed()
                continue
            again = f"; it is started again in {child.restart_delay_s:g} s" if self._restart else ""
            self._say(f"{child.name} ended with {_described(status)}{again}")
            self._changed()
            if not self._restart:
                return
            try:
                await asyncio.wait_for(self._stopping.wait(), child.restart_delay_s)
            except TimeoutError:
                pass

    async def _one_life(self, child: Child) -> int:
        child.forget_ready()
        child.began = time.monotonic()
        process = child.process = await asyncio.create_subprocess_exec(
            *self._command(child.node, child.ready_file, self._pipe[0]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(self._pipe[0],),
            start_new_session=True,  # Ctrl-C is for the supervisor, which passes it on
            env=None if self._environment is None else dict(self._environment),
        )
        if self._stopping.is_set():
            child.send(signal.SIGTERM)
        assert process.stdout is not None
        copying = asyncio.ensure_future(self._copy_lines(child.name, process.stdout))
        watching = asyncio.ensure_future(self._watch_ready(child))
        status = await process.wait()
        watching.cancel()
        await copying
        lived_s = time.monotonic() - child.began
        child.short_lives = child.short_lives + 1 if lived_s < SHORT_LIFE_S else 0
        return status

    async def _watch_ready(self, child: Child) -> None:
        while not os.path.exists(child.ready_file):
            await asyncio.sleep(_POLL_S)
        child.is_ready = True
        if self._has_served:
            self._say(f"{child.name} is back")
            self._changed()

    async def _copy_lines(self, name: str, stream: asyncio.StreamReader) -> None:
        rest = b""
        while data := await stream.read(_READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._write(name, line)
            self._output.flush()
        if rest:
            self._write(name, rest)
            self._output.flush()

    def _write(self, name: str, line: bytes) -> None:
        text = line.decode(errors="replace")
        if not self._is_json:
            self._output.write(f"{name} | {text}\n")
        elif text.startswith('{"'):
            self._output.write(f'{{"node": "{name}", {text[1:]}\n')
        else:
            self._output.write(json.dumps({"node": name, "message": text}) + "\n")

    def _say(self, text: str) -> None:
        """A line of the supervisor's own."""
        self._output.write((json.dumps({"node": None, "message": text}) if self._is_json else f"klamm: {text}") + "\n")
        self._output.flush()

    def _changed(self) -> None:
        if self._tell is None or not self._has_served:
            return
        brokers = [child.node.node.address for child in self.children if child.node.node.port]
        rows = [
            {
                "id": child.node_id,
                "pid": child.process.pid if child.is_ready and child.process is not None else None,
                "address": child.node.node.address,
                "roles": list(child.node.node.roles),
            }
            for child in self.children
        ]
        ready: dict[str, Any] = {"bootstrap_servers": ",".join(brokers), "nodes": rows}
        if self._rolling is not None:
            ready["restart"] = self._rolling.facts
        self._tell(ready)


def _described(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"

"""TCP between simulated hosts: late, in pieces, cut off, refused, reset; one connection overtakes another, by seed.

Within a connection bytes keep their order and none is lost while both ends live, as TCP has it: what meets a cut link
is sent again when the link is back. `SimNetwork.of(host)` is the `klamm.seams.Network` of what runs on that host.
"""

from __future__ import annotations

import asyncio
import errno
import zlib
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.sim.sim_loop import Owner, SimLoop

WINDOW_BYTES = 128 * 1024
"""What the systems at both ends take over before a writer's own buffer fills."""
_SYN_RETRIES_MS = (1000.0, 2000.0, 4000.0, 8000.0, 16000.0)
_RESEND_MS = (200.0, 400.0, 800.0, 1600.0)
_READ_MAX = 256 * 1024

Factory = Callable[[], asyncio.BaseProtocol]


class Host:
    """A machine: `owner` is the process that runs on it, None when there is none."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.owner: Owner | None = None
        self.is_up = True
        self.listening: dict[int, Factory] = {}
        self.ends: dict[int, SimTransport] = {}
        self.next_port = 40000

    def free_port(self) -> int:
        self.next_port += 1
        return self.next_port


class SimNetwork:
    """The hosts and the links between them. Who is cut off is in `cut`: (source, target), one way each."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.random = loop.random
        self.hosts: dict[str, Host] = {}
        self.cut: set[tuple[str, str]] = set()
        self.slow_ms: dict[tuple[str, str], float] = {}
        """Links that take so much longer."""
        self.usual_ms = self.random.choice((0.1, 0.5, 2.0))
        self.is_choppy = self.random.random() < 0.5
        """Whether bytes come in small pieces."""
        self.digest = 0
        """Of all that was ever delivered, and when: two runs of one seed must agree on it."""
        self.delivered_bytes = 0
        self._count = 0

    def host(self, name: str) -> Host:
        if name not in self.hosts:
            self.hosts[name] = Host(name)
        return self.hosts[name]

    def of(self, name: str) -> HostNetwork:
        return HostNetwork(self, self.host(name))

    def is_cut(self, source: Host, target: Host) -> bool:
        return (source.name, target.name) in self.cut

    def delay_ms(self, source: Host, target: Host) -> float:
        """How long the next piece takes. Most take about the usual time, few much longer."""
        draw = self.random
        if source is target:
            return draw.random() * 0.05
        delay_ms = self.usual_ms * (0.3 + draw.random())
        if draw.random() < 0.01:
            delay_ms += draw.random() * 50
        return delay_ms + self.slow_ms.get((source.name, target.name), 0.0) * draw.random()

    def note(self, *what: Any) -> None:
        self.digest = zlib.crc32(repr((round(self.loop.now_ms, 6), *what)).encode(), self.digest)

    def connected(self, near: Host, far: Host, port: int) -> tuple[SimTransport, SimTransport]:
        """Both ends of a new connection from `near` to a port of `far`."""
        self._count += 1
        assert near.owner is not None and far.owner is not None
        one = SimTransport(self, self._count, near, near.owner, ("10.0.0.1", near.free_port()))
        other = SimTransport(self, self._count, far, far.owner, (far.name, port))
        one.extra["peername"], other.extra["peername"] = other.address, one.address
        one.far, other.far = other, one
        near.ends[id(one)] = one
        far.ends[id(other)] = other
        return one, other

    def process_ended(self, host: Host) -> None:
        """The process of a host is gone, its machine not: the system closes what was open."""
        host.listening.clear()
        host.owner = None
        for end in list(host.ends.values()):
            end.vanish(is_told=True)
        host.ends.clear()

    def machine_stopped(self, host: Host) -> None:
        """Nobody is told; what was under way from there is lost."""
        host.listening.clear()
        host.owner = None
        host.is_up = False
        for end in list(host.ends.values()):
            end.vanish(is_told=False)
        host.ends.clear()


class SimTransport(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, network: SimNetwork, number: int, host: Host, owner: Owner, address: tuple[str, int]) -> None:
        self.extra: dict[str, Any] = {}
        super().__init__(self.extra)
        self.host, self.owner, self.address, self.number = host, owner, address, number
        self.far: SimTransport
        self._network = network
        self._protocol: asyncio.BaseProtocol | None = None
        self._inbox = bytearray()
        self._has_eof = False  # the far end sends nothing more
        self._is_told_eof = False
        self._is_gone = False  # whose connection this was is not there any more
        self._is_closing = self._is_lost = False
        self._is_reading_paused = self._is_read_planned = False
        self._is_writing_paused = False
        self._high = 64 * 1024
        self._under_way: deque[tuple[float, bytes | str]] = deque()
        self._under_way_bytes = 0
        self._is_pumping = False
        self._resends = 0

    # -- from here to the far end --

    def write(self, data: Any) -> None:
        if self._is_closing or self._is_lost:
            return
        data = bytes(data)
        if not data:
            return
        for piece in self._pieces(data):
            self._send(piece)
        self._check_window()

    def _pieces(self, data: bytes) -> list[bytes]:
        draw = self._network.random
        if not self._network.is_choppy or len(data) < 2 or draw.random() < 0.5:
            return [data]
        cut = draw.randrange(1, len(data))
        return [data[:cut], data[cut:]]

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(bytes(data) for data in list_of_data))

    def _send(self, item: bytes | str) -> None:
        network = self._network
        due = network.loop.now_ms + network.delay_ms(self.host, self.far.host)
        if self._under_way:
            due = max(due, self._under_way[-1][0])
        self._under_way.append((due, item))
        self._under_way_bytes += len(item) if isinstance(item, bytes) else 0
        self._pump()

    def _pump(self) -> None:
        if self._under_way and not self._is_pumping:
            self._is_pumping = True
            loop = self._network.loop
            loop.harness.call_after(max(self._under_way[0][0] - loop.now_ms, 0.0), self._arrived)

    def _arrived(self) -> None:
        self._is_pumping = False
        if not self._under_way:
            return
        network, far = self._network, self.far
        if network.is_cut(self.host, far.host) or not far.host.is_up:
            wait_ms = _RESEND_MS[min(self._resends, len(_RESEND_MS) - 1)] * (0.8 + 0.4 * network.random.random())
            self._resends += 1
            self._is_pumping = True
            network.loop.harness.call_after(wait_ms, self._arrived)
            return
        self._resends = 0
        now_ms = network.loop.now_ms
        while self._under_way and self._under_way[0][0] <= now_ms + 1e-9:
            item = self._under_way.popleft()[1]
            if isinstance(item, bytes):
                self._under_way_bytes -= len(item)
            network.note(self.number, self.host.name, far.host.name, item)
            far._receive(item)
        self._pump()

    # -- from the far end --

    def _receive(self, item: bytes | str) -> None:
        if self._is_gone or self._is_lost:
            if item != "reset":
                self._send("reset")
            return
        if item == "reset":
            self._inbox.clear()
            self.owner.call(self._lose, ConnectionResetError(errno.ECONNRESET, "reset by peer"))
            return
        if item == "end":
            self._has_eof = True
        else:
            assert isinstance(item, bytes)
            if self._is_closing:
                self._send("reset")
                return
            self._inbox += item
            self._network.delivered_bytes += len(item)
        self._plan_read()

    def _plan_read(self) -> None:
        if not self._is_read_planned and not self._is_reading_paused and self._protocol is not None:
            self._is_read_planned = True
            self.owner.call(self._read)

    def _read(self) -> None:
        """What the loop does when a socket is readable: one read, as large as the reader's buffer or smaller."""
        self._is_read_planned = False
        if self._is_reading_paused or self._is_closing or self._is_lost:
            return
        inbox, protocol = self._inbox, self._protocol
        if inbox:
            size = min(len(inbox), _READ_MAX)
            if self._network.is_choppy and self._network.random.random() < 0.2:
                size = self._network.random.randint(1, size)
            if isinstance(protocol, asyncio.BufferedProtocol):
                buffer = memoryview(protocol.get_buffer(-1))  # type: ignore[arg-type]
                size = min(size, len(buffer))
                buffer[:size] = inbox[:size]
                del inbox[:size]
                protocol.buffer_updated(size)
            else:
                data = bytes(inbox[:size])
                del inbox[:size]
                protocol.data_received(data)  # type: ignore[union-attr]
            self._network.loop.harness.call(self.far._check_window)
        elif self._has_eof and not self._is_told_eof:
            self._is_told_eof = True
            if not protocol.eof_received():  # type: ignore[union-attr]
                self.close()
            return
        if inbox or (self._has_eof and not self._is_told_eof):
            self._plan_read()

    # -- flow control --

    def get_write_buffer_size(self) -> int:
        return max(0, self._under_way_bytes + len(self.far._inbox) - WINDOW_BYTES)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = 64 * 1024 if high is None else high

    def _check_window(self) -> None:
        if self._is_lost or self._is_gone or self._protocol is None:
            return
        size = self.get_write_buffer_size()
        if size > self._high and not self._is_writing_paused:
            self._is_writing_paused = True
            self.owner.call(self._tell, "pause_writing")
        elif size <= self._high // 4 and self._is_writing_paused:
            self._is_writing_paused = False
            self.owner.call(self._tell, "resume_writing")

    def _tell(self, what: str) -> None:
        if not self._is_lost:
            getattr(self._protocol, what)()

    def pause_reading(self) -> None:
        self._is_reading_paused = True

    def resume_reading(self) -> None:
        self._is_reading_paused = False
        if self._inbox or self._has_eof:
            self._plan_read()

    def is_reading(self) -> bool:
        return not self._is_reading_paused

    # -- the beginning and the end --

    def begin(self, protocol: asyncio.BaseProtocol) -> None:
        """On the owner's time: the connection is there."""
        self._protocol = protocol
        if self._is_lost:
            return
        protocol.connection_made(self)
        if self._inbox or self._has_eof:
            self._plan_read()

    def is_closing(self) -> bool:
        return self._is_closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._send("reset" if self._inbox else "end")
            self.owner.call(self._lose, None)

    def abort(self) -> None:
        if not self._is_lost:
            self._is_closing = True
            self._under_way.clear()
            self._under_way_bytes = 0
            self._send("reset")
            self.owner.call(self._lose, None)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = self._is_closing = True
            self.host.ends.pop(id(self), None)
            if self._protocol is not None:
                self._protocol.connection_lost(error)

    def vanish(self, *, is_told: bool) -> None:
        """The process has ended (`is_told`: its system lives and closes the connection), or the machine has."""
        self._is_gone = self._is_closing = True
        if not is_told:
            self._under_way.clear()
            self._under_way_bytes = 0
        elif not self._is_lost:
            self._send("reset" if self._inbox else "end")


class _Listening:
    def __init__(self, host: Host, port: int, factory: Factory) -> None:
        self._host, self.port, self._factory = host, port, factory

    async def serve(self) -> None:
        self._host.listening[self.port] = self._factory

    async def close(self) -> None:
        self._host.listening.pop(self.port, None)


class HostNetwork:
    """`klamm.seams.Network`, as what runs on one host sees it."""

    def __init__(self, network: SimNetwork, host: Host) -> None:
        self._network, self._host = network, host

    async def listen(self, factory: Factory, host: str, port: int, *, is_serving: bool = True) -> _Listening:
        port = port or self._host.free_port()
        if port in self._host.listening:
            raise OSError(errno.EADDRINUSE, f"{host}:{port} is taken")
        listening = _Listening(self._host, port, factory)
        if is_serving:
            await listening.serve()
        return listening

    async def connect(self, factory: Factory, host: str, port: int) -> None:
        network, near = self._network, self._host
        far = network.hosts.get(host)
        if far is None:
            raise OSError(f"{host} is not known")
        loop = network.loop
        for wait_ms in _SYN_RETRIES_MS:
            there_ms, back_ms = network.delay_ms(near, far), network.delay_ms(far, near)
            await asyncio.sleep(there_ms / 1000)
            reached = far.is_up and not network.is_cut(near, far) and not network.is_cut(far, near)
            ends = None
            if reached and far.owner is not None and (accepting := far.listening.get(port)) is not None:
                ends = network.connected(near, far, port)
                far.owner.call(_accept, ends[1], accepting)
            if reached:
                try:
                    await asyncio.sleep(back_ms / 1000)
                except asyncio.CancelledError:
                    if ends is not None:
                        ends[0].abort()
                    raise
                if ends is None:
                    raise ConnectionRefusedError(errno.ECONNREFUSED, f"{host}:{port} refuses")
                ends[0].begin(factory())
                return
            await asyncio.sleep(wait_ms / 1000)
        raise TimeoutError(errno.ETIMEDOUT, f"{host}:{port} does not answer after {loop.time():.0f} s")


def _accept(end: SimTransport, factory: Factory) -> None:
    end.begin(factory())

"""The way to the active controller, while controllers come and go; peers are the test's own, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from klamm.channel import Channels
from klamm.kproto import apis, errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.frame import read_request_header
from klamm.kproto.messages.api_versions import ApiVersionsResponse
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest, BrokerHeartbeatResponse
from klamm.kproto.schema import Message
from klamm.metadata.node_metadata import MetadataNode
from klamm.metadata.raft.voters import VoterEndpoint
from klamm.server.to_controller import ControllerChannel
from tests.metadata.conftest import TestClock, turns

HERE = 9
TIMEOUT_MS = 30_000


class Peer:
    """A controller: answers heartbeats with `error_code`; None: takes them, and says nothing."""

    def __init__(self) -> None:
        self.error_code: int | None = errors.NONE
        self.heartbeats = 0

    def answer(self, frame: bytes) -> bytes | None:
        header = read_request_header(memoryview(frame))
        version = header.api_version
        if header.api_key == apis.API_VERSIONS:
            row = ApiVersionsResponse.ApiVersion(api_key=apis.BROKER_HEARTBEAT, min_version=0, max_version=1)
            body = ApiVersionsResponse(error_code=0, api_keys=[row]).encode(version)
        else:
            self.heartbeats += 1
            if self.error_code is None:
                return None
            body = b"\0" + BrokerHeartbeatResponse(error_code=self.error_code, is_fenced=False).encode(version)
        body = header.correlation_id.to_bytes(4, "big") + body
        return len(body).to_bytes(4, "big") + body


class Wire(asyncio.Transport):
    """The near end of a connection: what is written is answered a turn of the loop later."""

    def __init__(self, peer: Peer, protocol: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self._peer, self._protocol = peer, protocol
        self._is_closing = False

    def write(self, data: Any) -> None:
        answer = self._peer.answer(bytes(data)[4:])
        if answer is not None:
            asyncio.get_running_loop().call_soon(self._arrive, answer)

    def _arrive(self, data: bytes) -> None:
        if not self._is_closing:
            self._protocol.get_buffer(len(data))[: len(data)] = data
            self._protocol.buffer_updated(len(data))

    def close(self) -> None:
        self._is_closing = True

    abort = close

    def get_extra_info(self, name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return self._is_closing


class Controllers:
    """What a node knows of the quorum, and the network that leads to it: controller 1 is at port 1, and so on."""

    def __init__(self) -> None:
        self.peers = {1: Peer(), 2: Peer()}
        self.storage = SimpleNamespace(node_id=HERE)
        self.controller_id = 1
        self.is_active = False
        self.submitted: list[Message] = []
        self._listeners: list[Callable[[], None]] = []

    @property
    def controller_endpoint(self) -> VoterEndpoint | None:
        known = self.controller_id in self.peers
        return VoterEndpoint("CONTROLLER", "controller", self.controller_id) if known else None

    def on_leader(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def leads(self, controller_id: int) -> None:
        self.controller_id = controller_id
        for listener in self._listeners:
            listener()

    def submit(self, request: Message) -> Message:
        self.submitted.append(request)
        return BrokerHeartbeatResponse(error_code=errors.NONE, is_fenced=False)

    async def connect(self, factory: Callable[[], Any], host: str, port: int) -> Any:
        protocol = factory()
        wire = Wire(self.peers[port], protocol)
        protocol.connection_made(wire)
        return wire, protocol


@pytest.fixture
def controllers() -> Controllers:
    return Controllers()


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def way(controllers: Controllers, clock: TestClock) -> ControllerChannel:
    channels = Channels(cast(Any, controllers), clock)
    return ControllerChannel(cast(MetadataNode, controllers), channels, "9", TIMEOUT_MS)


def beat(way: ControllerChannel, timeout_ms: float | None = None) -> asyncio.Future[Any]:
    return way.send(BrokerHeartbeatRequest(broker_id=HERE, broker_epoch=1), timeout_ms=timeout_ms).future()


async def test_the_controller_answers(way: ControllerChannel, controllers: Controllers) -> None:
    assert (await beat(way)).error_code == errors.NONE
    assert (controllers.peers[1].heartbeats, controllers.peers[2].heartbeats) == (1, 0)


async def test_another_controller_gets_what_the_silent_one_has_not_answered(
    way: ControllerChannel, controllers: Controllers
) -> None:
    controllers.peers[1].error_code = None
    answers = [beat(way), beat(way)]
    await turns()
    controllers.leads(-1)
    await turns()
    assert controllers.peers[2].heartbeats == 0
    controllers.leads(2)
    # No time passes: nothing waits for a timeout or a back-off.
    assert [(await answer).error_code for answer in answers] == [errors.NONE] * 2
    assert (controllers.peers[1].heartbeats, controllers.peers[2].heartbeats) == (2, 2)


async def test_the_same_controller_is_not_asked_twice(way: ControllerChannel, controllers: Controllers) -> None:
    controllers.peers[1].error_code = None
    beat(way)
    await turns()
    for known in (-1, 1):
        controllers.leads(known)
        await turns()
    assert controllers.peers[1].heartbeats == 1


async def test_what_waits_for_a_controller_goes_to_the_first_that_is_known(
    way: ControllerChannel, controllers: Controllers, clock: TestClock
) -> None:
    controllers.leads(-1)
    answer = beat(way)
    await clock.advance(1010)
    assert not answer.done()
    controllers.leads(2)
    assert (await answer).error_code == errors.NONE


async def test_this_node_becomes_the_controller(
    way: ControllerChannel, controllers: Controllers, clock: TestClock
) -> None:
    controllers.peers[1].error_code = None
    answer = beat(way)
    await turns()
    controllers.leads(HERE)
    await clock.advance(200)
    assert not answer.done()  # elected, but what was decided before it is not committed yet
    controllers.is_active = True
    await clock.advance(100)
    assert (await answer).error_code == errors.NONE
    assert len(controllers.submitted) == 1


async def test_one_that_is_no_controller_is_asked_again_until_the_time_is_over(
    way: ControllerChannel, controllers: Controllers, clock: TestClock
) -> None:
    controllers.peers[1].error_code = errors.NOT_CONTROLLER
    answer = beat(way, timeout_ms=1000)
    await turns()
    await clock.advance(900)
    assert not answer.done()
    await clock.advance(200)
    assert (await answer).error_code == errors.NOT_CONTROLLER
    assert controllers.peers[1].heartbeats > 5


async def test_a_stop_leaves_nobody_waiting(way: ControllerChannel, controllers: Controllers) -> None:
    controllers.peers[1].error_code = None
    under_way = beat(way)
    await turns()
    controllers.leads(-1)
    way.close()
    with pytest.raises(KafkaError):
        await under_way

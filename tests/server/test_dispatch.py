"""What a handler is told of a request, and how an answer that is encoded already leaves."""

from __future__ import annotations

import asyncio
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.kproto.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from klamm.reply import Reply
from klamm.server import dispatch
from klamm.server.dispatch import Dispatcher
from klamm.server.request import RequestContext
from klamm.server.routes import Route


class FakeConnection:
    def __init__(self) -> None:
        self.contexts: dict[int, RequestContext] = {}
        self.client_host, self.id = "192.0.2.7", 5


class Served:
    """A dispatcher whose one API, Heartbeat, notes the contexts that it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.contexts: list[RequestContext] = []
        self.requests: list[HeartbeatRequest] = []
        self.response: Any = HeartbeatResponse(throttle_time_ms=9, error_code=0)
        self.connection: Any = FakeConnection()
        route = Route(apis.APIS[apis.HEARTBEAT], "heartbeat")
        route.handle = self._handle
        monkeypatch.setattr(dispatch, "route", lambda key, kind: route)
        broker: Any = None
        self._dispatcher = Dispatcher(broker, "PLAINTEXT", apis.BROKER)

    def _handle(self, broker: object, context: RequestContext, request: HeartbeatRequest) -> Any:
        self.contexts.append(context)
        self.requests.append(request)
        return self.response

    def send(self, version: int, client_id: bytes | None, correlation_id: int = 1, tags: bytes = b"\0") -> bytes:
        header = struct.pack(
            ">hhih", apis.HEARTBEAT, version, correlation_id, -1 if client_id is None else len(client_id)
        )
        body = HeartbeatRequest(group_id="g", generation_id=1, member_id="m").encode(version)
        frame = header + (client_id or b"") + (tags if version >= 4 else b"") + body
        answer: Any = self._dispatcher.serve(self.connection, memoryview(bytearray(frame)))
        return b"".join(answer)


def test_requests_with_the_same_header_share_their_context(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(monkeypatch)
    for correlation_id in (1, 2):
        served.send(4, b"me", correlation_id)
    first, second = served.contexts
    assert first is second
    assert (first.client_id, first.client_host, first.connection_id) == ("me", "192.0.2.7", 5)
    assert (first.api_key, first.api_version, first.listener_name) == (apis.HEARTBEAT, 4, "PLAINTEXT")


@pytest.mark.parametrize("seen_first", [(4, b"me"), (4, b"you"), (4, None), (3, b"me"), (4, b""), (4, b"me" * 50)])
@pytest.mark.parametrize("then", [(4, b"me"), (4, b"you"), (4, None), (3, b"me"), (4, b"mo")])
def test_another_header_is_another_context(
    monkeypatch: pytest.MonkeyPatch, seen_first: tuple[int, bytes | None], then: tuple[int, bytes | None]
) -> None:
    served = Served(monkeypatch)
    for version, client_id in (seen_first, then):
        served.send(version, client_id)
        context = served.contexts[-1]
        assert context.api_version == version
        assert context.client_id == (None if client_id is None else client_id.decode())
        assert served.requests[-1] == HeartbeatRequest(group_id="g", generation_id=1, member_id="m")


def test_tagged_fields_of_the_header_belong_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served(monkeypatch)
    for tags in (b"\0", b"\1\5\2ab", b"\1\5\2cd", b"\0"):
        served.send(4, b"me", tags=tags)
        assert served.requests[-1].member_id == "m"


@pytest.mark.parametrize("version", range(5))
def test_an_encoded_answer_leaves_as_a_message_would(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    served = Served(monkeypatch)
    whole = served.send(version, b"me", correlation_id=77)
    served.response = served.response.encode(version)
    assert served.send(version, b"me", correlation_id=77) == whole
    assert struct.unpack_from(">ii", whole) == (len(whole) - 4, 77)


class FakeController:
    """The way to the controller: the test calls what would be called here."""

    def __init__(self) -> None:
        self.here: Any = None
        self.reply: Reply[Any] = Reply()

    def call(self, here: Any, request: Any) -> Reply[Any]:
        self.here = here
        return self.reply


class TestRequestsForTheController:
    """CreateTopics at a broker whose own process may have the active controller, or lose it in the meantime."""

    VERSION = 4

    @pytest.fixture(autouse=True)
    def _serve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.controller = FakeController()
        route = Route(apis.APIS[apis.CREATE_TOPICS], "create_topics")
        route.handle = lambda *_: self.decide()
        monkeypatch.setattr(dispatch, "route", lambda key, kind: route)
        broker: Any = SimpleNamespace(controller=self.controller)
        row = CreateTopicsRequest.CreatableTopic
        topic = row(name="t", num_partitions=1, replication_factor=1, assignments=[], configs=[])
        body = CreateTopicsRequest(topics=[topic], timeout_ms=1).encode(self.VERSION)
        frame = struct.pack(">hhih", apis.CREATE_TOPICS, self.VERSION, 1, -1) + body
        connection: Any = FakeConnection()
        reply: Any = Dispatcher(broker, "PLAINTEXT", apis.BROKER).serve(connection, memoryview(bytearray(frame)))
        self.answers: list[Any] = []
        reply.then(self.answers.append)

    def decide(self) -> Any:
        raise KafkaError(errors.NOT_CONTROLLER)

    def code(self) -> int:
        (answer,) = self.answers
        (topic,) = CreateTopicsResponse.decode(b"".join(answer)[8:], self.VERSION).topics
        assert topic.name == "t"
        return topic.error_code

    def test_one_that_is_no_controller_any_more_gives_no_answer(self) -> None:
        with pytest.raises(KafkaError) as raised:
            self.controller.here()
        assert raised.value.code == errors.NOT_CONTROLLER
        assert self.answers == []

    async def test_one_that_is_deposed_before_the_records_are_committed_gives_none_either(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deciding: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(self, "decide", lambda: deciding)
        answer = self.controller.here()
        deciding.set_exception(KafkaError(errors.NOT_CONTROLLER))
        with pytest.raises(KafkaError) as raised:
            await answer
        assert raised.value.code == errors.NOT_CONTROLLER

    @pytest.mark.parametrize("code", [errors.REQUEST_TIMED_OUT, errors.POLICY_VIOLATION])
    def test_other_errors_are_the_answer(self, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
        def fail() -> None:
            raise KafkaError(code)

        monkeypatch.setattr(self, "decide", fail)
        self.controller.reply.resolve(self.controller.here())
        assert self.code() == code

    @pytest.mark.parametrize("code", [errors.NOT_CONTROLLER, errors.REQUEST_TIMED_OUT])
    def test_nobody_was_found_in_time(self, code: int) -> None:
        self.controller.reply.resolve(KafkaError(code))
        assert self.code() == errors.REQUEST_TIMED_OUT

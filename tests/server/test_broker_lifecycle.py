"""A broker's registration: how long one request is waited for, and when it is given up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest, BrokerRegistrationResponse
from klamm.kproto.schema import Message
from klamm.log.memory_disk import MemoryDisk
from klamm.reply import Reply
from klamm.seams import SeededEntropy
from klamm.server.broker_lifecycle import BrokerLifecycle
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.node import Node


class Clock:
    """Time passes only by waiting, at once."""

    def __init__(self) -> None:
        self.now_ms = 0.0

    def monotonic_ms(self) -> float:
        return self.now_ms

    def call_later(self, delay_ms: float, callback: Any) -> Any:
        self.now_ms += delay_ms
        return asyncio.get_running_loop().call_soon(callback)


class Controller:
    """Says nothing to the first `silent` requests: each takes the time that it was given."""

    def __init__(self, clock: Clock, silent: int) -> None:
        self.clock, self.silent = clock, silent
        self.asked: list[tuple[bytes, float]] = []

    def send(self, request: Message, *, timeout_ms: float | None = None) -> Reply[Message]:
        assert isinstance(request, BrokerRegistrationRequest) and timeout_ms is not None
        self.asked.append((request.incarnation_id, timeout_ms))
        reply: Reply[Message] = Reply()
        if len(self.asked) <= self.silent:
            self.clock.now_ms += timeout_ms
            reply.resolve(KafkaError(errors.REQUEST_TIMED_OUT))
        else:
            reply.resolve(BrokerRegistrationResponse(broker_epoch=77))
        return reply


def lifecycle(controller: Controller) -> BrokerLifecycle:
    metadata: Any = SimpleNamespace(storage=SimpleNamespace(node_id=2, cluster_id="c"))
    log_dirs: Any = SimpleNamespace(registered_ids=[], previous_broker_epoch=-1)
    clock: Any = controller.clock
    return BrokerLifecycle(
        controller,
        metadata,
        log_dirs,
        clock,
        SeededEntropy(1),
        heartbeat_ms=2000,
        session_ms=9000,
        registration_timeout_ms=60_000,
    )


async def test_a_silent_controller_is_asked_again() -> None:
    """It may have lost its power, and be back."""
    controller = Controller(Clock(), silent=1)
    broker = lifecycle(controller)
    await broker.register([])
    assert broker.broker_epoch == 77
    assert [timeout_ms for _, timeout_ms in controller.asked] == [4500, 4500]
    assert len({incarnation_id for incarnation_id, _ in controller.asked}) == 1


async def test_registration_is_given_up_in_time() -> None:
    controller = Controller(Clock(), silent=1000)
    with pytest.raises(KafkaError) as caught:
        await lifecycle(controller).register([])
    assert caught.value.code == errors.REQUEST_TIMED_OUT
    assert 59_000 <= controller.clock.now_ms <= 61_000


@pytest.mark.parametrize("is_enabled", [True, False])
async def test_a_controlled_shutdown_can_be_spared(is_enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def controlled_shutdown(lifecycle: BrokerLifecycle) -> None:
        asked.append(lifecycle)

    monkeypatch.setattr(BrokerLifecycle, "controlled_shutdown", controlled_shutdown)
    overrides = {"listeners": "PLAINTEXT://127.0.0.1:0", "controlled.shutdown.enable": str(is_enabled).lower()}
    node = Node(BrokerConfig.load(profile="test", overrides=overrides), disk=MemoryDisk())
    await node.start()
    await node.stop()
    assert bool(asked) is is_enabled

"""JoinGroup: what old versions say where newer ones have null."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from tests.server.handlers.group_broker import GroupBroker
from tests.server.handlers.group_requests import join


@pytest.mark.parametrize(("version", "shown"), [(0, ""), (6, ""), (7, None), (9, None)])
async def test_no_protocol_name(version: int, shown: str | None) -> None:
    broker = GroupBroker({})
    assert (await broker.ask(version, join("g", "unknown"))).protocol_name == shown


async def test_no_protocol_name_after_waiting() -> None:
    """An old client whose join fails while it waits: here because the broker stops leading."""
    broker = GroupBroker({})
    waiting = broker.call(3, join("g"))
    for index in range(3):
        broker.groups.on_resigned(index)
    answer = await broker.finish(3, waiting)
    assert (answer.error_code, answer.protocol_name) == (errors.NOT_COORDINATOR, "")


@pytest.mark.parametrize(("version", "expected"), [(0, 7000), (1, 9000)])
async def test_version_0_has_no_rebalance_timeout(version: int, expected: int) -> None:
    """The session's timeout stands for it."""
    broker = GroupBroker({})
    await broker.ask(version, join("g", session=7000, rebalance=9000 if version else -1))
    machine = broker.groups._shards[broker.groups.partition_for("g")].machine
    assert machine.groups["g"].rebalance_timeout_ms == expected

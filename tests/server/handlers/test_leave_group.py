"""LeaveGroup: one member's error is the whole answer before version 3."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.leave_group import LeaveGroupRequest
from tests.server.handlers.group_broker import GroupBroker
from tests.server.handlers.group_requests import join, leave


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_one_member(version: int) -> None:
    broker = GroupBroker({})
    member = (await broker.ask(3, join("g"))).member_id
    assert (await broker.ask(version, LeaveGroupRequest(group_id="g", member_id="x"))).error_code == 25
    assert (await broker.ask(version, LeaveGroupRequest(group_id="g", member_id=member))).error_code == 0
    assert (await broker.ask(version, LeaveGroupRequest(group_id="g", member_id=member))).error_code == 25


async def test_many_members_and_an_administrator() -> None:
    broker = GroupBroker({})
    one = broker.call(9, join("g", instance="i1"))
    two = broker.call(9, join("g", instance="i2"))
    await broker.finish(9, one)
    member = (await broker.finish(9, two)).member_id
    answer = await broker.ask(5, leave("g", ("", "i1"), ("", "i3"), ("", None), (member, "i1"), (member, "i2")))
    assert [(m.member_id, m.group_instance_id, m.error_code) for m in answer.members] == [
        ("", "i1", errors.NONE),
        ("", "i3", errors.UNKNOWN_MEMBER_ID),
        ("", None, errors.UNKNOWN_MEMBER_ID),
        (member, "i1", errors.UNKNOWN_MEMBER_ID),
        (member, "i2", errors.NONE),
    ]

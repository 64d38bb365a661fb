"""What clients say to a group coordinator, step by step; spoken to real Kafka once and to our handlers in each test.

A conversation is a function of a `Speaker`, who sends requests and keeps the answers. Topics: t with three partitions,
u and w with one. Broker settings: group.max.size 4, group.min.session.timeout.ms 10, no initial rebalance delay, three
partitions of `__consumer_offsets`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from klamm.kproto import errors
from klamm.kproto.messages.delete_groups import DeleteGroupsRequest
from klamm.kproto.messages.describe_groups import DescribeGroupsRequest
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest
from klamm.kproto.messages.leave_group import LeaveGroupRequest
from klamm.kproto.messages.list_groups import ListGroupsRequest
from klamm.kproto.schema import Message
from tests.server.handlers import group_requests as r

SETTINGS: Final = {
    "group.max.size": "4",
    "group.min.session.timeout.ms": "10",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "3",
}
TOPICS: Final = {"t": 3, "u": 1, "w": 1}


class Speaker(Protocol):
    """One side of a conversation; `who` names the connection."""

    ids: dict[str, bytes]
    """Topic ids by name; "nope" is the id of no topic."""

    def ask(self, version: int, request: Message, who: str = "main", client_id: str | None = "c") -> Any:
        """Send, and wait for the answer."""
        ...

    def start(self, version: int, request: Message, who: str) -> None:
        """Send, and wait until the broker has it."""
        ...

    def finish(self, who: str) -> Any:
        """The answer to what was started."""
        ...

    def delete_topic(self, name: str) -> None: ...


def describe(*groups: str, operations: bool = False) -> DescribeGroupsRequest:
    return DescribeGroupsRequest(groups=list(groups), include_authorized_operations=operations)


def delete(*groups: str) -> DeleteGroupsRequest:
    return DeleteGroupsRequest(groups_names=list(groups))


def list_groups(states: tuple[str, ...] = (), types: tuple[str, ...] = ()) -> ListGroupsRequest:
    return ListGroupsRequest(states_filter=list(states), types_filter=list(types))


def old_leave(group: str, member: str) -> LeaveGroupRequest:
    return LeaveGroupRequest(group_id=group, member_id=member)


def found(s: Speaker, group: str, who: str, version: int = 9, **fields: Any) -> Any:
    """Join a group that has no members, coming back with the member id when told to."""
    answer = s.ask(version, r.join(group, **fields), who)
    if answer.error_code == errors.MEMBER_ID_REQUIRED:
        answer = s.ask(version, r.join(group, answer.member_id, **fields), who)
    return answer


def find_coordinators(s: Speaker) -> None:
    for version in range(4):
        s.ask(version, FindCoordinatorRequest(key="g", key_type=0))
    for version in (4, 5, 6):
        s.ask(version, FindCoordinatorRequest(key_type=0, coordinator_keys=["g", "h", "g", ""]))
    s.ask(4, FindCoordinatorRequest(key_type=0, coordinator_keys=[]))
    s.ask(2, FindCoordinatorRequest(key_type=0, key=""))
    s.ask(2, FindCoordinatorRequest(key_type=3, key="x"))
    s.ask(4, FindCoordinatorRequest(key_type=3, coordinator_keys=["x"]))
    s.ask(3, FindCoordinatorRequest(key_type=2, key="x"))
    s.ask(5, FindCoordinatorRequest(key_type=2, coordinator_keys=["x"]))


def unknown_group(s: Speaker) -> None:
    for version in range(5):
        s.ask(version, r.heartbeat("no", 1, "m"))
    for version in range(3):
        s.ask(version, old_leave("no", "m"))
    for version in (3, 4, 5):
        s.ask(version, r.leave("no", ("m", None), ("", "i")))
    s.ask(3, r.leave("no"))
    for version in range(5):
        s.ask(version, r.old_sync("no", 1, "m"))
    s.ask(5, r.sync("no", 1, "m"))
    s.ask(5, r.sync("no", 1, "m", protocol=None))
    for version in range(10):
        s.ask(version, r.join("no", "m"))
    for version in range(2, 10):
        s.ask(version, r.commit("no", 1, "m"))
    s.ask(10, r.commit("no", 1, "m", ids=s.ids))
    for version in (1, 2, 5):
        s.ask(version, r.fetch("no", [("t", (0, 1)), ("nope", (0,))]))
    s.ask(2, r.fetch("no", None))
    s.ask(7, r.fetch("no", None, stable=True))
    for version in (8, 9):
        s.ask(version, r.fetch_groups(("no", None), ("no", [("t", (0,)), ("nope", (0,))])))
    s.ask(10, r.fetch_groups(("no", None), ("no", [("t", (0,)), ("nope", (0,))]), ids=s.ids))
    s.ask(0, r.forget("no", [("t", (0,))]))
    for version in range(7):
        s.ask(version, describe("no", "", operations=version >= 3))
    for version in range(3):
        s.ask(version, delete("no", "no", ""))
    for version in range(6):
        s.ask(version, list_groups())


def empty_group_id(s: Speaker) -> None:
    s.ask(4, r.heartbeat("", 1, "m"))
    s.ask(2, old_leave("", "m"))
    s.ask(5, r.leave("", ("m", None)))
    s.ask(4, r.old_sync("", 1, "m"))
    for version in (0, 5, 9):
        s.ask(version, r.join(""))
    s.ask(0, r.forget("", [("t", (0,))]))
    s.ask(8, r.commit(""))
    s.ask(7, r.fetch("", None))
    s.ask(5, describe(""))
    s.ask(5, list_groups())
    s.ask(2, delete(""))


def refused_joins(s: Speaker) -> None:
    s.ask(9, r.join("s", session=5))
    s.ask(4, r.join("s", session=10**9))
    s.ask(9, r.join("p0", protocols=()))
    s.ask(5, r.join("p0", kind=""))
    s.ask(5, list_groups())


def every_version(s: Speaker) -> None:
    """One member a version, through all that it can say."""
    for version in range(10):
        group = f"v{version}"
        member = found(s, group, "a", version).member_id
        if version < 5:
            s.ask(version, r.old_sync(group, 1, member, {member: b"x"}), "a")
        else:
            s.ask(5, r.sync(group, 1, member, assign={member: b"x"}), "a")
        s.ask(min(version, 4), r.heartbeat(group, 1, member), "a")
        s.ask(max(version, 2), r.commit(group, 1, member), "a")
        if version < 6:
            s.ask(version, describe(group))
        if version < 3:
            s.ask(version, old_leave(group, member), "a")
        elif version < 6:
            s.ask(version, r.leave(group, (member, None)), "a")
    s.ask(4, r.join("cn"), "a", None)
    s.ask(3, r.join("cn3"), "a", None)
    s.ask(8, r.fetch_groups(("v2", None)))
    s.ask(10, r.fetch_groups(("v2", None), ids=s.ids))
    s.ask(5, list_groups(("Empty", "STABLE"), ("classic",)))
    for kind in ("consumer", "Classic", "zzz"):
        s.ask(5, list_groups(types=(kind,)))
    s.ask(5, list_groups(("zzz",)))
    s.ask(4, list_groups((" empty ",)))
    s.ask(2, delete("v0", "no", "v9", "v5"))


def one_member(s: Speaker) -> None:
    """What a group answers to right and wrong callers, before and after the assignment."""
    m = found(s, "g", "a", protocols=r.RANGE_FIRST).member_id
    s.ask(5, r.sync("g", 7, m), "a")
    s.ask(5, r.sync("g", 1, "zz"), "a")
    s.ask(5, r.sync("g", 1, m, kind="x"), "a")
    s.ask(5, r.sync("g", 1, m, protocol="x"), "a")
    s.ask(5, r.sync("g", 1, m, "inst"), "a")
    s.ask(8, r.commit("g", 1, m))
    s.ask(8, r.commit("g"))
    s.ask(6, describe("g", operations=True))
    s.ask(4, r.heartbeat("g", 1, m))
    s.ask(9, r.join("g", m, protocols=r.RANGE_FIRST), "a")
    s.ask(0, r.forget("g", [("t", (0,)), ("u", (0,))]))
    s.ask(2, delete("g"))
    s.ask(5, r.sync("g", 1, m, assign={m: b"all", "ghost": b"x"}), "a")
    s.ask(5, r.sync("g", 1, m), "a")
    for version in (4, 6):
        s.ask(version, describe("g", operations=True))
    for generation, member, instance in ((9, m, None), (1, "zz", None), (1, m, "inst"), (9, "zz", None), (1, "", None)):
        s.ask(4, r.heartbeat("g", generation, member, instance))
    for version in (2, 7, 9):
        for generation, member in ((5, m), (1, "zz"), (-1, ""), (-1, m), (1, "")):
            s.ask(version, r.commit("g", generation, member))
    s.ask(9, r.commit("g", 1, m, "inst"))
    offsets = (("t", 0, 1, "m"), ("t", 9, 1, "m"), ("nope", 0, 1, None))
    s.ask(
        9, r.commit("g", 1, m, offsets=(*offsets, ("t", 1, 2, "x" * 4097), ("t", 2, -7, "x" * 40), ("u", 0, 3, None)))
    )
    s.ask(10, r.commit("g", 1, m, offsets=(*offsets, ("u", 0, 3, None)), ids=s.ids))
    s.ask(10, r.commit("g", 1, "zz", offsets=(("nope", 0, 1, "m"),), ids=s.ids))
    s.ask(9, r.commit("g", 1, "zz", offsets=()))
    s.ask(9, r.commit("g", 1, m, offsets=()))
    for version in (1, 2, 5, 6, 7):
        s.ask(version, r.fetch("g", [("t", (0, 1, 2, 9)), ("nope", (0,)), ("u", (0,))]))
    s.ask(5, r.fetch("g", []))
    s.ask(9, r.fetch_groups(("g", [("t", (0, 1)), ("nope", (0,))]), ("no", [("t", (0,))])))
    s.ask(10, r.fetch_groups(("g", [("t", (0, 1)), ("nope", (0,)), ("u", (0,))]), ids=s.ids))
    s.ask(9, r.fetch_groups(("g", [("t", (0,))]), member=("zz", 4)))
    s.ask(9, r.fetch_groups(("g", [("t", (0,))]), member=(m, 1)))
    s.ask(0, r.forget("g", [("t", (0, 9)), ("u", (0,)), ("nope", (0, 1)), ("w", (0,))]))
    s.ask(7, r.fetch("g", [("u", (0,))]))
    s.ask(9, r.join("g", kind="connect"), "b")
    s.ask(9, r.join("g", protocols=(("zzz", b""),)), "b")
    s.ask(9, r.join("g", "zz"), "b")
    s.ask(9, r.join("g", m, "inst"), "b")
    s.ask(5, r.join("g", m, kind="connect"), "b")
    two_members(s, m)


def two_members(s: Speaker, m: str) -> None:
    """A second member comes to the group of `one_member`; both leave."""
    n = s.ask(9, r.join("g", protocols=r.RR_FIRST), "b").member_id
    s.ask(4, r.heartbeat("g", 1, n))
    s.ask(5, r.sync("g", 1, n))
    s.ask(9, r.commit("g", 1, n))
    s.ask(5, describe("g"))
    s.ask(9, r.join("g", n, "inst"), "b")
    s.start(9, r.join("g", n, protocols=r.RR_FIRST), "b")
    s.ask(4, r.heartbeat("g", 1, m))
    s.ask(4, r.heartbeat("g", 1, n))
    s.ask(5, r.sync("g", 1, m))
    s.ask(9, r.commit("g", 1, m))
    s.ask(9, r.commit("g", 1, n))
    s.ask(5, describe("g"))
    s.ask(4, list_groups(("preparingrebalance ",)))
    s.ask(0, r.forget("g", [("t", (0,)), ("w", (0,))]))
    s.start(9, r.join("g", m, protocols=r.RANGE_FIRST), "a")
    protocol = s.finish("a").protocol_name
    s.finish("b")
    s.start(5, r.sync("g", 2, n, protocol=protocol), "b")
    s.ask(5, r.sync("g", 2, m, protocol=protocol, assign={m: b"1", n: b"2"}), "a")
    s.finish("b")
    s.ask(9, r.join("g", n, protocols=r.RR_FIRST), "b")
    s.ask(5, r.leave("g", ("zz", None), ("", "inst"), ("", None), (n, "inst")))
    s.ask(4, r.leave("g", (n, None)))
    s.ask(4, r.heartbeat("g", 2, m))
    s.ask(9, r.join("g", m), "a")
    s.ask(3, r.leave("g", (m, None)))
    s.ask(6, describe("g"))
    s.ask(9, r.commit("g"))
    s.ask(9, r.commit("g", 3, m))
    s.ask(9, r.commit("g", -1, m))
    s.ask(4, r.heartbeat("g", 3, m))
    s.ask(5, r.sync("g", 3, m))
    s.ask(3, r.leave("g", (m, None)))
    s.ask(9, r.join("g", m))
    s.ask(0, r.forget("g", [("t", (0,)), ("u", (0,))]))
    s.ask(7, r.fetch("g", None))
    s.ask(2, delete("g"))
    s.ask(7, r.fetch("g", None))
    s.ask(6, describe("g"))


def static_members(s: Speaker) -> None:
    """KIP-345: who comes back under its instance id gets its place, who was there before is fenced."""

    def come(who: str, version: int = 9, **fields: Any) -> Any:
        return s.ask(version, r.join("st", instance="i1", **fields), who)

    old = come("a").member_id
    s.ask(5, r.sync("st", 1, old, "i1", assign={old: b"1"}), "a")
    s.ask(6, describe("st"))
    new = come("b").member_id
    for member, instance in ((old, "i1"), (old, None), (new, "i1"), (new, None)):
        s.ask(4, r.heartbeat("st", 1, member, instance))
    s.ask(5, r.sync("st", 1, old, "i1"))
    s.ask(5, r.sync("st", 1, new, "i1"))
    s.ask(9, r.commit("st", 1, old, "i1"))
    s.ask(9, r.join("st", old, "i1"), "a")
    s.ask(5, r.leave("st", (old, "i1")))
    come("a", 7)
    come("a", 5)
    s.ask(6, describe("st"))
    changed = come("b", protocols=r.RR)
    s.ask(6, describe("st"))
    m = changed.member_id
    s.ask(5, r.sync("st", changed.generation_id, m, "i1", protocol="rr", assign={m: b"4"}), "b")
    last = come("a", protocols=(("rr", b"other"),))
    m = last.member_id
    s.start(9, r.join("st", instance="i2", protocols=r.RR), "b")
    s.ask(4, r.heartbeat("st", last.generation_id, m, "i1"))
    s.start(9, r.join("st", instance="i2", protocols=r.RR), "c")
    s.finish("b")
    s.ask(9, r.join("st", m, "i1", protocols=r.RR), "a")
    waiting = s.finish("c")
    s.start(5, r.sync("st", waiting.generation_id, waiting.member_id, "i2", protocol="rr"), "c")
    s.start(9, r.join("st", instance="i2", protocols=r.RR), "d")
    s.finish("c")
    s.ask(4, r.heartbeat("st", waiting.generation_id, m, "i1"))
    s.ask(9, r.join("st", m, "i1", protocols=r.RR), "a")
    s.finish("d")
    s.ask(5, r.leave("st", ("", "i2"), ("", "i9"), (m, "i1")))
    s.ask(6, describe("st"))


def full_group(s: Speaker) -> None:
    """group.max.size counts those who have joined while the group rebalances; one that comes too late is out."""
    m = found(s, "max", "a", rebalance=2000).member_id
    s.ask(5, r.sync("max", 1, m), "a")
    members = {who: s.ask(9, r.join("max", rebalance=2000), who).member_id for who in "bcdef"}
    for who in "bcde":
        s.start(9, r.join("max", members[who], rebalance=2000), who)
    s.ask(9, r.join("max", members["f"], rebalance=2000), "f")
    s.ask(9, r.join("max", m, rebalance=2000), "a")
    for who in "bcde":
        s.finish(who)
    s.ask(9, r.join("max", rebalance=2000), "f")


def other_protocol_type(s: Speaker) -> None:
    m = found(s, "cc", "x", kind="connect", protocols=(("default", b"md"),)).member_id
    s.ask(9, r.commit("cc", 1, m))
    s.ask(5, r.sync("cc", 1, m, kind="connect", protocol="default", assign={m: b"z"}), "x")
    s.ask(6, describe("cc"))
    s.ask(0, r.forget("cc", [("t", (0,))]))


def interrupted(s: Speaker) -> None:
    """Who waits for an assignment is sent back when another member comes; who leaves while it joins is told so."""
    m = found(s, "w", "a").member_id
    s.ask(5, r.sync("w", 1, m, assign={m: b"1"}), "a")
    n = s.ask(9, r.join("w"), "b").member_id
    s.start(9, r.join("w", n), "b")
    s.ask(9, r.join("w", m), "a")
    s.finish("b")
    s.start(5, r.sync("w", 2, n), "b")
    o = s.ask(9, r.join("w"), "c").member_id
    s.start(9, r.join("w", o), "c")
    s.finish("b")
    s.ask(4, r.heartbeat("w", 2, n))
    s.ask(3, r.leave("w", (o, None)))
    s.finish("c")


def offsets_alone(s: Speaker) -> None:
    """Groups without members: offsets that somebody keeps here."""
    s.ask(4, r.commit("ret", retention=3600000))
    s.ask(5, r.fetch("ret", None))
    s.ask(9, r.commit("dup", offsets=(("t", 0, 1, "a"), ("t", 0, 2, "b"))))
    s.ask(7, r.fetch("dup", [("t", (0, 0))]))
    s.ask(6, describe("dup", "dup"))
    s.ask(9, r.commit("td", offsets=(("w", 0, 9, "m"), ("t", 0, 1, "m"))))
    s.delete_topic("w")
    s.ask(7, r.fetch("td", None))
    s.ask(9, r.commit("td", offsets=(("w", 0, 9, "m"),)))


CONVERSATIONS: Final[tuple[Callable[[Speaker], None], ...]] = (
    find_coordinators,
    unknown_group,
    empty_group_id,
    refused_joins,
    every_version,
    one_member,
    static_members,
    full_group,
    other_protocol_type,
    interrupted,
    offsets_alone,
)
"""In this order, on one broker: later ones see the groups that earlier ones left."""

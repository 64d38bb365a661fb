"""Groups of the classic protocol: coordinator, join, sync, heartbeat, leave, describe, list, delete."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import Peer, Run
from klamm.kproto.messages.delete_groups import DeleteGroupsRequest
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest
from klamm.kproto.messages.describe_groups import DescribeGroupsRequest
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest
from klamm.kproto.messages.heartbeat import HeartbeatRequest
from klamm.kproto.messages.join_group import JoinGroupRequest, JoinGroupResponse
from klamm.kproto.messages.leave_group import LeaveGroupRequest
from klamm.kproto.messages.list_groups import ListGroupsRequest
from klamm.kproto.messages.metadata import MetadataRequest
from klamm.kproto.messages.sync_group import SyncGroupRequest, SyncGroupResponse

MEMBER_ID_REQUIRED = 79
PROTOCOLS = [{"name": "range", "metadata": b"r"}, {"name": "roundrobin", "metadata": b"o"}]


def coordinator(run: Run, group: str) -> str:
    """Wait until the group has a coordinator that has loaded; gives the group."""
    for _ in run.attempts("no coordinator"):
        found = run.quiet(FindCoordinatorRequest, 4, key_type=0, coordinator_keys=[group]).coordinators[0]
        if not found.error_code:
            answer = run.quiet(HeartbeatRequest, 4, group_id=group, generation_id=-1, member_id="x")
            if answer.error_code not in (14, 15, 16):
                break
    return group


def create_internal_topics(run: Run) -> None:
    """Have Kafka create the internal topics, which it does behind an error that one is to try again."""
    for kind, key in ((0, "g"), (1, "t"), (2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0")):
        for _ in run.attempts("no coordinator"):
            answer = run.quiet(FindCoordinatorRequest, 6, key_type=kind, coordinator_keys=[key])
            if not answer.coordinators[0].error_code:
                break


def join_values(group: str, member: str = "", **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"group_id": group, "session_timeout_ms": 10000, "rebalance_timeout_ms": 10000,
                              "member_id": member, "protocol_type": "consumer", "protocols": PROTOCOLS}  # fmt: skip
    return {**values, **more}


def joined(peer: Peer, version: int, group: str, note: str = "join", **more: Any) -> Any:
    """Join, the second time with the member id that the first answer gives; the last answer."""
    answer = peer.ask(JoinGroupRequest, version, note, **join_values(group, **more))
    if answer.error_code == MEMBER_ID_REQUIRED:
        answer = peer.ask(JoinGroupRequest, version, f"{note} again", **join_values(group, answer.member_id, **more))
    return answer


def sync_values(group: str, answer: Any, **more: Any) -> dict[str, Any]:
    rows = [{"member_id": m.member_id, "assignment": b"to " + m.metadata} for m in answer.members]
    values = {"group_id": group, "generation_id": answer.generation_id, "member_id": answer.member_id,
              "protocol_type": "consumer", "protocol_name": "range", "assignments": rows}  # fmt: skip
    return {**values, **more}


@case
def internal_topics(run: Run) -> None:
    create_internal_topics(run)
    for name in ("__consumer_offsets", "__transaction_state", "__share_group_state"):
        run.ask(MetadataRequest, 12, name, topics=[{"name": name}], allow_auto_topic_creation=False)
        asked = {"resource_type": 2, "resource_name": name, "configuration_keys": None}
        run.ask(DescribeConfigsRequest, 4, name, resources=[asked], include_synonyms=True)


@case
def find_coordinator(run: Run) -> None:
    create_internal_topics(run)
    for version in run.versions(FindCoordinatorRequest):
        for kind in (0, 1, 2, 3, -1) if version else (0,):
            for key in ("group", "", "g:AAAAAAAAAAAAAAAAAAAAAQ:0", "g:1", "a:b:c", ":AAAAAAAAAAAAAAAAAAAAAQ:0"):
                run.ask(FindCoordinatorRequest, version, f"type {kind} key {key!r}", key=key, key_type=kind,
                        coordinator_keys=[key])  # fmt: skip
        if version >= 4:
            for keys in ([], ["a", "b"], ["a", "a"]):
                run.ask(FindCoordinatorRequest, version, f"keys {keys}", key_type=0, coordinator_keys=keys)


@case
def one_member(run: Run) -> None:
    for version in run.versions(JoinGroupRequest):
        group = coordinator(run, run.new_name("group"))
        answer = joined(run.client, version, group)
        sync, beat, leave = min(version, 5), min(version, 4), min(version, 5)
        run.ask(HeartbeatRequest, beat, "before the sync", group_id=group, generation_id=answer.generation_id,
                member_id=answer.member_id)  # fmt: skip
        run.ask(SyncGroupRequest, sync, "sync", **sync_values(group, answer))
        run.ask(SyncGroupRequest, sync, "sync again", **sync_values(group, answer))
        run.ask(DescribeGroupsRequest, min(version, 6), "stable", groups=[group], include_authorized_operations=True)
        for note, generation, member in (("right", 1, answer.member_id), ("old generation", 0, answer.member_id),
                                         ("new generation", 2, answer.member_id), ("unknown member", 1, "other"),
                                         ("no member", 1, ""), ("generation -1", -1, answer.member_id)):  # fmt: skip
            run.ask(HeartbeatRequest, beat, note, group_id=group, generation_id=generation, member_id=member)
            values = sync_values(group, answer, generation_id=generation, member_id=member)
            run.ask(SyncGroupRequest, sync, note, **values)
        run.ask(JoinGroupRequest, version, "join once more", **join_values(group, answer.member_id))
        run.ask(SyncGroupRequest, sync, "sync of the old generation", **sync_values(group, answer))
        run.ask(
            SyncGroupRequest, sync, "wrong protocol", **sync_values(group, answer, generation_id=2, protocol_name="x")
        )
        run.ask(SyncGroupRequest, sync, "wrong type", **sync_values(group, answer, generation_id=2, protocol_type="x"))
        run.ask(SyncGroupRequest, sync, "null type", **sync_values(group, answer, generation_id=2, protocol_type=None))
        run.ask(SyncGroupRequest, sync, "sync of the new one", **sync_values(group, answer, generation_id=2))
        one = {"member_id": answer.member_id, "members": [{"member_id": answer.member_id, "reason": "done"}]}
        run.ask(LeaveGroupRequest, leave, "leave", group_id=group, **one)
        run.ask(LeaveGroupRequest, leave, "leave again", group_id=group, **one)
        run.ask(DescribeGroupsRequest, min(version, 6), "empty", groups=[group])


@case
def wrong_joins(run: Run) -> None:
    for version in run.versions(JoinGroupRequest):
        coordinator(run, "any")

        def ask(note: str, version: int = version, group: str = "", **more: Any) -> None:
            run.ask(JoinGroupRequest, version, note, **{**join_values(group or run.new_name("group")), **more})

        ask("empty group", group_id="")
        ask("unknown member", member_id="no-such-member")
        for timeout in (-1, 0, 999, 1800001, 2**31 - 1):
            ask(f"session timeout {timeout}", session_timeout_ms=timeout)
        ask("no protocol type", protocol_type="")
        ask("no protocols", protocols=[])
        if version >= 5:
            ask("empty instance id", group_instance_id="")
            ask("bad instance id", group_instance_id="a/b")
            ask("long instance id", group_instance_id="x" * 250)
            ask("instance id and an unknown member", group_instance_id="static", member_id="no-such-member")
        group = coordinator(run, run.new_name("group"))
        owner = joined(run.client, version, group)
        ask("another protocol type", group=group, protocol_type="connect")
        ask("no common protocol", group=group, protocols=[{"name": "other", "metadata": b""}])
        ask("protocol twice", group=group, protocols=[*PROTOCOLS, PROTOCOLS[0]], member_id="no-such-member")
        run.ask(DescribeGroupsRequest, 5, "now", groups=[group])
        run.quiet(LeaveGroupRequest, 3, group_id=group, members=[{"member_id": owner.member_id}])


@case
def two_members(run: Run) -> None:
    for version in run.versions(JoinGroupRequest):
        group = coordinator(run, run.new_name("group"))
        first, second = run.peer("first"), run.peer("second")
        sync = min(version, 5)
        one = joined(first, version, group)
        first.ask(SyncGroupRequest, sync, "sync", **sync_values(group, one))
        identity = ""
        if version >= 4:
            identity = second.ask(JoinGroupRequest, version, "a member id", **join_values(group)).member_id
        only_range = [PROTOCOLS[0]]
        sent = second.send(JoinGroupRequest, version, **join_values(group, identity, protocols=only_range))
        for _ in run.attempts("no rebalance"):
            beat = run.quiet(HeartbeatRequest, 3, group_id=group, generation_id=1, member_id=one.member_id)
            if beat.error_code == 27:
                break
        run.ask(DescribeGroupsRequest, 5, "rebalancing", groups=[group])
        one = first.ask(JoinGroupRequest, version, "rejoin", **join_values(group, one.member_id))
        two = second.receive(JoinGroupResponse, version, sent, "the second's join")
        assert two is not None
        waiting = second.send(SyncGroupRequest, sync, **sync_values(group, two))
        first.ask(SyncGroupRequest, sync, "the leader's sync", **sync_values(group, one))
        second.receive(SyncGroupResponse, sync, waiting, "the follower's sync")
        second.ask(JoinGroupRequest, version, "the follower joins with nothing new",
                   **join_values(group, two.member_id, protocols=only_range))  # fmt: skip
        run.ask(DescribeGroupsRequest, min(version, 6), "stable", groups=[group])
        if version >= 5:
            gone = [{"member_id": one.member_id}, {"member_id": two.member_id}, {"member_id": "other"}]
            run.ask(LeaveGroupRequest, version if version < 6 else 5, "leave together", group_id=group, members=gone)
        else:
            for member in (one.member_id, two.member_id):
                run.ask(LeaveGroupRequest, min(version, 2), "leave", group_id=group, member_id=member)
        run.ask(DescribeGroupsRequest, 5, "empty", groups=[group])


@case
def static_members(run: Run) -> None:
    for version in run.versions(JoinGroupRequest, low=5):
        group = coordinator(run, run.new_name("group"))
        static = {"group_instance_id": "static"}
        sync = min(version, 5)
        one = joined(run.client, version, group, **static)
        run.ask(SyncGroupRequest, sync, "sync", **sync_values(group, one, **static))
        again = joined(run.client, version, group, "joins anew", **static)
        run.ask(DescribeGroupsRequest, 5, "replaced", groups=[group])
        for note, member, instance in (("old id", one.member_id, "static"), ("new id", again.member_id, "static"),
                                       ("new id, no instance", again.member_id, None),
                                       ("new id, unknown instance", again.member_id, "other"),
                                       ("unknown id", "other", "static")):  # fmt: skip
            run.ask(HeartbeatRequest, 4, note, group_id=group, generation_id=again.generation_id, member_id=member,
                    group_instance_id=instance)  # fmt: skip
            values = sync_values(group, again, member_id=member, group_instance_id=instance)
            run.ask(SyncGroupRequest, sync, note, **values)
        run.ask(JoinGroupRequest, version, "old id joins", **join_values(group, one.member_id, **static))
        for note, member, instance in (("unknown instance", "", "other"), ("old id", one.member_id, "static"),
                                       ("instance alone", "", "static"), ("instance again", "", "static")):  # fmt: skip
            run.ask(LeaveGroupRequest, sync, f"leave by {note}", group_id=group,
                    members=[{"member_id": member, "group_instance_id": instance}])  # fmt: skip


@case
def unknown_groups(run: Run) -> None:
    coordinator(run, "any")
    for group in ("no.such.group", ""):
        for version in run.versions(HeartbeatRequest):
            run.ask(HeartbeatRequest, version, f"group {group!r}", group_id=group, generation_id=1, member_id="m")
        for version in run.versions(SyncGroupRequest):
            run.ask(SyncGroupRequest, version, f"group {group!r}", group_id=group, generation_id=1, member_id="m",
                    protocol_type="consumer", protocol_name="range", assignments=[])  # fmt: skip
        for version in run.versions(LeaveGroupRequest):
            run.ask(LeaveGroupRequest, version, f"group {group!r}", group_id=group, member_id="m",
                    members=[{"member_id": "m"}])  # fmt: skip
            run.ask(LeaveGroupRequest, version, f"group {group!r}, no member", group_id=group, member_id="", members=[])
        for version in run.versions(DescribeGroupsRequest):
            for operations in (False, True):
                run.ask(DescribeGroupsRequest, version, f"group {group!r} operations {operations}", groups=[group],
                        include_authorized_operations=operations)  # fmt: skip
        for version in run.versions(DeleteGroupsRequest):
            run.ask(DeleteGroupsRequest, version, f"group {group!r}", groups_names=[group])
    for version in run.versions(DescribeGroupsRequest):
        run.ask(DescribeGroupsRequest, version, "no groups", groups=[])
        run.ask(DescribeGroupsRequest, version, "a group twice", groups=["a", "a"])
    for version in run.versions(DeleteGroupsRequest):
        run.ask(DeleteGroupsRequest, version, "no groups", groups_names=[])
        run.ask(DeleteGroupsRequest, version, "a group twice", groups_names=["a", "a"])


@case
def list_and_delete(run: Run) -> None:
    group = coordinator(run, run.new_name("group"))
    member = joined(run.client, 5, group)

    def listed(note: str, version: int, **filters: list[str]) -> None:
        answer = run.quiet(ListGroupsRequest, version, **filters)
        own = [(g.protocol_type, g.group_state, g.group_type) for g in answer.groups if g.group_id == group]
        run.record("ListGroups", version, f"{note} {filters}", [answer.error_code, [list(g) for g in own]])

    def list_all(note: str) -> None:
        for version in run.versions(ListGroupsRequest):
            listed(note, version)
            if version >= 4:
                for state in (
                    "Stable",
                    "stable",
                    "Empty",
                    "CompletingRebalance",
                    "PreparingRebalance",
                    "Dead",
                    "nonsense",
                ):
                    listed(note, version, states_filter=[state])
                listed(note, version, states_filter=["Stable", "Empty"])
            if version >= 5:
                for kind in ("classic", "Classic", "consumer", "share", "nonsense"):
                    listed(note, version, types_filter=[kind])

    list_all("completing")
    run.ask(SyncGroupRequest, 5, "sync", **sync_values(group, member))
    list_all("stable")
    for version in run.versions(DeleteGroupsRequest):
        run.ask(DeleteGroupsRequest, version, "not empty", groups_names=[group])
        run.ask(DeleteGroupsRequest, version, "not empty, and unknown", groups_names=[group, "no.such.group"])
    run.ask(LeaveGroupRequest, 3, "leave", group_id=group, members=[{"member_id": member.member_id}])
    list_all("empty")
    run.ask(DeleteGroupsRequest, 2, "delete", groups_names=[group])
    run.ask(DeleteGroupsRequest, 2, "delete again", groups_names=[group])
    list_all("gone")

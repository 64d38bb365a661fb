"""Longer stories: members that come and go at once, one that falls silent, a consumer on a log that shrinks."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.cases.groups import MEMBER_ID_REQUIRED, PROTOCOLS, coordinator, join_values, sync_values
from compat.differential.run import Peer, Run, batch
from klamm.kproto.messages.delete_groups import DeleteGroupsRequest
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.describe_groups import DescribeGroupsRequest
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.heartbeat import HeartbeatRequest
from klamm.kproto.messages.join_group import JoinGroupRequest, JoinGroupResponse
from klamm.kproto.messages.leave_group import LeaveGroupRequest
from klamm.kproto.messages.list_offsets import ListOffsetsRequest
from klamm.kproto.messages.offset_commit import OffsetCommitRequest
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest
from klamm.kproto.messages.sync_group import SyncGroupRequest, SyncGroupResponse

REBALANCE_IN_PROGRESS = 27


class _Member:
    """One member of a group, with a connection of its own."""

    def __init__(self, run: Run, group: str, name: str, **more: Any) -> None:
        self.peer: Peer = run.peer(name)
        self.name, self._run, self._group, self._more = name, run, group, more
        self.member_id = ""
        self.answer: Any = None
        self._sent = 0

    def come(self) -> None:
        """Get a member id, and send the join; `joined` takes its answer."""
        if not self.member_id:
            first = self.peer.ask(
                JoinGroupRequest, 9, f"{self.name} asks for an id", **join_values(self._group, **self._more)
            )
            assert first.error_code == MEMBER_ID_REQUIRED
            self.member_id = first.member_id
        self._sent = self.peer.send(JoinGroupRequest, 9, **join_values(self._group, self.member_id, **self._more))

    def joined(self, note: str) -> None:
        self.answer = self.peer.receive(JoinGroupResponse, 9, self._sent, f"{self.name} joined: {note}")

    def ask_sync(self) -> None:
        self._sent = self.peer.send(SyncGroupRequest, 5, **sync_values(self._group, self.answer))

    def synced(self, note: str) -> None:
        self.peer.receive(SyncGroupResponse, 5, self._sent, f"{self.name} synced: {note}")

    def beat(self, note: str) -> None:
        self.peer.ask(HeartbeatRequest, 4, f"{self.name}: {note}", group_id=self._group,
                      generation_id=self.answer.generation_id, member_id=self.member_id)  # fmt: skip

    def hears_of_the_rebalance(self) -> None:
        for _ in self._run.attempts(f"{self.name} hears of no rebalance"):
            beat = self._run.quiet(HeartbeatRequest, 4, group_id=self._group, member_id=self.member_id,
                                   generation_id=self.answer.generation_id)  # fmt: skip
            if beat.error_code == REBALANCE_IN_PROGRESS:
                return


def _size(run: Run, group: str) -> int:
    return len(run.quiet(DescribeGroupsRequest, 5, groups=[group]).groups[0].members)


def _rebalance(run: Run, group: str, members: list[_Member], note: str) -> None:
    """All join, those who are there already last; then all sync."""
    present = [member for member in members if member.answer is not None]
    coming = [member for member in members if member.answer is None]
    for member in coming:
        member.come()
    for member in present:
        member.hears_of_the_rebalance()
    for _ in run.attempts("not all have come"):
        if _size(run, group) >= len(members):
            break
    for member in present:
        member.come()
    for member in members:
        member.joined(note)
    _sync(run, group, members, note)


def _sync(run: Run, group: str, members: list[_Member], note: str) -> None:
    for member in members:
        member.ask_sync()
    for member in members:
        member.synced(note)
    for member in members:
        member.beat(note)
    run.ask(DescribeGroupsRequest, 6, f"the group: {note}", groups=[group])


def _first(run: Run, group: str, member: _Member) -> None:
    member.come()
    member.joined("alone")
    _sync(run, group, [member], "alone")


@case
def many_members(run: Run) -> None:
    """Four come to one, two leave together, two others come while they do, all leave."""
    group = coordinator(run, run.new_name("group"))
    members = [_Member(run, group, f"m{n}") for n in range(5)]
    _first(run, group, members[0])
    _rebalance(run, group, members, "five")
    gone = [{"member_id": member.member_id} for member in members[1:3]]
    run.ask(LeaveGroupRequest, 5, "two leave", group_id=group, members=gone)
    rest = [members[0], *members[3:], _Member(run, group, "m5"), _Member(run, group, "m6")]
    _rebalance(run, group, rest, "two others")
    for member in members[1:3]:
        member.beat("after it left")
    run.ask(LeaveGroupRequest, 5, "all leave, and one that left", group_id=group,
            members=[{"member_id": m.member_id} for m in [*rest, members[1]]])  # fmt: skip
    run.ask(DescribeGroupsRequest, 6, "empty", groups=[group])
    run.ask(DeleteGroupsRequest, 2, "delete", groups_names=[group])


@case
def protocols_are_chosen_by_votes(run: Run) -> None:
    group = coordinator(run, run.new_name("group"))
    other = [PROTOCOLS[1], {"name": "sticky", "metadata": b"s"}]
    members = [
        _Member(run, group, "m0"),
        _Member(run, group, "m1", protocols=[PROTOCOLS[1], PROTOCOLS[0]]),
        _Member(run, group, "m2", protocols=[PROTOCOLS[1]]),
    ]
    _first(run, group, members[0])
    _rebalance(run, group, members, "the second protocol is what all know")
    run.ask(JoinGroupRequest, 9, "one that knows none of them",
            **join_values(group, protocols=[{"name": "sticky", "metadata": b"s"}]))  # fmt: skip
    members.append(_Member(run, group, "m3", protocols=other))
    _rebalance(run, group, members, "one more")


@case
def a_member_falls_silent(run: Run) -> None:
    """Its session ends, the others hear of a rebalance and go on without it."""
    group = coordinator(run, run.new_name("group"))
    members = [_Member(run, group, "m0"), _Member(run, group, "m1"), _Member(run, group, "m2", session_timeout_ms=1500)]
    _first(run, group, members[0])
    _rebalance(run, group, members, "three")
    _rebalance(run, group, members[:2], "without the silent one")
    members[2].beat("back too late")
    again = _Member(run, group, "m2 again")
    _rebalance(run, group, [*members[:2], again], "it came again")


@case
def a_consumer_behind_a_shrinking_log(run: Run) -> None:
    """It commits, its records are deleted under it, and at last its topic."""
    topic = run.topic()
    run.produce(topic, *[batch(b"%d" % n, b"x") for n in range(6)])
    group = coordinator(run, run.new_name("group"))

    def commit(offset: int, note: str) -> None:
        row = {
            "partition_index": 0,
            "committed_offset": offset,
            "committed_leader_epoch": 0,
            "committed_metadata": note,
        }
        run.ask(OffsetCommitRequest, 9, note, group_id=group, topics=[{"name": topic.name, "partitions": [row]}])

    def fetch(offset: int, note: str) -> None:
        row = {"partition": 0, "fetch_offset": offset, "partition_max_bytes": 1 << 20, "current_leader_epoch": -1}
        run.ask(FetchRequest, 12, note, replica_id=-1, max_wait_ms=0, min_bytes=0, max_bytes=1 << 20, session_id=0,
                session_epoch=-1, topics=[{"topic": topic.name, "partitions": [row]}])  # fmt: skip

    def offsets(note: str) -> None:
        for at in (-2, -1):
            rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "timestamp": at}]}]
            run.ask(ListOffsetsRequest, 7, f"{note}: {at}", replica_id=-1, topics=rows)
        groups = [{"group_id": group, "topics": [{"name": topic.name, "partition_indexes": [0]}]}]
        run.ask(OffsetFetchRequest, 9, f"{note}: what is committed", groups=groups)

    for offset in (0, 3, 4, 12):
        fetch(offset, f"from {offset}")
    commit(4, "four")
    for below in (3, 6, 12):
        rows = [{"name": topic.name, "partitions": [{"partition_index": 0, "offset": below}]}]
        run.ask(DeleteRecordsRequest, 2, f"below {below}", topics=rows, timeout_ms=10000)
        offsets(f"below {below}")
        for offset in (0, 4, 6, 11, 12, 13):
            fetch(offset, f"from {offset}, deleted below {below}")
    run.produce(topic, batch(b"new"))
    fetch(12, "goes on")
    commit(13, "thirteen")
    run.ask(DeleteTopicsRequest, 5, "the topic", topic_names=[topic.name], timeout_ms=30000)
    run.settle()
    fetch(13, "without the topic")
    for _ in run.attempts("the offsets stay"):
        groups = [{"group_id": group, "topics": None}]
        if not run.quiet(OffsetFetchRequest, 9, groups=groups).groups[0].topics:
            break
    run.ask(OffsetFetchRequest, 9, "the offsets went with the topic", groups=groups)
    commit(14, "to a topic that is gone")

"""Random histories of clients, clocks and restarts: what is in the log is what a broker that replays it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from klamm.kproto import errors
from klamm.kproto.group_records import GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue
from klamm.server.coordinators.classic_group import EMPTY, STABLE, ClassicGroup
from klamm.server.coordinators.coordinator_log import CoordinatorLog, read_entries
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.group_loader import replay_all
from klamm.server.coordinators.group_machine import GroupMachine
from klamm.server.coordinators.group_records import GROUP_RECORD_TYPES, group_record
from tests.server.coordinators.group_lab import SETTINGS, GroupLab, Member

GROUPS = ("g", "h")
SEATS = 4
HOUR_MS = 3600000

step = st.one_of(
    st.tuples(st.just("round"), st.integers(0, 1)),
    st.tuples(st.just("join"), st.integers(0, SEATS - 1)),
    st.tuples(st.just("sync"), st.integers(0, SEATS - 1)),
    st.tuples(st.just("heartbeat"), st.integers(0, SEATS - 1)),
    st.tuples(st.just("leave"), st.integers(0, SEATS - 1)),
    st.tuples(st.just("newcomer"), st.integers(0, SEATS - 1)),
    st.tuples(st.just("commit"), st.integers(0, SEATS - 1)),
    st.tuples(st.just("alone"), st.integers(0, 3)),
    st.tuples(st.just("advance"), st.sampled_from([0, 1000, 9000, 30000, 2 * HOUR_MS])),
    st.tuples(st.just("delete group"), st.integers(0, 1)),
    st.tuples(st.just("delete topic"), st.sampled_from([0])),
    st.tuples(st.just("refuse"), st.integers(0, 1)),
    st.tuples(st.just("hold commits"), st.integers(0, 1)),
    st.tuples(st.just("restart"), st.just(0)),
)
"""What happens next, and to whom."""


class World:
    """Four seats in two groups, half of them static; a client that is told it is unknown starts over."""

    def __init__(self) -> None:
        self.lab = GroupLab(
            SETTINGS._replace(max_size=3, offsets_retention_ms=3 * HOUR_MS, offsets_retention_check_interval_ms=HOUR_MS)
        )
        self.seats = [self._member(i) for i in range(SEATS)]
        self.count = 0
        self.has_refused = False
        """The log has refused something, so that a group may have lost its last member in memory only, as in Kafka."""

    def _member(self, seat: int) -> Member:
        return self.lab.member(group=GROUPS[seat // 3], instance="i" if seat == 1 else None, version=9 - 3 * (seat % 3))

    def run(self, what: str, which: int) -> None:
        self.count += 1
        act: Callable[[int], Any] = {
            "round": self.round,
            "join": self.join,
            "sync": self.sync,
            "heartbeat": lambda seat: self.seats[seat].heartbeat() if self.lab.partition.commits else None,
            "leave": self.leave,
            "newcomer": self.newcomer,
            "commit": self.commit,
            "alone": lambda partition: self.lab.ask_commit("alone", self.count, partition=partition),
            "advance": self.lab.advance,
            "delete group": lambda group: self.lab.coordinator.delete_groups([GROUPS[group], "alone"]),
            "delete topic": lambda _: self.lab.coordinator.on_topics_deleted(["t"]),
            "refuse": self.refuse,
            "hold commits": self.hold_commits,
            "restart": self.restart,
        }[what]
        act(which)

    def join(self, seat: int) -> None:
        member = self.seats[seat]
        if member.waits:
            return
        self.hear(member)
        member.ask_join()
        self.hear(member)

    def round(self, group: int) -> None:
        """All clients of one group join and sync, as they do when nothing goes wrong."""
        seats = [i for i, member in enumerate(self.seats) if member.group == GROUPS[group]]
        for seat in [*seats, *seats]:
            self.join(seat)
        self.lab.advance(0)
        for seat in seats:
            self.sync(seat)

    def hear(self, member: Member) -> None:
        """Take in the answer to the last join, if there is one."""
        answer = member.joining
        if answer is None or member.waits:
            return
        response = answer.result() if isinstance(answer, asyncio.Future) else answer
        if response.error_code == errors.MEMBER_ID_REQUIRED:
            member.id = response.member_id
        elif response.error_code == 0:
            member.id, member.generation = response.member_id, response.generation_id
        elif response.error_code in (errors.UNKNOWN_MEMBER_ID, errors.FENCED_INSTANCE_ID):
            member.id = ""

    def sync(self, seat: int) -> None:
        member = self.seats[seat]
        self.hear(member)
        member.ask_sync({m.id: b"%d" % self.count for m in self.seats})

    def leave(self, seat: int) -> None:
        member = self.seats[seat]
        self.hear(member)
        if self.lab.partition.commits:
            member.leave()

    def newcomer(self, seat: int) -> None:
        """The client is replaced by another, which knows no member id; a static one takes the old one's place."""
        self.seats[seat] = self._member(seat)
        self.join(seat)

    def commit(self, seat: int) -> None:
        member = self.seats[seat]
        self.hear(member)
        self.lab.ask_commit(
            member.group,
            self.count,
            "t" if seat % 2 else "u",
            generation_id_or_member_epoch=member.generation,
            member_id=member.id,
        )

    def refuse(self, on: int) -> None:
        self.lab.partition.refuse = errors.NOT_ENOUGH_REPLICAS if on else 0
        self.has_refused |= bool(on)

    def hold_commits(self, on: int) -> None:
        self.lab.partition.commits = not on
        if not on:
            self.lab.partition.commit()

    def restart(self, _: int) -> None:
        self.refuse(0)
        self.hold_commits(0)
        self.lab.restart()
        self.has_refused = False


def replayed(lab: GroupLab) -> GroupMachine:
    machine = GroupMachine(lab.settings, lab.clock, lab.entropy)
    for _, entries in read_entries(bytes(lab.partition.data), 0, GROUP_RECORD_TYPES):
        replay_all(machine, entries)
    return machine


def persisted(group: ClassicGroup) -> CoordinatorRecord:
    return group_record(group, {m.member_id: m.assignment for m in group.members.values()})


def check_same(lab: GroupLab, groups_too: bool) -> None:
    live, again = lab.machine, replayed(lab)
    assert again.offset_table.contents() == live.offset_table.contents()
    assert set(again.groups) == set(live.groups)
    for group_id, group in live.groups.items():
        if groups_too and group.state in (STABLE, EMPTY) and group.protocol_type is not None:
            ours, theirs = persisted(group).value, persisted(again.groups[group_id]).value
            assert isinstance(ours, GroupMetadataValue) and isinstance(theirs, GroupMetadataValue)
            assert ours == theirs


def check_group(group: ClassicGroup, max_size: int) -> None:
    """What always holds of a group."""
    members = group.members
    assert (group.leader_id in members) if members else group.leader_id is None
    assert {i: m.member_id for m in members.values() if (i := m.group_instance_id)} == group.static_members
    assert not group.pending_join & set(members)
    assert set(group.pending_sync) <= set(members)
    if group.state is EMPTY:
        assert not members
    if group.state is STABLE:
        waiting = [m for m in members.values() if m.awaiting_join is not None]
        assert members and all(m.is_static for m in waiting), "only a static member's new id is awaited here"


@settings(max_examples=150, deadline=None)
@given(st.lists(step, max_size=60))
def test_replaying_the_log_gives_the_state_it_was_written_from(steps: list[tuple[str, int]]) -> None:
    async def history() -> None:
        world = World()
        for what, which in steps:
            world.run(what, which)
            for group in world.lab.machine.groups.values():
                check_group(group, world.lab.settings.max_size)
        world.refuse(0)
        world.hold_commits(0)
        check_same(world.lab, not world.has_refused)
        world.lab.coordinator.close()
        assert world.lab.clock.pending == 0

    asyncio.run(history())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from(["t", "u"]),
            st.integers(0, 2),
            st.one_of(st.none(), st.integers(0, 2**63 - 1)),
            st.text(max_size=5),
            st.sampled_from([-1, 5]),
        ),
        min_size=1,
    )
)
def test_records_survive_the_log(rows: list[tuple[str, str, int, int | None, str, int]]) -> None:
    """Whatever is appended reads the same, in either version of an offset's value."""
    lab_rows = []
    for group, topic, partition, offset, metadata, expires in rows:
        value = None
        if offset is not None:
            value = OffsetCommitValue(
                offset=offset, metadata=metadata, commit_timestamp=1, expire_timestamp=expires, leader_epoch=-1
            )
        lab_rows.append(
            CoordinatorRecord(
                OffsetCommitKey(group=group, topic=topic, partition=partition), value, 4 if expires == -1 else 1
            )
        )
    lab_rows.append(CoordinatorRecord(GroupMetadataKey(group="a"), None))

    async def write() -> GroupLab:
        return GroupLab()

    lab = asyncio.run(write())
    assert CoordinatorLog(lab.partition, lab.clock).append(lab_rows) == len(lab_rows)
    read = lab.partition.records()
    assert [(r.key, r.value) for r in read] == [(r.key, r.value) for r in lab_rows]

"""OffsetCommit, OffsetFetch, OffsetDelete."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.cases.groups import coordinator, joined, sync_values
from compat.differential.run import Run, Topic
from klamm.kproto.messages.delete_groups import DeleteGroupsRequest
from klamm.kproto.messages.offset_commit import OffsetCommitRequest
from klamm.kproto.messages.offset_delete import OffsetDeleteRequest
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest
from klamm.kproto.messages.sync_group import SyncGroupRequest

UNKNOWN = Topic("no.such.topic", b"\x11" * 16)
ALL = None
_PLAIN = {"partition_index": 0, "committed_offset": 5, "committed_metadata": "m"}


def _commit(run: Run, version: int, note: str, group: str, *topics: tuple[Topic, list[dict[str, Any]]],
            **more: Any) -> None:  # fmt: skip
    rows = [
        {"name": topic.name, "topic_id": topic.topic_id,
         "partitions": [{**_PLAIN, **p} for p in partitions]}
        for topic, partitions in topics
    ]  # fmt: skip
    run.ask(OffsetCommitRequest, version, note, group_id=group, topics=rows, **more)


def _fetch(run: Run, version: int, note: str, group: str, topics: list[tuple[Topic, list[int]]] | None,
           stable: bool = False, **more: Any) -> None:  # fmt: skip
    asked = None if topics is None else [
        {"name": t.name, "topic_id": t.topic_id, "partition_indexes": p} for t, p in topics
    ]  # fmt: skip
    old = None if topics is None else [{"name": t.name, "partition_indexes": p} for t, p in topics]
    groups = [{"group_id": group, "topics": asked, **more}]
    run.ask(OffsetFetchRequest, version, note, group_id=group, topics=old, groups=groups, require_stable=stable)


@case
def commit_and_fetch(run: Run) -> None:
    topic, other = run.topic(2), run.topic()
    for version in run.versions(OffsetCommitRequest):
        group = coordinator(run, run.new_name("group"))
        _commit(run, version, "simple", group, (topic, [{}, {"partition_index": 1, "committed_offset": 0}]))
        _commit(run, version, "leader epoch", group, (other, [{"committed_leader_epoch": 3}]))
        _commit(run, version, "retention", group, (other, [{}]), retention_time_ms=100000)
        _commit(run, version, "null metadata", group, (topic, [{"committed_metadata": None}]))
        _commit(run, version, "longest metadata", group, (topic, [{"committed_metadata": "x" * 4096}]))
        _commit(run, version, "metadata too long", group, (topic, [{"committed_metadata": "x" * 4097}]))
        _commit(run, version, "one good, one too long", group,
                (topic, [{"partition_index": 1}, {"committed_metadata": "x" * 4097}]))  # fmt: skip
        for offset in (-1, -2, 2**63 - 1):
            _commit(run, version, f"offset {offset}", group, (topic, [{"committed_offset": offset}]))
        for fetch in run.versions(OffsetFetchRequest):
            for stable in (False, True) if fetch >= 7 else (False,):
                _fetch(run, fetch, f"some, stable {stable}", group, [(topic, [0, 1]), (other, [0])], stable)
                if fetch >= 2:
                    _fetch(run, fetch, f"all, stable {stable}", group, ALL, stable)


@case
def wrong_commits(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(OffsetCommitRequest):
        group = coordinator(run, run.new_name("group"))
        _commit(run, version, "empty group", "", (topic, [{}]))
        _commit(run, version, "generation without member", group, (topic, [{}]), generation_id_or_member_epoch=1)
        _commit(run, version, "member without generation", group, (topic, [{}]), member_id="m")
        _commit(run, version, "both, unknown", group, (topic, [{}]), member_id="m", generation_id_or_member_epoch=1)
        _commit(run, version, "unknown topic", group, (UNKNOWN, [{}]))
        _commit(run, version, "no name, zero id", group, (Topic("", bytes(16)), [{}]))
        _commit(run, version, "unknown partition", group, (topic, [{"partition_index": 9}, {"partition_index": -1}]))
        _commit(run, version, "known and unknown", group, (UNKNOWN, [{}]), (topic, [{}, {"partition_index": 9}]))
        _commit(run, version, "nothing", group)
        _commit(run, version, "no partitions", group, (topic, []))
        _commit(run, version, "twice", group, (topic, [{}, {"committed_offset": 6}]))
        _commit(run, version, "topic twice", group, (topic, [{}]), (topic, [{"committed_offset": 7}]))
        if version >= 7:
            _commit(run, version, "instance", group, (topic, [{}]), group_instance_id="i")


@case
def commits_of_members(run: Run) -> None:
    topic = run.topic()
    for version in run.versions(OffsetCommitRequest):
        group = coordinator(run, run.new_name("group"))
        member = joined(run.client, 5, group)

        def ask(note: str, generation: int, member_id: str, version: int = version, group: str = group) -> None:
            _commit(
                run, version, note, group, (topic, [{}]), generation_id_or_member_epoch=generation, member_id=member_id
            )

        ask("before the sync", member.generation_id, member.member_id)
        run.ask(SyncGroupRequest, 5, "sync", **sync_values(group, member))
        ask("right", member.generation_id, member.member_id)
        ask("old generation", member.generation_id - 1, member.member_id)
        ask("new generation", member.generation_id + 1, member.member_id)
        ask("unknown member", member.generation_id, "other")
        ask("from outside", -1, "")
        ask("generation -1 of a member", -1, member.member_id)
        if version >= 7:
            _commit(run, version, "unknown instance", group, (topic, [{}]), member_id=member.member_id,
                    generation_id_or_member_epoch=1, group_instance_id="i")  # fmt: skip


@case
def wrong_fetches(run: Run) -> None:
    topic = run.topic()
    group = coordinator(run, run.new_name("group"))
    for version in run.versions(OffsetFetchRequest):
        for name in ("", "no.such.group", group):
            _fetch(run, version, f"group {name!r}", name, [(topic, [0, 1, -1])])
            _fetch(run, version, f"group {name!r}, unknown topic", name, [(UNKNOWN, [0])])
            _fetch(run, version, f"group {name!r}, unknown and known topic", name, [(UNKNOWN, [0]), (topic, [0])])
            _fetch(run, version, f"group {name!r}, nothing", name, [])
            _fetch(run, version, f"group {name!r}, no partitions", name, [(topic, [])])
            _fetch(run, version, f"group {name!r}, twice", name, [(topic, [0, 0])])
            if version >= 2:
                _fetch(run, version, f"group {name!r}, all", name, ALL)
            if version >= 9:
                _fetch(run, version, f"group {name!r}, member", name, [(topic, [0])], member_id="m", member_epoch=1)
        if version >= 8:
            one = {"group_id": group, "topics": None}
            run.ask(OffsetFetchRequest, version, "no groups", groups=[])
            run.ask(OffsetFetchRequest, version, "two groups", groups=[one, {**one, "group_id": "no.such.group"}])
            run.ask(OffsetFetchRequest, version, "a group twice", groups=[one, one])


@case
def delete_offsets(run: Run) -> None:
    def ask(note: str, group: str, *topics: tuple[str, list[int]]) -> None:
        rows = [{"name": name, "partitions": [{"partition_index": i} for i in indexes]} for name, indexes in topics]
        run.ask(OffsetDeleteRequest, 0, note, group_id=group, topics=rows)

    topic, other = run.topic(2), run.topic()
    group = coordinator(run, run.new_name("group"))
    ask("unknown group", group, (topic.name, [0]))
    ask("empty group", "", (topic.name, [0]))
    ask("unknown group, unknown topic", group, ("no.such.topic", [0]))
    _commit(run, 8, "commit", group, (topic, [{}, {"partition_index": 1}]), (other, [{}]))
    ask("one", group, (topic.name, [0]))
    ask("again", group, (topic.name, [0]))
    ask("unknown partition", group, (topic.name, [0, 9]))
    ask("unknown topic", group, ("no.such.topic", [0]), (other.name, [0]))
    ask("nothing", group)
    ask("no partitions", group, (topic.name, []))
    ask("twice", group, (topic.name, [1, 1]))
    _fetch(run, 8, "what is left", group, ALL)
    run.ask(DeleteGroupsRequest, 2, "the group went with its last offset, or not", groups_names=[group])


@case
def offsets_of_deleted_groups(run: Run) -> None:
    topic = run.topic()
    group = coordinator(run, run.new_name("group"))
    _commit(run, 8, "commit", group, (topic, [{}]))
    run.ask(DeleteGroupsRequest, 2, "delete", groups_names=[group])
    _fetch(run, 8, "after the delete", group, ALL)
    _fetch(run, 8, "after the delete", group, [(topic, [0])])
    run.ask(DeleteGroupsRequest, 2, "delete again", groups_names=[group])

"""Groups whose members say what they read, rightly and wrongly, and what is refused as long as they do.

The coordinator hands subscriptions on unread, but it looks for the topics in those of consumers.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial
from typing import Any

from compat.differential.cases import case
from compat.differential.cases.groups import MEMBER_ID_REQUIRED, coordinator, join_values, joined, sync_values
from compat.differential.run import Peer, Run, Show, Topic
from klamm.kproto.consumer_protocol import ConsumerProtocolSubscription
from klamm.kproto.messages.delete_groups import DeleteGroupsRequest
from klamm.kproto.messages.describe_groups import DescribeGroupsRequest
from klamm.kproto.messages.heartbeat import HeartbeatRequest
from klamm.kproto.messages.join_group import JoinGroupRequest, JoinGroupResponse
from klamm.kproto.messages.leave_group import LeaveGroupRequest
from klamm.kproto.messages.offset_commit import OffsetCommitRequest
from klamm.kproto.messages.offset_delete import OffsetDeleteRequest
from klamm.kproto.messages.sync_group import SyncGroupRequest


def subscription(topics: Sequence[str], version: int = 0) -> bytes:
    """What a consumer sends as the metadata of its protocol."""
    return struct.pack(">h", version) + ConsumerProtocolSubscription(topics=list(topics)).encode(version)


def _protocols(*metadata: bytes) -> list[dict[str, Any]]:
    return [{"name": name, "metadata": data} for name, data in zip(("range", "roundrobin"), metadata, strict=False)]


def _commit(run: Run, version: int, note: str, group: str, *topics: Topic, **more: Any) -> None:
    part = {"partition_index": 0, "committed_offset": 5, "committed_metadata": ""}
    rows = [{"name": topic.name, "topic_id": topic.topic_id, "partitions": [part]} for topic in topics]
    run.ask(OffsetCommitRequest, version, note, group_id=group, topics=rows, **more)


def _delete(run: Run, note: str, group: str, *names: str) -> None:
    rows = [{"name": name, "partitions": [{"partition_index": 0}]} for name in names]
    run.ask(OffsetDeleteRequest, 0, note, group_id=group, topics=rows)


@case
def offsets_of_subscribed_topics(run: Run) -> None:
    """A group's offsets can be deleted but for the topics that its consumers read."""
    read, other = run.topic(), run.topic()
    for version in (0, 1, 2, 3):
        group = coordinator(run, run.new_name("group"))
        _commit(run, 8, "from outside", group, read, other)
        member = joined(run.client, 5, group, protocols=_protocols(subscription([read.name], version)))
        _delete(run, f"subscription {version}, before the sync", group, read.name, other.name)
        _commit(run, 8, "again", group, read, other)
        run.ask(SyncGroupRequest, 5, "sync", **sync_values(group, member))
        member_values = {"generation_id_or_member_epoch": member.generation_id, "member_id": member.member_id}
        _commit(run, 8, "by the member", group, read, other, **member_values)
        _delete(run, f"subscription {version}, stable", group, read.name, other.name)
        _delete(run, "an unknown topic", group, "no.such.topic")
        run.ask(DeleteGroupsRequest, 2, "the group", groups_names=[group])
        run.ask(LeaveGroupRequest, 3, "leave", group_id=group, members=[{"member_id": member.member_id}])
        _delete(run, "empty", group, read.name, other.name)
        run.ask(DeleteGroupsRequest, 2, "the group, empty", groups_names=[group])


@case
def offsets_of_other_groups(run: Run) -> None:
    """Members that are no consumers keep all offsets; a consumer whose subscription nobody can read keeps them, too."""
    topic = run.topic()
    for note, kind, metadata in (
        ("connect", "connect", b"any"),
        ("one byte", "consumer", b"r"),
        ("nothing", "consumer", b""),
        ("no topics", "consumer", subscription([])),
    ):
        group = coordinator(run, run.new_name("group"))
        member = joined(run.client, 5, group, protocol_type=kind, protocols=_protocols(metadata))
        run.ask(SyncGroupRequest, 5, "sync", **sync_values(group, member, protocol_type=kind))
        values = {"generation_id_or_member_epoch": member.generation_id, "member_id": member.member_id}
        _commit(run, 8, "commit", group, topic, **values)
        _delete(run, note, group, topic.name)
        run.ask(LeaveGroupRequest, 3, "leave", group_id=group, members=[{"member_id": member.member_id}])
        _delete(run, f"{note}, empty", group, topic.name)


def _join(run: Run, version: int, note: str, metadata: bytes, show: Show | None = None) -> None:
    group = coordinator(run, run.new_name("group"))
    protocols = _protocols(metadata)
    ask = partial(run.client.ask, JoinGroupRequest, version)
    answer = ask(note, show, **join_values(group, protocols=protocols))
    if answer is not None and answer.error_code == MEMBER_ID_REQUIRED:
        ask(f"{note}, again", show, **join_values(group, answer.member_id, protocols=protocols))


@case
def odd_subscriptions(run: Run) -> None:
    """Metadata of consumers that is no subscription, and that nobody minds."""
    right = subscription([run.topic().name])
    for version in run.versions(JoinGroupRequest):
        for note, metadata in (
            ("nothing", b""),
            ("one byte", b"\0"),
            ("only a version", b"\0\0"),
            ("negative version", b"\xff\xff" + right[2:]),
            ("a version to come", b"\0\x63" + right[2:]),
            ("a version to come, alone", b"\0\x63"),
            ("cut in the user data", right[:-2]),
            ("bytes behind it", right + b"more"),
            ("user data of a negative length", b"\0\0\0\0\0\0\xff\xff\xff\xfe"),
        ):
            _join(run, version, note, metadata)


@case
def unreadable_subscriptions(run: Run) -> None:
    """Metadata with a length that is longer than all there is, or a null where none may be."""
    right = subscription([run.topic().name])
    with run.client.patience(1.0):
        for version in (2, 5, 9):
            for note, metadata in (
                ("cut in the topics", right[:-7]),
                ("null topics", b"\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
                ("too many topics", b"\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"),
                ("user data longer than all", b"\0\0\0\0\0\0\0\x01\0\0rest"),
                ("a topic longer than all", b"\0\0\0\0\0\x01\x7f\xffx\xff\xff\xff\xff"),
                ("a topic that is null", b"\0\0\0\0\0\x01\xff\xff\xff\xff\xff\xff"),
            ):
                _join(run, version, note, metadata, lambda answer: answer.error_code)


@case
def requests_in_a_rebalance(run: Run) -> None:
    """One member is there, another joins and waits for it: what the first may still do."""
    topic = run.topic()
    for version in run.versions(SyncGroupRequest):
        group = coordinator(run, run.new_name("group"))
        one = joined(run.client, 3, group)
        run.ask(SyncGroupRequest, version, "sync", **sync_values(group, one))
        second = run.peer("second")
        waiting = second.send(JoinGroupRequest, 3, **join_values(group))
        _await_state(run, group, "PreparingRebalance")
        run.ask(SyncGroupRequest, version, "sync while another joins", **sync_values(group, one))
        values = {"generation_id_or_member_epoch": one.generation_id, "member_id": one.member_id}
        for commit in run.versions(OffsetCommitRequest) if version == 5 else (8,):
            _commit(run, commit, "commit while another joins", group, topic, **values)
        for beat in run.versions(HeartbeatRequest) if version == 5 else (4,):
            run.ask(HeartbeatRequest, beat, "heartbeat while another joins", group_id=group,
                    generation_id=one.generation_id, member_id=one.member_id)  # fmt: skip
        _delete(run, "delete while another joins", group, topic.name)
        run.ask(DeleteGroupsRequest, 2, "the group", groups_names=[group])
        run.ask(LeaveGroupRequest, 2, "the first leaves", group_id=group, member_id=one.member_id)
        _taken(second, waiting)
        run.ask(SyncGroupRequest, version, "sync of one that left", **sync_values(group, one))


def _await_state(run: Run, group: str, state: str) -> None:
    for _ in run.attempts(f"{group} is not {state}"):
        if run.quiet(DescribeGroupsRequest, 0, groups=[group]).groups[0].group_state == state:
            return


def _taken(peer: Peer, waiting: int) -> None:
    peer.receive(JoinGroupResponse, 3, waiting, "the second is alone")


@case
def fenced_commits(run: Run) -> None:
    """Commits of a static member that another one with its instance id has replaced."""
    topic = run.topic()
    for version in run.versions(OffsetCommitRequest, low=7):
        group = coordinator(run, run.new_name("group"))
        static = {"group_instance_id": "static"}
        one = joined(run.client, 5, group, **static)
        run.ask(SyncGroupRequest, 5, "sync", **sync_values(group, one, **static))
        two = joined(run.client, 5, group, "joins anew", **static)
        for note, member, instance in (("old id", one.member_id, "static"), ("new id", two.member_id, "static"),
                                       ("old id, no instance", one.member_id, None),
                                       ("new id, no instance", two.member_id, None),
                                       ("new id, unknown instance", two.member_id, "other"),
                                       ("no id, its instance", "", "static")):  # fmt: skip
            for generation in (two.generation_id, two.generation_id + 1, -1):
                _commit(run, version, f"{note}, generation {generation}", group, topic, member_id=member,
                        generation_id_or_member_epoch=generation, group_instance_id=instance)  # fmt: skip

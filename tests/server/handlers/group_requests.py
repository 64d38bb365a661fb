"""Short forms of the group requests, for conversations that send many of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from klamm.kproto.consumer_protocol import ConsumerProtocolSubscription
from klamm.kproto.messages.heartbeat import HeartbeatRequest
from klamm.kproto.messages.join_group import JoinGroupRequest
from klamm.kproto.messages.leave_group import LeaveGroupRequest
from klamm.kproto.messages.offset_commit import OffsetCommitRequest
from klamm.kproto.messages.offset_delete import OffsetDeleteRequest
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest
from klamm.kproto.messages.sync_group import SyncGroupRequest

Topics = Iterable[tuple[str, Iterable[int]]]
Ids = Mapping[str, bytes]
FetchGroup = OffsetFetchRequest.OffsetFetchRequestGroup


def subscription(*topics: str) -> bytes:
    return b"\x00\x00" + ConsumerProtocolSubscription(topics=list(topics)).encode(0)


RANGE = (("range", subscription("t")),)
RANGE_FIRST = (("range", subscription("t")), ("rr", subscription("t")))
RR_FIRST = (("rr", subscription("u")), ("range", subscription("u")))
RR = (("rr", b""),)


def join(
    group: str,
    member: str = "",
    instance: str | None = None,
    *,
    session: int = 30000,
    rebalance: int = 30000,
    kind: str = "consumer",
    protocols: Sequence[tuple[str, bytes]] = RANGE,
) -> JoinGroupRequest:
    protocol = JoinGroupRequest.JoinGroupRequestProtocol
    return JoinGroupRequest(
        group_id=group,
        session_timeout_ms=session,
        rebalance_timeout_ms=rebalance,
        member_id=member,
        group_instance_id=instance,
        protocol_type=kind,
        protocols=[protocol(name=name, metadata=metadata) for name, metadata in protocols],
    )


def sync(
    group: str,
    generation: int,
    member: str,
    instance: str | None = None,
    *,
    kind: str | None = "consumer",
    protocol: str | None = "range",
    assign: Mapping[str, bytes] | None = None,
) -> SyncGroupRequest:
    assignment = SyncGroupRequest.SyncGroupRequestAssignment
    return SyncGroupRequest(
        group_id=group,
        generation_id=generation,
        member_id=member,
        group_instance_id=instance,
        protocol_type=kind,
        protocol_name=protocol,
        assignments=[assignment(member_id=m, assignment=a) for m, a in (assign or {}).items()],
    )


def old_sync(group: str, generation: int, member: str, assign: Mapping[str, bytes] | None = None) -> SyncGroupRequest:
    """As before version 5: without protocol type and name."""
    return sync(group, generation, member, kind=None, protocol=None, assign=assign)


def heartbeat(group: str, generation: int, member: str, instance: str | None = None) -> HeartbeatRequest:
    return HeartbeatRequest(group_id=group, generation_id=generation, member_id=member, group_instance_id=instance)


def leave(group: str, *members: tuple[str, str | None]) -> LeaveGroupRequest:
    identity = LeaveGroupRequest.MemberIdentity
    return LeaveGroupRequest(
        group_id=group, members=[identity(member_id=m, group_instance_id=i, reason="bye") for m, i in members]
    )


def commit(
    group: str,
    generation: int = -1,
    member: str = "",
    instance: str | None = None,
    *,
    offsets: Iterable[tuple[str, int, int, str | None]] = (("t", 0, 5, "m"),),
    retention: int = -1,
    ids: Ids | None = None,
) -> OffsetCommitRequest:
    """`offsets`: topic, partition, offset, metadata. With `ids` topics are sent as ids (version 10)."""
    topic = OffsetCommitRequest.OffsetCommitRequestTopic
    found: dict[str, list[Any]] = {}
    for name, index, offset, metadata in offsets:
        found.setdefault(name, []).append(
            topic.OffsetCommitRequestPartition(
                partition_index=index, committed_offset=offset, committed_leader_epoch=1, committed_metadata=metadata
            )
        )
    return OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id=member,
        group_instance_id=instance,
        retention_time_ms=retention,
        topics=[
            topic(name="" if ids else name, topic_id=ids[name] if ids else bytes(16), partitions=partitions)
            for name, partitions in found.items()
        ],
    )


def fetch(group: str, topics: Topics | None, *, stable: bool = False) -> OffsetFetchRequest:
    """Up to version 7."""
    topic = OffsetFetchRequest.OffsetFetchRequestTopic
    asked = None if topics is None else [topic(name=n, partition_indexes=list(p)) for n, p in topics]
    return OffsetFetchRequest(group_id=group, topics=asked, require_stable=stable)


def fetch_groups(
    *groups: tuple[str, Topics | None], ids: Ids | None = None, member: tuple[str, int] | None = None
) -> OffsetFetchRequest:
    """Versions 8 and 9, with `ids` 10. `member`: id and epoch of the member that asks."""
    topic = FetchGroup.OffsetFetchRequestTopics
    found = []
    for group, topics in groups:
        asked = None
        if topics is not None:
            asked = [
                topic(name="" if ids else n, topic_id=ids[n] if ids else bytes(16), partition_indexes=list(p))
                for n, p in topics
            ]
        one = FetchGroup(group_id=group, topics=asked)
        if member is not None:
            one.member_id, one.member_epoch = member
        found.append(one)
    return OffsetFetchRequest(groups=found)


def forget(group: str, topics: Topics) -> OffsetDeleteRequest:
    topic = OffsetDeleteRequest.OffsetDeleteRequestTopic
    partition = topic.OffsetDeleteRequestPartition
    return OffsetDeleteRequest(
        group_id=group,
        topics=[topic(name=n, partitions=[partition(partition_index=i) for i in p]) for n, p in topics],
    )

"""The records that the group machine writes, in the versions that Kafka writes them in.

One place for the choice of versions: GroupMetadataValue 3, OffsetCommitValue 4, or 1 when a commit has an expiry time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from klamm.kproto import group_records as g
from klamm.server.coordinators.classic_group import ClassicGroup
from klamm.server.coordinators.coordinator_record import CoordinatorRecord, RecordTypes, record_types

GROUP_RECORD_TYPES: Final[RecordTypes] = record_types(
    (
        (g.LegacyOffsetCommitKey, g.LegacyOffsetCommitValue),
        (g.OffsetCommitKey, g.OffsetCommitValue),
        (g.GroupMetadataKey, g.GroupMetadataValue),
    )
)
"""The record types of `__consumer_offsets` that are read."""

_GROUP_METADATA_VERSION: Final = 3
_OFFSET_COMMIT_VERSION: Final = 4
_OFFSET_COMMIT_VERSION_WITH_EXPIRY: Final = 1


def empty_group_record(group_id: str, now_ms: int) -> CoordinatorRecord:
    """A group that has come into being and has no members."""
    value = g.GroupMetadataValue(
        protocol_type="", generation=0, protocol=None, leader=None, current_state_timestamp=now_ms, members=[]
    )
    return CoordinatorRecord(g.GroupMetadataKey(group=group_id), value, _GROUP_METADATA_VERSION)


def group_record(group: ClassicGroup, assignments: Mapping[str, bytes]) -> CoordinatorRecord:
    """The group with its present generation and `assignments` by member id; a member without gets the empty one."""
    value = g.GroupMetadataValue(
        protocol_type=group.protocol_type or "",
        generation=group.generation_id,
        protocol=group.protocol_name,
        leader=group.leader_id,
        current_state_timestamp=-1 if group.state_timestamp_ms is None else group.state_timestamp_ms,
        members=[
            g.MemberMetadata(
                member_id=m.member_id,
                group_instance_id=m.group_instance_id,
                client_id=m.client_id,
                client_host=m.client_host,
                rebalance_timeout=m.rebalance_timeout_ms,
                session_timeout=m.session_timeout_ms,
                subscription=m.metadata(group.protocol_name),
                assignment=assignments.get(m.member_id, b""),
            )
            for m in group.members.values()
        ],
    )
    return CoordinatorRecord(g.GroupMetadataKey(group=group.group_id), value, _GROUP_METADATA_VERSION)


def group_tombstone(group_id: str) -> CoordinatorRecord:
    return CoordinatorRecord(g.GroupMetadataKey(group=group_id), None)


def offset_record(group_id: str, topic: str, partition: int, value: g.OffsetCommitValue) -> CoordinatorRecord:
    version = _OFFSET_COMMIT_VERSION if value.expire_timestamp == -1 else _OFFSET_COMMIT_VERSION_WITH_EXPIRY
    return CoordinatorRecord(g.OffsetCommitKey(group=group_id, topic=topic, partition=partition), value, version)


def offset_tombstone(group_id: str, topic: str, partition: int) -> CoordinatorRecord:
    return CoordinatorRecord(g.OffsetCommitKey(group=group_id, topic=topic, partition=partition), None)

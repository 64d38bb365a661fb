"""OffsetCommit, OffsetFetch, OffsetDelete and the expiry of offsets, for the groups of one machine.

Topics come in by name and id; whether they exist was checked before. Per-partition failures are values.
"""

from __future__ import annotations

from collections.abc import Iterable

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.group_records import OffsetCommitValue
from klamm.kproto.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from klamm.kproto.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from klamm.log.machine import Decision
from klamm.seams import Clock
from klamm.server.coordinators.classic_group import (
    COMPLETING_REBALANCE,
    CONSUMER,
    DEAD,
    EMPTY,
    PREPARING_REBALANCE,
    STABLE,
    ClassicGroup,
)
from klamm.server.coordinators.classic_rebalance import ClassicRebalance, Groups
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.group_records import group_tombstone, offset_record, offset_tombstone
from klamm.server.coordinators.group_settings import GroupSettings
from klamm.server.coordinators.offset_table import CommittedOffset, OffsetTable, has_topic_id
from klamm.server.coordinators.turn import Turn

CommitDecision = Decision[OffsetCommitResponse, CoordinatorRecord]
CommitTopic = OffsetCommitResponse.OffsetCommitResponseTopic
FetchGroup = OffsetFetchResponse.OffsetFetchResponseGroup
FetchTopic = FetchGroup.OffsetFetchResponseTopics
FetchPartition = FetchTopic.OffsetFetchResponsePartitions
DeleteTopic = OffsetDeleteResponse.OffsetDeleteResponseTopic

_GROUP_ID_NOT_FOUND_SINCE = 9  # OffsetCommit; older clients know ILLEGAL_GENERATION
_NO_RETENTION = -1
_INT64_MAX = (1 << 63) - 1


def _utf16_length(text: str) -> int:
    """The length as Java counts it, which is what offset.metadata.max.bytes really limits."""
    return len(text) + sum(c > "\uffff" for c in text)


class OffsetCommands:
    """The commands on offsets. `groups` and `offsets` are the machine's; only records change what is in them."""

    def __init__(
        self,
        groups: Groups,
        offsets: OffsetTable,
        rebalance: ClassicRebalance,
        settings: GroupSettings,
        clock: Clock,
    ) -> None:
        self._groups, self._offsets, self._rebalance = groups, offsets, rebalance
        self._settings, self._clock = settings, clock

    # OffsetCommit

    def commit(self, api_version: int, request: OffsetCommitRequest) -> CommitDecision:
        """Store offsets. Raises KafkaError when the group or the member is not what the request believes."""
        turn = Turn()
        group = self._groups.get(request.group_id)
        generation = request.generation_id_or_member_epoch
        if group is not None:
            self._check_commit(group, request)
            member = group.members.get(request.member_id)
            if member is not None and group.state in (STABLE, PREPARING_REBALANCE):
                self._rebalance.keep_alive(turn, group, member)  # a commit counts as a heartbeat
        elif generation >= 0:
            found = errors.GROUP_ID_NOT_FOUND if api_version >= _GROUP_ID_NOT_FOUND_SINCE else errors.ILLEGAL_GENERATION
            raise KafkaError(found)
        now_ms = self._clock.time_ms()
        retention_ms = request.retention_time_ms
        expires_ms = -1 if retention_ms == _NO_RETENTION else min(now_ms + retention_ms, _INT64_MAX)
        response = OffsetCommitResponse(topics=[])
        for topic in request.topics:
            answered = CommitTopic(name=topic.name, topic_id=topic.topic_id, partitions=[])
            response.topics.append(answered)
            for partition in topic.partitions:
                metadata = partition.committed_metadata or ""
                code = errors.NONE
                if _utf16_length(metadata) > self._settings.offset_metadata_max_bytes:
                    code = errors.OFFSET_METADATA_TOO_LARGE
                else:
                    value = OffsetCommitValue(
                        offset=partition.committed_offset,
                        leader_epoch=partition.committed_leader_epoch,
                        metadata=metadata,
                        commit_timestamp=now_ms,
                        expire_timestamp=expires_ms,
                        topic_id=topic.topic_id,
                    )
                    turn.records.append(offset_record(request.group_id, topic.name, partition.partition_index, value))
                answered.partitions.append(
                    CommitTopic.OffsetCommitResponsePartition(
                        partition_index=partition.partition_index, error_code=code
                    )
                )
        return turn.decide(response)

    def _check_commit(self, group: ClassicGroup, request: OffsetCommitRequest) -> None:
        generation = request.generation_id_or_member_epoch
        if group.state is DEAD:
            raise KafkaError(errors.COORDINATOR_NOT_AVAILABLE)
        if generation < 0 and group.state is EMPTY:
            return  # whoever keeps offsets here without the group protocol, or an administrator
        if generation >= 0 or request.member_id or request.group_instance_id is not None:
            if code := group.check_member(request.member_id, request.group_instance_id):
                raise KafkaError(code)
            if generation != group.generation_id:
                raise KafkaError(errors.ILLEGAL_GENERATION)
        elif group.state is not EMPTY:
            raise KafkaError(errors.UNKNOWN_MEMBER_ID)
        if group.state is COMPLETING_REBALANCE:
            raise KafkaError(errors.REBALANCE_IN_PROGRESS)

    # OffsetFetch

    def fetch(
        self, request: OffsetFetchRequest.OffsetFetchRequestGroup, require_stable: bool
    ) -> Decision[FetchGroup, CoordinatorRecord]:
        """Committed offsets of the topics asked for, by name (null: of all). A group that is not known has none."""
        group_id = request.group_id
        group = self._groups.get(group_id)
        known = self._offsets.topics(group_id) if group is not None and group.state is not DEAD else {}
        if request.topics is None:
            topics = [
                FetchTopic(
                    name=name,
                    partitions=[
                        self._fetched(group_id, name, index, offset, require_stable)
                        for index, offset in partitions.items()
                    ],
                )
                for name, partitions in known.items()
            ]
            return Turn().decide(FetchGroup(group_id=group_id, topics=topics))
        topics = []
        for topic in request.topics:
            offsets = known.get(topic.name, {})
            partitions_found = []
            for index in topic.partition_indexes:
                offset = offsets.get(index)
                if offset is not None and not has_topic_id(offset, topic.topic_id):
                    offset = None  # committed for a topic of the same name that is gone
                partitions_found.append(self._fetched(group_id, topic.name, index, offset, require_stable))
            topics.append(FetchTopic(name=topic.name, topic_id=topic.topic_id, partitions=partitions_found))
        return Turn().decide(FetchGroup(group_id=group_id, topics=topics))

    def _fetched(
        self, group_id: str, topic: str, index: int, offset: CommittedOffset | None, require_stable: bool
    ) -> FetchPartition:
        if require_stable and self._offsets.is_pending(group_id, topic, index):
            return no_offset(index, errors.UNSTABLE_OFFSET_COMMIT)
        if offset is None:
            return no_offset(index)
        return FetchPartition(
            partition_index=index,
            committed_offset=offset.offset,
            committed_leader_epoch=offset.leader_epoch,
            metadata=offset.metadata,
            error_code=errors.NONE,
        )

    # OffsetDelete

    def delete(self, request: OffsetDeleteRequest) -> Decision[OffsetDeleteResponse, CoordinatorRecord]:
        """Delete offsets of topics that no member reads. Raises KafkaError when the group is not such that one may."""
        turn = Turn()
        group = self._groups.get(request.group_id)
        if group is None or group.state is DEAD:
            raise KafkaError(errors.GROUP_ID_NOT_FOUND)
        if group.state is not EMPTY and group.protocol_type != CONSUMER:
            raise KafkaError(errors.NON_EMPTY_GROUP)
        response = OffsetDeleteResponse(error_code=errors.NONE, topics=[])
        for topic in request.topics:
            subscribed = group.is_subscribed(topic.name)
            answered = DeleteTopic(name=topic.name, partitions=[])
            response.topics.append(answered)
            for partition in topic.partitions:
                index = partition.partition_index
                answered.partitions.append(
                    DeleteTopic.OffsetDeleteResponsePartition(
                        partition_index=index,
                        error_code=errors.GROUP_SUBSCRIBED_TO_TOPIC if subscribed else errors.NONE,
                    )
                )
                if not subscribed and self._has_offset(request.group_id, topic.name, index):
                    turn.records.append(offset_tombstone(request.group_id, topic.name, index))
        return turn.decide(response)

    def _has_offset(self, group_id: str, topic: str, index: int) -> bool:
        return self._offsets.get(group_id, topic, index) is not None or self._offsets.is_pending(group_id, topic, index)

    def delete_all(self, turn: Turn, group_id: str) -> None:
        """Tombstones for whatever the group has."""
        for topic, partition in self._offsets.partitions(group_id):
            turn.records.append(offset_tombstone(group_id, topic, partition))

    def delete_topics(self, topics: Iterable[str]) -> Decision[None, CoordinatorRecord]:
        """Topics were deleted: so are all offsets in them."""
        turn = Turn()
        gone = set(topics)
        for group_id in sorted(self._offsets.groups()):
            for topic, partition in self._offsets.partitions(group_id):
                if topic in gone:
                    turn.records.append(offset_tombstone(group_id, topic, partition))
        return turn.decide(None)

    # Expiry

    def expire(self, turn: Turn) -> None:
        """Tombstones for offsets that have outlived the retention, and for empty groups that have none left."""
        now_ms = self._clock.time_ms()
        for group in self._groups.values():
            if self._expire_offsets(turn, group, now_ms) and group.state is EMPTY:
                turn.records.append(group_tombstone(group.group_id))

    def _expire_offsets(self, turn: Turn, group: ClassicGroup, now_ms: int) -> bool:
        """Whether nothing is left that would keep the group."""
        topics = self._offsets.topics(group.group_id)
        if not topics:
            return not self._offsets.has_pending(group.group_id)
        # KIP-211: offsets of an empty group age from the time it became empty, those that a living consumer group does
        # not read any more and those of a group without members from the time they were committed.
        if group.protocol_type is None:
            empty_since_ms = None
        elif group.state is EMPTY:
            empty_since_ms = group.state_timestamp_ms
        elif group.state is STABLE and group.protocol_type == CONSUMER and group.subscribed_topics is not None:
            empty_since_ms = None
        else:
            return False
        nothing_left = True
        for topic, partitions in topics.items():
            subscribed = group.is_subscribed(topic)
            for index, offset in partitions.items():
                if (
                    subscribed
                    or not self._is_expired(offset, empty_since_ms, now_ms)
                    or self._offsets.is_pending(group.group_id, topic, index)
                ):
                    nothing_left = False
                else:
                    turn.records.append(offset_tombstone(group.group_id, topic, index))
        return nothing_left and not self._offsets.has_pending(group.group_id)

    def _is_expired(self, offset: CommittedOffset, empty_since_ms: int | None, now_ms: int) -> bool:
        if offset.expire_timestamp_ms != -1:
            return now_ms >= offset.expire_timestamp_ms
        base_ms = offset.commit_timestamp_ms if empty_since_ms is None else empty_since_ms
        return now_ms - base_ms >= self._settings.offsets_retention_ms


def no_offset(index: int, code: int = errors.NONE) -> FetchPartition:
    """What stands for an offset that was never committed."""
    return FetchPartition(
        partition_index=index, committed_offset=-1, committed_leader_epoch=-1, metadata="", error_code=code
    )

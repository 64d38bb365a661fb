"""The group coordinator of one broker: finds the machine of a group and runs its commands there.

A broker coordinates the groups whose `__consumer_offsets` partition it leads. Errors of the whole request become
answers of the API's own form here, whether they come at once or while an answer waits for its commit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.delete_groups import DeleteGroupsResponse
from klamm.kproto.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from klamm.kproto.messages.join_group import JoinGroupRequest, JoinGroupResponse
from klamm.kproto.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from klamm.kproto.messages.list_groups import ListGroupsResponse
from klamm.kproto.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from klamm.kproto.messages.offset_delete import OffsetDeleteRequest, OffsetDeleteResponse
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest
from klamm.kproto.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from klamm.log.machine import Decision, Driver
from klamm.seams import Clock, Entropy
from klamm.server.coordinators.answers import Answer, chain, gather
from klamm.server.coordinators.classic_group import join_error
from klamm.server.coordinators.classic_protocol import sync_error
from klamm.server.coordinators.coordinator_log import CoordinatorLog, CoordinatorPartition
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.group_listing import DeletedGroup, DescribedGroup, ListedGroup, described_error
from klamm.server.coordinators.group_loader import GroupLoader
from klamm.server.coordinators.group_machine import GroupMachine
from klamm.server.coordinators.group_settings import GroupSettings
from klamm.server.coordinators.offset_commands import FetchGroup
from klamm.server.coordinators.partitioner import partition_for
from klamm.server.request import RequestContext

log = logging.getLogger(__name__)

R = TypeVar("R")
GROUP_METADATA_TOPIC = "__consumer_offsets"


class _Shard:
    """One led partition: its machine, and the driver once the log has been read."""

    __slots__ = ("driver", "loader", "machine")

    def __init__(self, machine: GroupMachine, loader: GroupLoader) -> None:
        self.machine = machine
        self.loader = loader
        self.driver: Driver[CoordinatorRecord] | None = None


class GroupCoordinator:
    """All groups that this broker coordinates."""

    def __init__(
        self, settings: GroupSettings, clock: Clock, entropy: Entropy, partition_count: Callable[[], int]
    ) -> None:
        """`partition_count` gives the partitions that `__consumer_offsets` has, or will have when it is created.

        From the first partition that is led on, the number stays: groups do not move while the broker runs.
        """
        self._settings, self._clock, self._entropy = settings, clock, entropy
        self._count_partitions = partition_count
        self._partition_count = 0
        self._shards: dict[int, _Shard] = {}
        self._closed = False

    # Leadership

    def on_leadership(self, index: int, partition: CoordinatorPartition) -> None:
        """This broker leads the partition now: load it. Until that is done its groups answer 14."""
        self.on_resigned(index)
        self._partition_count = self._partition_count or self._count_partitions()
        machine = GroupMachine(self._settings, self._clock, self._entropy)
        coordinator_log = CoordinatorLog(partition, self._clock, self._settings.compression)

        def loaded(end_offset: int) -> None:
            shard.driver = Driver(machine, coordinator_log, self._clock, end_offset)
            shard.driver.execute(machine.loaded)
            if machine.groups:
                log.info("%s-%d: loaded %d groups", GROUP_METADATA_TOPIC, index, len(machine.groups))

        shard = _Shard(
            machine, GroupLoader(machine, partition, self._settings.load_buffer_size_bytes, self._clock, loaded)
        )
        self._shards[index] = shard
        shard.loader.start()

    def on_resigned(self, index: int) -> None:
        """Another broker leads the partition: its groups are forgotten, and whoever waits is sent there."""
        shard = self._shards.pop(index, None)
        if shard is not None:
            shard.loader.stop()
            if shard.driver is not None:
                shard.driver.close(errors.NOT_COORDINATOR)
            shard.machine.unload(errors.NOT_COORDINATOR)

    def on_topics_deleted(self, names: Sequence[str]) -> None:
        """Topics are gone: delete what groups have committed in them."""

        def delete(shard: _Shard, driver: Driver[CoordinatorRecord]) -> None:
            driver.execute(lambda: shard.machine.offsets.delete_topics(names))

        for index, shard in self._shards.items():
            if shard.driver is not None:
                try:
                    delete(shard, shard.driver)
                except KafkaError as error:
                    log.warning("offsets of deleted topics stay in %s-%d: %s", GROUP_METADATA_TOPIC, index, error)

    def close(self) -> None:
        """The broker stops."""
        self._closed = True
        for index in list(self._shards):
            self.on_resigned(index)

    def partition_for(self, group_id: str) -> int:
        """The partition of `__consumer_offsets` that keeps the group."""
        return partition_for(group_id, self._partition_count or self._count_partitions())

    # Members

    def join(self, context: RequestContext, request: JoinGroupRequest) -> Answer[JoinGroupResponse]:
        """JoinGroup. The answer waits for the group's rebalance."""
        settings = self._settings

        def failed(code: int) -> JoinGroupResponse:
            return join_error(code, request.member_id)

        if not request.group_id:
            return failed(errors.INVALID_GROUP_ID)
        if not settings.min_session_timeout_ms <= request.session_timeout_ms <= settings.max_session_timeout_ms:
            return failed(errors.INVALID_SESSION_TIMEOUT)
        try:
            machine, driver = self._find(request.group_id)
            if not request.member_id and request.group_id not in machine.groups:
                driver.execute(lambda: machine.create_group(request.group_id))
        except KafkaError as error:
            return join_error(error.code, "")
        return self._run(request.group_id, lambda m: m.joins.join(context, request), lambda code: join_error(code, ""))

    def sync(self, request: SyncGroupRequest) -> Answer[SyncGroupResponse]:
        """SyncGroup. The answer waits for the leader's assignment."""
        if not request.group_id:
            return sync_error(errors.INVALID_GROUP_ID)
        return self._run(request.group_id, lambda m: m.members.sync(request), sync_error)

    def heartbeat(self, request: HeartbeatRequest) -> Answer[HeartbeatResponse]:
        """Heartbeat. While the group is loading, members are kept content."""

        def failed(code: int) -> HeartbeatResponse:
            return HeartbeatResponse(error_code=errors.NONE if code == errors.COORDINATOR_LOAD_IN_PROGRESS else code)

        if not request.group_id:
            return failed(errors.INVALID_GROUP_ID)
        return self._run(request.group_id, lambda m: m.members.heartbeat(request), failed)

    def leave(self, request: LeaveGroupRequest) -> Answer[LeaveGroupResponse]:
        """LeaveGroup in the form of version 3: members in an array."""

        def failed(code: int) -> LeaveGroupResponse:
            if code != errors.UNKNOWN_MEMBER_ID:
                return LeaveGroupResponse(error_code=code)
            members = [
                LeaveGroupResponse.MemberResponse(
                    member_id=m.member_id, group_instance_id=m.group_instance_id, error_code=code
                )
                for m in request.members
            ]
            return LeaveGroupResponse(error_code=errors.NONE, members=members)

        if not request.group_id:
            return failed(errors.INVALID_GROUP_ID)
        return self._run(request.group_id, lambda m: m.members.leave(request), failed)

    # Offsets

    def commit_offsets(self, context: RequestContext, request: OffsetCommitRequest) -> Answer[OffsetCommitResponse]:
        """OffsetCommit; the topics of `request` have their names, and ids where they are known."""

        def failed(code: int) -> OffsetCommitResponse:
            topic, partition = OffsetCommitResponse.OffsetCommitResponseTopic, _CommitPartition
            return OffsetCommitResponse(
                topics=[
                    topic(
                        name=t.name,
                        topic_id=t.topic_id,
                        partitions=[
                            partition(partition_index=p.partition_index, error_code=code) for p in t.partitions
                        ],
                    )
                    for t in request.topics
                ]
            )

        return self._run(request.group_id, lambda m: m.offsets.commit(context.api_version, request), failed)

    def fetch_offsets(
        self, request: OffsetFetchRequest.OffsetFetchRequestGroup, require_stable: bool
    ) -> Answer[FetchGroup]:
        """OffsetFetch of one group; topics by name, null for all."""

        def failed(code: int) -> FetchGroup:
            # Consumers before 3.9 do not expect 15 here, but do look the coordinator up again on 16.
            if code == errors.COORDINATOR_NOT_AVAILABLE and not self._closed:
                code = errors.NOT_COORDINATOR
            return FetchGroup(group_id=request.group_id, topics=[], error_code=code)

        return self._run(request.group_id, lambda m: m.offsets.fetch(request, require_stable), failed)

    def delete_offsets(self, request: OffsetDeleteRequest) -> Answer[OffsetDeleteResponse]:
        """OffsetDelete."""

        def failed(code: int) -> OffsetDeleteResponse:
            return OffsetDeleteResponse(error_code=code, topics=[])

        if not request.group_id:
            return failed(errors.INVALID_GROUP_ID)
        return self._run(request.group_id, lambda m: m.offsets.delete(request), failed)

    # Administration

    def describe_groups(self, context: RequestContext, group_ids: Sequence[str]) -> Answer[list[DescribedGroup]]:
        """DescribeGroups."""

        def describe(ids: list[str]) -> Answer[list[DescribedGroup]]:
            return self._run(
                ids[0],
                lambda m: m.listing.describe_groups(context.api_version, ids),
                lambda code: [described_error(group_id, code) for group_id in ids],
            )

        return gather([describe(ids) for ids in self._by_partition(group_ids)])

    def list_groups(self, states: Sequence[str], types: Sequence[str]) -> Answer[ListGroupsResponse]:
        """ListGroups: of all partitions that this broker leads."""

        def listed(shard: _Shard, driver: Driver[CoordinatorRecord]) -> Answer[list[ListedGroup]]:
            return driver.execute(lambda: shard.machine.listing.list_groups(states, types), lambda _: [])

        if self._closed:
            return ListGroupsResponse(error_code=errors.COORDINATOR_NOT_AVAILABLE, groups=[])
        found: list[Answer[list[ListedGroup]]] = []
        for shard in self._shards.values():
            if shard.driver is None:
                return ListGroupsResponse(error_code=errors.COORDINATOR_LOAD_IN_PROGRESS, groups=[])
            found.append(listed(shard, shard.driver))
        return chain(gather(found), lambda groups: ListGroupsResponse(error_code=errors.NONE, groups=groups))

    def delete_groups(self, group_ids: Iterable[str]) -> Answer[list[DeleteGroupsResponse.DeletableGroupResult]]:
        """DeleteGroups; a group named twice is answered once."""

        def delete(ids: list[str]) -> Answer[list[DeletedGroup]]:
            return self._run(
                ids[0],
                lambda m: m.listing.delete_groups(ids),
                lambda code: [DeletedGroup(group_id=group_id, error_code=code) for group_id in ids],
            )

        return gather([delete(ids) for ids in self._by_partition(dict.fromkeys(group_ids))])

    def _by_partition(self, group_ids: Iterable[str]) -> Iterable[list[str]]:
        found: dict[int, list[str]] = {}
        for group_id in group_ids:
            found.setdefault(self.partition_for(group_id), []).append(group_id)
        return found.values()

    # The way to a machine

    def _find(self, group_id: str) -> tuple[GroupMachine, Driver[CoordinatorRecord]]:
        if self._closed:
            raise KafkaError(errors.COORDINATOR_NOT_AVAILABLE)
        shard = self._shards.get(self.partition_for(group_id))
        if shard is None:
            raise KafkaError(errors.NOT_COORDINATOR)
        if shard.driver is None:
            raise KafkaError(errors.COORDINATOR_LOAD_IN_PROGRESS)
        return shard.machine, shard.driver

    def _run(
        self,
        group_id: str,
        command: Callable[[GroupMachine], Decision[R, CoordinatorRecord]],
        failed: Callable[[int], R],
    ) -> Answer[R]:
        try:
            machine, driver = self._find(group_id)
            return driver.execute(lambda: command(machine), failed)
        except KafkaError as error:
            return failed(error.code)


_CommitPartition = OffsetCommitResponse.OffsetCommitResponseTopic.OffsetCommitResponsePartition

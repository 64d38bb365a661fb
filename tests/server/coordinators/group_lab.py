"""A group coordinator on one partition in memory, with members that speak to it in requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from klamm.kproto import errors
from klamm.kproto.consumer_protocol import ConsumerProtocolSubscription
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.heartbeat import HeartbeatRequest
from klamm.kproto.messages.join_group import JoinGroupRequest, JoinGroupResponse
from klamm.kproto.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from klamm.kproto.messages.offset_commit import OffsetCommitRequest
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest
from klamm.kproto.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from klamm.kproto.records import batches, iter_records, place
from klamm.kproto.schema import ZERO_UUID
from klamm.seams import SeededEntropy
from klamm.server.coordinators.coordinator_record import CoordinatorRecord, decode_record
from klamm.server.coordinators.group_coordinator import GroupCoordinator
from klamm.server.coordinators.group_machine import GroupMachine
from klamm.server.coordinators.group_records import GROUP_RECORD_TYPES
from klamm.server.coordinators.group_settings import GroupSettings
from klamm.server.request import RequestContext
from tests.clock import FakeClock

SETTINGS = GroupSettings(initial_rebalance_delay_ms=0)


class FakePartition:
    """A log in memory. With `commits` off the high watermark stays until `commit`; `refuse` makes appends fail."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.end = 0
        self.high_watermark = 0
        self.log_start_offset = 0
        self.commits = True
        self.refuse = 0
        self._callbacks: list[Callable[[int], None]] = []

    def append(self, batch: bytes) -> tuple[int, int]:
        if self.refuse:
            raise KafkaError(self.refuse)
        first = self.end
        placed = bytearray(batch)
        place(placed, first, 0)
        self.data += placed
        self.end = first + next(batches(batch)).count
        if self.commits:
            self.commit()
        return first, self.end - 1

    def commit(self) -> None:
        self.high_watermark = self.end
        for callback in self._callbacks:
            callback(self.end)

    def read(self, offset: int, max_bytes: int) -> bytes:
        found = b""
        for batch in batches(bytes(self.data)):
            if batch.last_offset >= offset and (not found or len(found) + len(batch.view) <= max_bytes):
                found += batch.view
        return found

    def on_high_watermark(self, callback: Callable[[int], None]) -> None:
        self._callbacks.append(callback)

    def records(self) -> list[CoordinatorRecord]:
        """All that was written, decoded."""
        found = []
        for batch in batches(bytes(self.data)):
            for record in iter_records(batch):
                decoded = decode_record(GROUP_RECORD_TYPES, record.key, record.value)
                assert decoded is not None
                found.append(decoded)
        return found


def subscription(*topics: str) -> bytes:
    """The metadata of a consumer that reads `topics`."""
    return b"\x00\x00" + ConsumerProtocolSubscription(topics=list(topics)).encode(0)


def result(answer: Any) -> Any:
    """The answer, which must be there by now."""
    if isinstance(answer, asyncio.Future):
        assert answer.done(), "the answer still waits"
        return answer.result()
    return answer


async def settle() -> None:
    """Let futures that have been completed call those who wait for them."""
    for _ in range(5):
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


class Member:
    """One client: keeps its member id and generation as a consumer does."""

    def __init__(self, lab: GroupLab, group: str = "g", instance: str | None = None, **fields: Any) -> None:
        self.lab, self.group, self.instance = lab, group, instance
        self.id = ""
        self.generation = -1
        self.version = fields.pop("version", 9)
        self.session_timeout_ms = fields.pop("session_timeout_ms", 10000)
        self.rebalance_timeout_ms = fields.pop("rebalance_timeout_ms", 30000)
        self.protocol_type = fields.pop("protocol_type", "consumer")
        self.protocols: dict[str, bytes] = fields.pop("protocols", {"range": subscription("t")})
        self.client_id = fields.pop("client_id", "client")
        assert not fields
        self.joining: Any = None
        self.syncing: Any = None

    def ask_join(self) -> Any:
        """Send JoinGroup once; the answer or a future of it."""
        request = JoinGroupRequest(
            group_id=self.group,
            session_timeout_ms=self.session_timeout_ms,
            rebalance_timeout_ms=self.rebalance_timeout_ms,
            member_id=self.id,
            group_instance_id=self.instance,
            protocol_type=self.protocol_type,
            protocols=[
                JoinGroupRequest.JoinGroupRequestProtocol(name=name, metadata=metadata)
                for name, metadata in self.protocols.items()
            ],
        )
        self.joining = self.lab.coordinator.join(self.lab.context(11, self.version, self.client_id), request)
        return self.joining

    def join(self) -> Member:
        """Join as clients do: when told to come back with a member id, do so."""
        answer = self.ask_join()
        if not isinstance(answer, asyncio.Future) or answer.done():
            response = result(answer)
            if response.error_code == errors.MEMBER_ID_REQUIRED:
                self.id = response.member_id
                self.ask_join()
        return self

    def joined(self) -> JoinGroupResponse:
        """The answer to the join, which must have come."""
        response: JoinGroupResponse = result(self.joining)
        if response.error_code == 0:
            self.id, self.generation = response.member_id, response.generation_id
        return response

    @property
    def waits(self) -> bool:
        return isinstance(self.joining, asyncio.Future) and not self.joining.done()

    def ask_sync(self, assignments: dict[str, bytes] | None = None, **fields: Any) -> Any:
        request = SyncGroupRequest(
            group_id=self.group,
            generation_id=fields.pop("generation_id", self.generation),
            member_id=fields.pop("member_id", self.id),
            group_instance_id=fields.pop("group_instance_id", self.instance),
            assignments=[
                SyncGroupRequest.SyncGroupRequestAssignment(member_id=m, assignment=a)
                for m, a in (assignments or {}).items()
            ],
            **fields,
        )
        self.syncing = self.lab.coordinator.sync(request)
        return self.syncing

    def synced(self) -> SyncGroupResponse:
        response: SyncGroupResponse = result(self.syncing)
        return response

    def heartbeat(self, **fields: Any) -> int:
        values = {
            "group_id": self.group,
            "generation_id": self.generation,
            "member_id": self.id,
            "group_instance_id": self.instance,
            **fields,
        }
        code: int = result(self.lab.coordinator.heartbeat(HeartbeatRequest(**values))).error_code
        return code

    def leave(self) -> LeaveGroupResponse:
        return self.lab.leave(self.group, (self.id, self.instance))

    def commit(self, offset: int, topic: str = "t", partition: int = 0, **fields: Any) -> int:
        """Commit one offset; its error code."""
        return self.lab.commit(
            self.group,
            offset,
            topic,
            partition,
            **{
                "generation_id_or_member_epoch": self.generation,
                "member_id": self.id,
                "group_instance_id": self.instance,
                **fields,
            },
        )


class GroupLab:
    """`restart` is what a broker does when it starts again, or another one takes over."""

    def __init__(self, settings: GroupSettings = SETTINGS) -> None:
        self.settings = settings
        self.clock = FakeClock()
        self.entropy = SeededEntropy(1)
        self.partition = FakePartition()
        self.coordinator = GroupCoordinator(settings, self.clock, self.entropy, lambda: 1)
        self.coordinator.on_leadership(0, self.partition)

    def restart(self) -> None:
        self.coordinator.close()
        self.coordinator = GroupCoordinator(self.settings, self.clock, self.entropy, lambda: 1)
        self.coordinator.on_leadership(0, self.partition)

    @property
    def machine(self) -> GroupMachine:
        return self.coordinator._shards[0].machine

    def context(self, key: int, version: int, client_id: str | None = "client") -> RequestContext:
        return RequestContext(key, version, client_id, "127.0.0.1", "PLAINTEXT", 1)

    def member(self, **fields: Any) -> Member:
        return Member(self, **fields)

    def advance(self, ms: float) -> None:
        self.clock.advance(ms)

    def stable(self, *members: Member) -> None:
        """Bring members through a whole rebalance: all join, the leader assigns its own name to each."""
        for member in members:
            member.join()
        self.advance(self.settings.initial_rebalance_delay_ms)
        leader = None
        for member in members:
            response = member.joined()
            assert response.error_code == 0, errors.name_of(response.error_code)
            if response.leader == response.member_id:
                leader = member
        assert leader is not None
        for member in members:
            if member is not leader:
                member.ask_sync()
        leader.ask_sync({m.id: m.id.encode() for m in members})
        assert [m.synced().assignment for m in members] == [m.id.encode() for m in members]

    def commit(self, group: str, offset: int, topic: str = "t", partition: int = 0, **fields: Any) -> int:
        """Commit one offset; its error code."""
        code: int = (
            result(self.ask_commit(group, offset, topic, partition, **fields)).topics[0].partitions[0].error_code
        )
        return code

    def ask_commit(self, group: str, offset: int, topic: str = "t", partition: int = 0, **fields: Any) -> Any:
        version = fields.pop("version", 9)
        metadata, epoch = fields.pop("metadata", "m"), fields.pop("leader_epoch", 3)
        topic_id = fields.pop("topic_id", ZERO_UUID)
        Topic = OffsetCommitRequest.OffsetCommitRequestTopic
        partitions = [
            Topic.OffsetCommitRequestPartition(
                partition_index=partition,
                committed_offset=offset,
                committed_leader_epoch=epoch,
                committed_metadata=metadata,
            )
        ]
        request = OffsetCommitRequest(
            group_id=group, topics=[Topic(name=topic, topic_id=topic_id, partitions=partitions)], **fields
        )
        return self.coordinator.commit_offsets(self.context(8, version), request)

    def fetch(self, group: str, topics: dict[str, Iterable[int]] | None = None, stable: bool = False) -> Any:
        Group = OffsetFetchRequest.OffsetFetchRequestGroup
        asked = None
        if topics is not None:
            asked = [Group.OffsetFetchRequestTopics(name=t, partition_indexes=list(p)) for t, p in topics.items()]
        return result(self.coordinator.fetch_offsets(Group(group_id=group, topics=asked), stable))

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        """All committed offsets by topic and partition."""
        answer = self.fetch(group)
        assert answer.error_code == 0
        return {(t.name, p.partition_index): p.committed_offset for t in answer.topics for p in t.partitions}

    def leave(self, group: str, *members: tuple[str, str | None]) -> LeaveGroupResponse:
        Identity = LeaveGroupRequest.MemberIdentity
        request = LeaveGroupRequest(
            group_id=group, members=[Identity(member_id=m, group_instance_id=i) for m, i in members]
        )
        response: LeaveGroupResponse = result(self.coordinator.leave(request))
        return response

    def describe(self, group: str, version: int = 6) -> Any:
        return result(self.coordinator.describe_groups(self.context(15, version), [group]))[0]

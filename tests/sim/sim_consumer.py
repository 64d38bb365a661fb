"""Readers of single partitions, members of groups with committed offsets, and the reader that judges at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from klamm.kproto import errors
from klamm.kproto.consumer_protocol import ConsumerProtocolAssignment, ConsumerProtocolSubscription
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.heartbeat import HeartbeatRequest
from klamm.kproto.messages.join_group import JoinGroupRequest
from klamm.kproto.messages.list_offsets import ListOffsetsRequest
from klamm.kproto.messages.offset_commit import OffsetCommitRequest
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest
from klamm.kproto.messages.sync_group import SyncGroupRequest
from klamm.kproto.records import batches, iter_records
from tests.sim.sim_client import Client, NotNow
from tests.sim.sim_history import Key

_LATEST: Final = -1
_MEMBERSHIP_LOST: Final = {errors.REBALANCE_IN_PROGRESS, errors.ILLEGAL_GENERATION, errors.UNKNOWN_MEMBER_ID}
_ELSEWHERE: Final = {
    errors.NOT_LEADER_OR_FOLLOWER,
    errors.UNKNOWN_TOPIC_OR_PARTITION,
    errors.UNKNOWN_LEADER_EPOCH,
    errors.FENCED_LEADER_EPOCH,
    errors.LEADER_NOT_AVAILABLE,
    errors.KAFKA_STORAGE_ERROR,
    errors.OFFSET_NOT_AVAILABLE,
    errors.REPLICA_NOT_AVAILABLE,
}


async def fetch(client: Client, key: Key, offset: int, max_wait_ms: int = 300) -> list[tuple[int, bytes]]:
    """Records from an offset on, taken note of in the ledger. Raises NotNow."""
    era = client.history.era
    topic = FetchRequest.FetchTopic
    address = await client.leader(key)
    partition = topic.FetchPartition(
        partition=key[1], current_leader_epoch=client.epochs[key], fetch_offset=offset, partition_max_bytes=20_000
    )
    request = FetchRequest(
        max_wait_ms=max_wait_ms,
        min_bytes=1,
        max_bytes=40_000,
        topics=[topic(topic=key[0], partitions=[partition])],
    )
    answer = await client.ask_leader(key, address, request, 12)
    if answer.error_code:
        raise NotNow(errors.name_of(answer.error_code))
    data = answer.responses[0].partitions[0]
    if era != client.history.era:
        raise NotNow("another era")
    if data.error_code == errors.OFFSET_OUT_OF_RANGE:
        ledger = client.history.ledger(key)
        if not client.history.era or offset <= ledger.end:
            ledger.fail("I3", f"{offset} is out of range for {client.name}")
        raise OutOfRange(key)
    if data.error_code:
        client.forget_leader(key)
        if data.error_code not in _ELSEWHERE:
            client.unexpected(f"fetch of {key} from {offset}: {errors.name_of(data.error_code)}")
        raise NotNow(errors.name_of(data.error_code))
    rows = [
        (record.offset, record.value or b"")
        for batch in batches(memoryview(data.records or b""))
        for record in iter_records(batch)
        if record.offset >= offset
    ]
    ledger = client.history.ledger(key)
    for row in rows:
        ledger.read(*row)
    client.history.counts["records read"] += len(rows)
    return rows


class OutOfRange(NotNow):
    """The records that were to be read are gone, as the settings allow."""


async def log_end(client: Client, key: Key) -> int:
    """The end of a partition, as its leader tells it. Raises NotNow."""
    era = client.history.era
    topic = ListOffsetsRequest.ListOffsetsTopic
    address = await client.leader(key)
    partition = topic.ListOffsetsPartition(
        partition_index=key[1], current_leader_epoch=client.epochs[key], timestamp=_LATEST
    )
    at_least = client.history.ledger(key).end
    request = ListOffsetsRequest(replica_id=-1, topics=[topic(name=key[0], partitions=[partition])])
    answer = await client.ask_leader(key, address, request, 7)
    found = answer.topics[0].partitions[0]
    if found.error_code or era != client.history.era:
        client.forget_leader(key)
        raise NotNow(errors.name_of(found.error_code))
    ledger = client.history.ledger(key)
    if found.offset < at_least:
        ledger.fail("I5", f"the log's end is {found.offset}, it was {at_least}")
    ledger.end = max(ledger.end, found.offset)
    return int(found.offset)


async def read_on(client: Client, key: Key) -> None:
    """Follow a partition for ever, and look at its end now and then."""
    offset = 0
    while True:
        try:
            rows = await fetch(client, key, offset)
            offset = rows[-1][0] + 1 if rows else offset
            if client.random.random() < 0.1:
                await log_end(client, key)
        except OutOfRange:
            offset = 0
        except NotNow:
            client.history.counts["fetch retries"] += 1
            await client.rest()


async def read_all(client: Client, key: Key) -> list[tuple[int, bytes]]:
    """The whole partition, up to the end that its leader tells. Raises NotNow."""
    end, rows = await log_end(client, key), []
    while (offset := rows[-1][0] + 1 if rows else 0) < end:
        more = await fetch(client, key, offset)
        if not more:
            raise NotNow(f"nothing at {offset} of {key}, whose end is {end}")
        rows += more
    return rows


class Member:
    """A member of a classic group that reads its partitions and commits as it goes."""

    def __init__(self, client: Client, group: str, keys: Iterable[Key]) -> None:
        self.client, self.group, self.keys = client, group, list(keys)
        self._member_id, self._generation = "", -1

    async def run(self) -> None:
        while True:
            try:
                address = await self.client.coordinator(self.group)
                await self._work(address, await self._join(address))
            except NotNow:
                self.client.history.counts["group retries"] += 1
                await self.client.rest()

    async def _ask(self, address: Any, request: Any, version: int) -> Any:
        try:
            return await self.client.ask(address, request, version)
        except KafkaError as error:
            raise NotNow(str(error)) from None

    def _check(self, code: int) -> None:
        if code == errors.UNKNOWN_MEMBER_ID:
            self._member_id = ""
        if code:
            raise NotNow(errors.name_of(code))

    async def _join(self, address: Any) -> list[Key]:
        """Become a member of the next generation; the partitions that are this one's. Raises NotNow."""
        topics = sorted({topic for topic, _ in self.keys})
        metadata = b"\x00\x00" + ConsumerProtocolSubscription(topics=topics).encode(0)
        row = JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=metadata)
        while True:
            request = JoinGroupRequest(
                group_id=self.group,
                session_timeout_ms=2000,
                rebalance_timeout_ms=2000,
                member_id=self._member_id,
                protocol_type="consumer",
                protocols=[row],
            )
            joined = await self._ask(address, request, 5)
            if joined.error_code != errors.MEMBER_ID_REQUIRED:
                break
            self._member_id = joined.member_id
        self._check(joined.error_code)
        self._member_id, self._generation = joined.member_id, joined.generation_id
        rows = []
        if joined.leader == joined.member_id:
            members = sorted(member.member_id for member in joined.members)
            for index, member in enumerate(members):
                mine = [key for n, key in enumerate(self.keys) if n % len(members) == index]
                rows.append(SyncGroupRequest.SyncGroupRequestAssignment(member_id=member, assignment=_assignment(mine)))
        request = SyncGroupRequest(
            group_id=self.group, generation_id=self._generation, member_id=self._member_id, assignments=rows
        )
        synced = await self._ask(address, request, 3)
        self._check(synced.error_code)
        keys = _assigned(synced.assignment)
        self.client.history.counts["group joins"] += 1
        self.client.history.assigned(self.group, self._generation, self._member_id, keys)
        return keys

    async def _work(self, address: Any, keys: list[Key]) -> None:
        offsets = await self._committed(address, keys)
        while True:
            for key in keys:
                try:
                    rows = await fetch(self.client, key, offsets[key], max_wait_ms=50)
                except OutOfRange:
                    offsets[key] = 0
                    self.client.history.starts_again(self.group, key)
                    continue
                if rows:
                    offsets[key] = rows[-1][0] + 1
            await self._commit(address, offsets)
            request = HeartbeatRequest(group_id=self.group, generation_id=self._generation, member_id=self._member_id)
            self._check((await self._ask(address, request, 3)).error_code)
            await self.client.rest()

    async def _committed(self, address: Any, keys: list[Key]) -> dict[Key, int]:
        history, era = self.client.history, self.client.history.era
        at_least = {key: history.commit_of(self.group, key) for key in keys}
        topic = OffsetFetchRequest.OffsetFetchRequestTopic
        request = OffsetFetchRequest(
            group_id=self.group, topics=[topic(name=name, partition_indexes=[index]) for name, index in keys]
        )
        answer = await self._ask(address, request, 5)
        self._check(answer.error_code)
        found: dict[Key, int] = {}
        for row in answer.topics:
            for partition in row.partitions:
                self._check(partition.error_code)
                key = row.name, partition.partition_index
                found[key] = max(partition.committed_offset, 0)
                if era == history.era:
                    history.fetched_commit(self.group, key, found[key], at_least[key])
        return found

    async def _commit(self, address: Any, offsets: dict[Key, int]) -> None:
        history, era = self.client.history, self.client.history.era
        topic = OffsetCommitRequest.OffsetCommitRequestTopic
        request = OffsetCommitRequest(
            group_id=self.group,
            generation_id_or_member_epoch=self._generation,
            member_id=self._member_id,
            topics=[
                topic(
                    name=name,
                    partitions=[
                        topic.OffsetCommitRequestPartition(
                            partition_index=index, committed_offset=offset, committed_metadata=""
                        )
                    ],
                )
                for (name, index), offset in offsets.items()
            ],
        )
        answer = await self._ask(address, request, 7)
        for row in answer.topics:
            for partition in row.partitions:
                self._check(partition.error_code)
        if era == history.era:
            history.committed(self.group, self._generation, offsets)
            history.counts["commits"] += 1


def _assignment(keys: list[Key]) -> bytes:
    row = ConsumerProtocolAssignment.TopicPartition
    topics = [row(topic=topic, partitions=[index]) for topic, index in keys]
    return b"\x00\x00" + ConsumerProtocolAssignment(assigned_partitions=topics).encode(0)


def _assigned(data: bytes) -> list[Key]:
    if not data:
        return []
    assignment = ConsumerProtocolAssignment.decode(memoryview(data)[2:], 0)
    return [(row.topic, index) for row in assignment.assigned_partitions for index in row.partitions]

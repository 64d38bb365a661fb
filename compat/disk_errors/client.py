"""A client that tells error codes as they come: no retries, one request at a time, values that say whose they are."""

from __future__ import annotations

import time
from collections.abc import Iterable

from klamm.kproto import errors, records
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.kproto.messages.describe_log_dirs import DescribeLogDirsRequest, DescribeLogDirsResponse
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.kproto.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.testing.wire import WireClient

TOPIC = "disk"
NO_ANSWER = -2
"""What stands for the code when the broker has gone."""
_NOT_YET = (errors.NOT_LEADER_OR_FOLLOWER, errors.LEADER_NOT_AVAILABLE, errors.UNKNOWN_TOPIC_OR_PARTITION)


def name_of(code: int) -> str:
    """An error code in words."""
    return "gone" if code == NO_ANSWER else "NONE" if code == 0 else errors.info(code).name


class Client:
    """Talks to one broker; a broken connection is opened anew for the next request."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._wire: WireClient | None = None
        self.acknowledged: dict[int, dict[int, bytes]] = {}
        """Partition to offset to value of everything that was acknowledged."""
        self._sent = 0

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _connection(self) -> WireClient:
        if self._wire is None:
            self._wire = WireClient(self._address, timeout_s=15)
        return self._wire

    def create(self, partitions: int, configs: dict[str, str]) -> None:
        """Create the topic, and wait until every partition has a leader."""
        row = CreateTopicsRequest.CreatableTopic
        topic = row(
            name=TOPIC,
            num_partitions=partitions,
            replication_factor=1,
            assignments=[],
            configs=[row.CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
        )
        request = CreateTopicsRequest(topics=[topic], timeout_ms=10_000)
        (result,) = self._connection().ask(request, 5, CreateTopicsResponse).topics
        assert result.error_code == 0, result
        self.wait_for_leaders(range(partitions))

    def leaders(self) -> dict[int, int]:
        """Partition to leader, -1 where there is none."""
        request = MetadataRequest(topics=[MetadataRequest.MetadataRequestTopic(name=TOPIC)])
        (topic,) = self._connection().ask(request, 9, MetadataResponse).topics
        return {row.partition_index: row.leader_id for row in topic.partitions}

    def wait_for_leaders(self, partitions: Iterable[int], *, there: bool = True, timeout_s: float = 30) -> bool:
        """Wait until the partitions have a leader, or have none; False when that does not come."""
        wanted = set(partitions)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                leaders = self.leaders()
                if wanted <= {index for index, leader in leaders.items() if (leader >= 0) == there}:
                    return True
            except OSError:
                self.close()
            time.sleep(0.05)
        return False

    def produce(self, partition: int, size: int = 1000, count: int = 1) -> int:
        """Send one batch and note it when it is acknowledged; the error code, NO_ANSWER when the broker has gone."""
        self._sent += 1
        value = f"{partition}/{self._sent}/".encode().ljust(size, b".")
        now_ms = time.time_ns() // 1_000_000
        rows = [records.Record(n, now_ms, None, value) for n in range(count)]
        data = ProduceRequest.TopicProduceData
        request = ProduceRequest(
            acks=-1,
            timeout_ms=5000,
            topic_data=[
                data(
                    name=TOPIC,
                    partition_data=[
                        data.PartitionProduceData(index=partition, records=records.build_batch(rows, base_offset=0))
                    ],
                )
            ],
        )
        try:
            (topic,) = self._connection().ask(request, 9, ProduceResponse).responses
        except OSError:
            self.close()
            return NO_ANSWER
        (row,) = topic.partition_responses
        if row.error_code == 0:
            noted = self.acknowledged.setdefault(partition, {})
            for n in range(count):
                noted[row.base_offset + n] = value
        return row.error_code

    def produce_until_led(self, partition: int, timeout_s: float = 30) -> int:
        """As `produce`, again while the broker does not know yet that it leads: so does any client, for 30 s or more.

        Metadata names a leader before that broker has begun to lead.
        """
        deadline = time.monotonic() + timeout_s
        while (code := self.produce(partition)) in _NOT_YET and time.monotonic() < deadline:
            time.sleep(0.1)
        return code

    def fetch(self, partition: int, offset: int) -> tuple[int, list[tuple[int, bytes | None]]]:
        """(error code, (offset, value) of what was read)."""
        topic = FetchRequest.FetchTopic
        request = FetchRequest(
            max_wait_ms=100,
            min_bytes=1,
            max_bytes=50_000_000,
            topics=[
                topic(
                    topic=TOPIC,
                    partitions=[
                        topic.FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=50_000_000)
                    ],
                )
            ],
        )
        try:
            (answer,) = self._connection().ask(request, 11, FetchResponse).responses
        except OSError:
            self.close()
            return NO_ANSWER, []
        (row,) = answer.partitions
        found = []
        for batch in records.batches(row.records or b""):
            records.validate_batch(batch.view)
            found += [(record.offset, record.value) for record in records.iter_records(batch)]
        return row.error_code, [pair for pair in found if pair[0] >= offset]

    def check(self, partition: int) -> list[str]:
        """Read a partition from its beginning; what is missing or wrong of what was acknowledged, in words."""
        expected = self.acknowledged.get(partition, {})
        read: dict[int, bytes | None] = {}
        offset = 0
        while True:
            code, found = self.fetch(partition, offset)
            if code:
                return [f"partition {partition} cannot be read at {offset}: {name_of(code)}"]
            if not found:
                break
            read.update(found)
            offset = found[-1][0] + 1
        wrong = [f"partition {partition}, offset {at}" for at, value in expected.items() if read.get(at) != value]
        if sorted(read) != list(range(len(read))):
            wrong.append(f"partition {partition} has holes")
        foreign = [at for at, value in read.items() if not (value or b"").startswith(f"{partition}/".encode())]
        return wrong + [f"partition {partition}, offset {at} was never sent there" for at in foreign]

    def find_coordinator(self, group: str, timeout_s: float = 0) -> int:
        """The error code, asked again until there is none or the time is over."""
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self._connection().ask(FindCoordinatorRequest(key=group, key_type=0), 3, FindCoordinatorResponse)
            if not answer.error_code or time.monotonic() >= deadline:
                return answer.error_code
            time.sleep(0.05)

    def commit(self, group: str, offset: int, timeout_s: float = 0) -> int:
        """Commit an offset as a consumer without a group's members does; the error code, of the last try."""
        topic = OffsetCommitRequest.OffsetCommitRequestTopic
        row = topic.OffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
        request = OffsetCommitRequest(group_id=group, member_id="", topics=[topic(name=TOPIC, partitions=[row])])
        deadline = time.monotonic() + timeout_s
        while True:
            (answer,) = self._connection().ask(request, 7, OffsetCommitResponse).topics
            code = answer.partitions[0].error_code
            if not code or time.monotonic() >= deadline:
                return code
            time.sleep(0.05)

    def committed(self, group: str, timeout_s: float = 10) -> int:
        """The offset that was committed last, -1 for none; read until it can be."""
        topic = OffsetFetchRequest.OffsetFetchRequestTopic(name=TOPIC, partition_indexes=[0])
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self._connection().ask(OffsetFetchRequest(group_id=group, topics=[topic]), 5, OffsetFetchResponse)
            if not answer.error_code or time.monotonic() >= deadline:
                return answer.topics[0].partitions[0].committed_offset
            time.sleep(0.05)

    def directory_errors(self) -> list[int]:
        """The error of each log directory, in the order of their paths."""
        answer = self._connection().ask(DescribeLogDirsRequest(topics=None), 4, DescribeLogDirsResponse)
        return [row.error_code for row in sorted(answer.results, key=lambda row: row.log_dir)]

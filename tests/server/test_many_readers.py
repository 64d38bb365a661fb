"""Many readers at random offsets while the log is written to, rolled, shortened and deleted from: every byte is right.

What a record holds follows from its offset, so that each reader can check what it gets by itself.
"""

from __future__ import annotations

import random
import threading
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any

from klamm.kproto import errors, records
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.kproto.messages.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.kproto.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.kproto.records import Record, build_batch
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

READERS = 100
FETCHES = 25
EARLIEST = -2


def value_of(offset: int) -> bytes:
    """The value of the record at an offset: 100 to about 3,000 bytes."""
    digest = blake2b(b"%d" % offset, digest_size=32).digest()
    return digest * (4 + digest[0] % 90)


class Shared:
    """What the threads tell each other."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.end = 0
        """Behind the last record that has been acknowledged."""
        self.is_over = threading.Event()
        self.faults: list[str] = []
        self.bytes_read = self.out_of_range = 0
        self.lock = threading.Lock()

    def guard(self, work: Any, *arguments: Any) -> threading.Thread:
        def run() -> None:
            try:
                with WireClient(self.bootstrap) as client:
                    work(self, client, *arguments)
            except Exception as error:
                self.faults.append(repr(error))

        thread = threading.Thread(target=run)
        thread.start()
        return thread


def write(shared: Shared, client: WireClient) -> None:
    """Batches of random length until the readers are done."""
    chance = random.Random(1)
    data = ProduceRequest.TopicProduceData
    while not shared.is_over.is_set():
        count = chance.choice((1, 2, 5, 30, 60))
        first = shared.end
        rows = [Record(n, 0, b"k", value_of(first + n)) for n in range(count)]
        batch = build_batch(rows, compression=chance.choice((0, 0, 3)))
        asked = data(name="t", partition_data=[data.PartitionProduceData(index=0, records=batch)])
        answer = client.ask(ProduceRequest(acks=-1, timeout_ms=5000, topic_data=[asked]), 9, ProduceResponse)
        result = answer.responses[0].partition_responses[0]
        assert (result.error_code, result.base_offset) == (0, first)
        shared.end = first + count


def delete(shared: Shared, client: WireClient) -> None:
    """Moves the log start up now and then."""
    topic = DeleteRecordsRequest.DeleteRecordsTopic
    while not shared.is_over.wait(0.1):
        start = shared.end - 400
        if start > 0:
            rows = [topic.DeleteRecordsPartition(partition_index=0, offset=start)]
            request = DeleteRecordsRequest(topics=[topic(name="t", partitions=rows)], timeout_ms=1000)
            code = client.ask(request, 2, DeleteRecordsResponse).topics[0].partitions[0].error_code
            assert code in (0, errors.OFFSET_OUT_OF_RANGE)


def log_start(client: WireClient) -> int:
    topic = ListOffsetsRequest.ListOffsetsTopic
    rows = [topic.ListOffsetsPartition(partition_index=0, timestamp=EARLIEST)]
    request = ListOffsetsRequest(replica_id=-1, topics=[topic(name="t", partitions=rows)])
    return client.ask(request, 5, ListOffsetsResponse).topics[0].partitions[0].offset


def read(shared: Shared, client: WireClient, seed: int) -> None:
    """Fetches from random offsets, below the start and at the end too."""
    chance = random.Random(seed)
    topic = FetchRequest.FetchTopic
    for _ in range(FETCHES):
        end = shared.end
        offset = max(0, end - chance.choice((0, 1, 3, 50, 300, 390, 420, 600)))
        size = chance.choice((1, 1000, 20_000, 1 << 20))
        rows = [topic.FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=size)]
        wants = [topic(topic="t", partitions=rows)]
        request = FetchRequest(max_wait_ms=chance.choice((0, 20)), min_bytes=1, topics=wants)
        got = client.ask(request, 11, FetchResponse).responses[0].partitions[0]
        if got.error_code == errors.OFFSET_OUT_OF_RANGE:
            assert log_start(client) > offset
            shared.out_of_range += 1
            continue
        assert got.error_code == 0 and got.log_start_offset <= offset
        check(shared, offset, size, bytes(got.records or b""))
        assert got.high_watermark >= end


def check(shared: Shared, offset: int, size: int, data: bytes) -> None:
    at, expected = 0, None
    for batch in records.batches(data):
        records.validate_batch(batch.view)
        if expected is None:
            assert batch.base_offset <= offset <= batch.last_offset
            assert len(data) <= max(size, batch.size_bytes)
        else:
            assert batch.base_offset == expected
        for record in records.iter_records(batch):
            assert record.value == value_of(record.offset)
        expected = batch.next_offset
        at += batch.size_bytes
    assert at == len(data)
    with shared.lock:
        shared.bytes_read += at


def create(client: WireClient) -> None:
    topic = CreateTopicsRequest.CreatableTopic
    configs = {"internal.segment.bytes": "200000", "index.interval.bytes": "1000", "retention.bytes": "900000",
               "file.delete.delay.ms": "0", "retention.ms": "-1", "max.message.bytes": "199000"}  # fmt: skip
    rows = [topic.CreatableTopicConfig(name=name, value=value) for name, value in configs.items()]
    asked = topic(name="t", num_partitions=1, replication_factor=1, assignments=[], configs=rows)
    answer = client.ask(CreateTopicsRequest(topics=[asked], timeout_ms=5000), 7, CreateTopicsResponse)
    assert answer.topics[0].error_code == 0, answer.topics[0].error_message


def test_a_hundred_readers(tmp_path: Path) -> None:
    config = {"log.retention.check.interval.ms": "20"}
    with Cluster(config=config, data_dir=str(tmp_path / "data"), process=True) as cluster:
        with WireClient(cluster.bootstrap_servers) as client:
            create(client)
        shared = Shared(cluster.bootstrap_servers)
        others = [shared.guard(work) for work in (write, delete)]
        deadline = time.monotonic() + 20
        while shared.end < 2000 and not shared.faults and time.monotonic() < deadline:
            time.sleep(0.01)
        readers = [shared.guard(read, seed) for seed in range(READERS)]
        for reader in readers:
            reader.join()
        shared.is_over.set()
        for other in others:
            other.join()
    assert shared.faults == []
    assert shared.bytes_read > 1 << 20
    assert shared.out_of_range > 0, "nobody has read what was deleted"

"""What Produce refuses, and what it tells of it, as Kafka 4.3 does."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from klamm.kproto.messages.produce import ProduceRequest, ProduceResponse
from klamm.kproto.record_codec import Record
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Topic = ProduceRequest.TopicProduceData
Partition = Topic.PartitionProduceData
Result = ProduceResponse.TopicProduceResponse.PartitionProduceResponse


def batch(*values: bytes, **options: Any) -> bytes:
    rows = [Record(i, 1_600_000_000_000 + i, None, value) for i, value in enumerate(values)]
    return records.build_batch(rows, **options)


def ask(wire: WireClient, name: str, *batches: bytes, version: int = 9, acks: int = -1) -> list[Result]:
    rows = [Topic(name=name, partition_data=[Partition(index=0, records=data) for data in batches])]
    answer = wire.ask(ProduceRequest(acks=acks, timeout_ms=1000, topic_data=rows), version, ProduceResponse)
    return [result for topic in answer.responses for result in topic.partition_responses]


@pytest.fixture(scope="module", autouse=True)
def topics(cluster: Cluster) -> None:
    cluster.create_topic("t", partitions=1)
    cluster.create_topic("compacted", partitions=1, config={"cleanup.policy": "compact"})


def test_clients_do_not_write_to_internal_topics(wire: WireClient) -> None:
    wire.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4, FindCoordinatorResponse)
    assert ask(wire, "__consumer_offsets", batch(b"a"))[0].error_code == errors.INVALID_TOPIC_EXCEPTION


@pytest.mark.parametrize(("version", "code"), [(6, errors.UNSUPPORTED_COMPRESSION_TYPE), (7, errors.NONE)])
def test_zstd_since_version_7(wire: WireClient, version: int, code: int) -> None:
    assert ask(wire, "t", batch(b"a", compression=4), version=version)[0].error_code == code


@pytest.mark.parametrize("version", [8, 9, 12])
def test_a_transactional_batch_without_a_transactional_id(wire: WireClient, version: int) -> None:
    data = batch(b"a", producer_id=1, producer_epoch=0, base_sequence=0, transactional=True)
    refused = ask(wire, "t", data, version=version)[0]
    assert refused.error_code == errors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_the_last_records_of_a_partition_that_is_named_twice_count(wire: WireClient) -> None:
    before = ask(wire, "t", batch(b"x"))[0].base_offset
    results = ask(wire, "t", batch(b"a"), batch(b"b", b"c"))
    assert [(r.error_code, r.base_offset) for r in results] == [(errors.NONE, before + 1)]
    assert ask(wire, "t", batch(b"x"))[0].base_offset == before + 3


def test_a_partition_that_is_missing_is_told_before_wrong_acks(wire: WireClient) -> None:
    assert ask(wire, "missing", batch(b"a"), acks=3)[0].error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert ask(wire, "t", batch(b"a"), acks=3)[0].error_code == errors.INVALID_REQUIRED_ACKS


def test_records_at_fault_are_listed(wire: WireClient) -> None:
    refused = ask(wire, "compacted", batch(b"a", b"b"))[0]
    assert (refused.error_code, refused.log_start_offset) == (errors.INVALID_RECORD, 0)
    assert [e.batch_index for e in refused.record_errors] == [0, 1]
    assert refused.error_message


def test_what_is_no_batch_is_refused_without_words_and_before_the_log(wire: WireClient) -> None:
    for data in (b"", batch(b"a") + batch(b"b"), batch(b"a")[:30]):
        refused = ask(wire, "t", data)[0]
        assert (refused.error_code, refused.log_start_offset) == (errors.INVALID_RECORD, -1)
        assert refused.error_message is None


def test_a_duplicate_tells_its_highest_timestamp(wire: WireClient) -> None:
    data = batch(b"a", b"b", producer_id=77, producer_epoch=0, base_sequence=0)
    first, again = ask(wire, "t", data)[0], ask(wire, "t", data)[0]
    assert first.base_offset == again.base_offset
    assert (first.log_append_time_ms, again.log_append_time_ms) == (-1, 1_600_000_000_001)

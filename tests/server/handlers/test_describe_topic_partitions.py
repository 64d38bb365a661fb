"""Pages of DescribeTopicPartitions: limits, cursors, and topics that do not exist."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
)
from klamm.server import authorized
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Cursor = DescribeTopicPartitionsRequest.Cursor


@pytest.fixture(scope="module", autouse=True)
def topics(cluster: Cluster) -> None:
    cluster.create_topic("a", partitions=2)
    cluster.create_topic("c", partitions=3)


def ask(
    wire: WireClient, names: str, limit: int = 100, cursor: Cursor | None = None
) -> DescribeTopicPartitionsResponse:
    rows = [DescribeTopicPartitionsRequest.TopicRequest(name=name) for name in names]
    request = DescribeTopicPartitionsRequest(topics=rows, response_partition_limit=limit, cursor=cursor)
    return wire.ask(request, 0, DescribeTopicPartitionsResponse)


@pytest.mark.parametrize(
    ("limit", "shown", "following"),
    [(0, "a0", "a1"), (-1, "a0", "a1"), (2, "a0 a1", "c0"), (4, "a0 a1 c0 c1", "c2"), (5, "a0 a1 c0 c1 c2", None)],
)
def test_pages(wire: WireClient, limit: int, shown: str, following: str | None) -> None:
    answer = ask(wire, "ca", limit)
    assert " ".join(f"{t.name}{p.partition_index}" for t in answer.topics for p in t.partitions) == shown
    at = answer.next_cursor
    assert (None if at is None else f"{at.topic_name}{at.partition_index}") == following


def test_a_page_that_is_full_ends_before_topics_that_do_not_exist(wire: WireClient) -> None:
    answer = ask(wire, "az", 2)
    assert [t.name for t in answer.topics] == ["a"]
    assert answer.next_cursor is not None and answer.next_cursor.topic_name == "z"


def test_an_unknown_topic_shows_what_could_be_done_with_it(wire: WireClient) -> None:
    (topic,) = ask(wire, "b").topics
    assert topic.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert topic.topic_authorized_operations == authorized.TOPIC


@pytest.mark.parametrize(
    "cursor", [Cursor(topic_name="a", partition_index=-1), Cursor(topic_name="b", partition_index=0)]
)
def test_a_wrong_cursor_fails_every_topic(wire: WireClient, cursor: Cursor) -> None:
    assert [t.error_code for t in ask(wire, "ac", cursor=cursor).topics] == [errors.INVALID_REQUEST] * 2


def test_a_cursor_at_an_unknown_topic_counts_for_that_one_alone(wire: WireClient) -> None:
    answer = ask(wire, "bc", cursor=Cursor(topic_name="b", partition_index=2))
    assert [[p.partition_index for p in topic.partitions] for topic in answer.topics] == [[], [0, 1, 2]]

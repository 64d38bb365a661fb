"""The comparison finds planted differences, and nothing where only variables differ. No broker is needed."""

from __future__ import annotations

from typing import Any

import pytest

from compat.differential.comparing import ABSENT, compare
from compat.differential.run import CLOSED, Step, batch
from klamm.kproto.messages.fetch import FetchResponse
from klamm.kproto.messages.join_group import JoinGroupResponse
from klamm.kproto.messages.metadata import MetadataResponse
from klamm.proxy.normal import Names, normal_form

Topic = MetadataResponse.MetadataResponseTopic


def metadata(port: int, topic_id: bytes, code: int = 0, names: str = "ab") -> MetadataResponse:
    broker = MetadataResponse.MetadataResponseBroker(node_id=1, host="127.0.0.1", port=port)
    topics = [Topic(error_code=code, name=n, topic_id=topic_id + n.encode(), partitions=[]) for n in names]
    return MetadataResponse(brokers=[broker], cluster_id="any", controller_id=1, topics=topics)


def step(message: Any, version: int, port: int = 1) -> Step:
    return Step("Any", version, "", normal_form(message, version, Names(port, "/data")))


def test_what_belongs_to_a_broker_is_no_difference() -> None:
    left = step(metadata(1, b"x" * 15), 12, port=1)
    right = step(metadata(2, b"y" * 15, names="ba"), 12, port=2)
    assert compare("case", [left], [right]) == []


def test_a_wrong_port_is_one() -> None:
    (found,) = compare("case", [step(metadata(9, b"x" * 15), 12)], [step(metadata(1, b"x" * 15), 12)])
    assert (found.path, found.left, found.right) == (".brokers[0].port", 9, "<port>")


def test_a_wrong_error_code() -> None:
    found = compare("case", [step(metadata(1, b"x" * 15, code=3), 12)], [step(metadata(1, b"x" * 15), 12)])
    assert [(d.path, d.left, d.right) for d in found] == [
        (".topics[0].errorCode", 3, 0),
        (".topics[1].errorCode", 3, 0),
    ]


def test_a_missing_field_and_a_missing_item() -> None:
    left, right = step(metadata(1, b"x" * 15, names="a"), 12), step(metadata(1, b"x" * 15), 12)
    assert [d.path for d in compare("case", [left], [right])] == [".topics.['b', '<id of b>']"]
    del left.outcome["clusterId"]
    assert (".clusterId", ABSENT) in [(d.path, d.left) for d in compare("case", [left], [right])]


def test_a_wrong_order_where_order_counts() -> None:
    def fetched(*names: str) -> FetchResponse:
        return FetchResponse(responses=[FetchResponse.FetchableTopicResponse(topic=n, partitions=[]) for n in names])

    found = compare("case", [step(fetched("a", "b"), 4)], [step(fetched("b", "a"), 4)])
    assert [d.path for d in found] == [".responses[0].topic", ".responses[1].topic"]


def test_another_record_and_a_batch_that_is_cut() -> None:
    def fetched(data: bytes) -> FetchResponse:
        topic = FetchResponse.FetchableTopicResponse
        row = topic.PartitionData(partition_index=0, error_code=0, high_watermark=1, records=data)
        return FetchResponse(responses=[topic(topic="t", partitions=[row])])

    one = batch(b"a")
    path = ".responses[0].partitions[0].records"
    assert [d.path for d in compare("c", [step(fetched(one), 4)], [step(fetched(one + one[:9]), 4)])] == [f"{path}.cut"]
    found = compare("c", [step(fetched(one), 4)], [step(fetched(batch(b"b")), 4)])
    assert f"{path}.records[0].value" in [d.path for d in found]


@pytest.mark.parametrize("same", [True, False])
def test_variables_stand_for_the_same_thing(same: bool) -> None:
    def joined(names: Names, member: str, leader: str) -> Step:
        ids = {"x": "me-7d0d9bd5-0000-0000-0000-000000000000", "y": "me-8d0d9bd5-0000-0000-0000-000000000000"}
        answer = JoinGroupResponse(
            error_code=0, protocol_name="p", leader=ids[leader], member_id=ids[member], members=[]
        )
        return Step("JoinGroup", 5, "", normal_form(answer, 5, names))

    left = [joined(Names(1, ""), "x", "x")]
    right = [joined(Names(2, ""), "y", "y" if same else "x")]
    assert (compare("case", left, right) == []) == same


def test_a_closed_connection_and_a_step_that_was_not_taken() -> None:
    answered, closed = Step("Any", 0, "", {"a": 1}), Step("Any", 0, "", CLOSED)
    assert [d.left for d in compare("case", [closed], [answered])] == [CLOSED]
    assert len(compare("case", [answered], [answered, answered])) == 1

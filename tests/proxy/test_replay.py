"""A recorded session said again: equal on a server that does the same, and different where one thing is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, KafkaProducer

from klamm.kproto.messages.join_group import JoinGroupResponse
from klamm.kproto.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from klamm.proxy.recorded import TraceClock, tell
from klamm.proxy.replay import Replay, Result, differences_in_words, summary
from klamm.proxy.rules import Rule, parse_rule
from klamm.proxy.show import Shower
from klamm.proxy.subjects import TopicNames
from klamm.proxy.trace import Trace, TraceError, read_trace
from klamm.proxy.variables import Variables
from klamm.seams import SystemClock, TcpNetwork
from klamm.testing import Cluster
from klamm.testing.wire import WireClient
from tests.proxy.conftest import Running


def session(address: str) -> None:
    """An idempotent producer and a group of one."""
    producer = KafkaProducer(bootstrap_servers=address, client_id="app")
    for i in range(4):
        producer.send("orders", b"%d" % i).get(timeout=20)
    producer.close()
    consumer = KafkaConsumer("orders", bootstrap_servers=address, group_id="shop", auto_offset_reset="earliest")
    assert [next(consumer).value for _ in range(4)] == [b"0", b"1", b"2", b"3"]
    consumer.commit()
    consumer.close()


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """A recorded session."""
    with Cluster() as cluster:
        running = Running(cluster.bootstrap_servers)
        session(running.address)
        running.stop()
    return running.recorded


@pytest.fixture
def fresh() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


def said(trace: Trace, to: str, timeout_ms: float = 20000) -> Result:
    host, _, port = to.rpartition(":")

    async def replayed() -> Result:
        clock = SystemClock(asyncio.get_running_loop())
        return await Replay(trace, (host, int(port)), network=TcpNetwork(), clock=clock, timeout_ms=timeout_ms).run()

    return asyncio.run(replayed())


def disturbed(cluster: Cluster, lines: list[str], *rules: Rule, **more: float) -> Result:
    running = Running(cluster.bootstrap_servers, rules)
    try:
        return said(read_trace(lines), running.address, **more)
    finally:
        running.stop()


def test_equal_on_a_server_that_does_the_same(lines: list[str], fresh: Cluster) -> None:
    result = said(read_trace(lines), fresh.bootstrap_servers)
    assert differences_in_words(result) == []
    assert summary(result)["answers"] == sum('"event":"answer"' in line for line in lines) > 20


def test_ids_and_offsets_of_another_history(lines: list[str], fresh: Cluster) -> None:
    """Producer ids, member ids and session ids differ there, and the partition has records already."""
    session(fresh.bootstrap_servers)
    result = said(read_trace(lines), fresh.bootstrap_servers)
    where = {path for row in result.different for path, _, _ in row.differences}
    assert {row.api for row in result.different} == {"Produce", "ListOffsets", "Fetch", "OffsetFetch"}
    assert {path.rpartition(".")[2] for path in where} == {
        "logStartOffset", "offset", "committedOffset", "committedLeaderEpoch",
    }, where  # fmt: skip


def test_a_wrong_error_code_is_found(lines: list[str], fresh: Cluster) -> None:
    result = disturbed(fresh, lines, parse_rule("api=OffsetCommit,nth=1,do=error,error=ILLEGAL_GENERATION"))
    (found,) = differences_in_words(result)
    assert "OffsetCommit" in found
    assert ".topics[0].partitions[0].errorCode: recorded 0, now 22" in found


def test_a_missing_answer_is_found(lines: list[str], fresh: Cluster) -> None:
    result = disturbed(fresh, lines, parse_rule("api=LeaveGroup,do=drop"), timeout_ms=500)
    (found,) = differences_in_words(result)
    assert found.endswith("now 'no answer'")


def test_a_closed_connection_is_found(lines: list[str], fresh: Cluster) -> None:
    result = disturbed(fresh, lines, parse_rule("api=LeaveGroup,do=close"))
    assert any(line.endswith("now 'closed'") for line in differences_in_words(result))


def test_a_server_that_comes_up_is_asked_again(lines: list[str], fresh: Cluster) -> None:
    rule = parse_rule("api=JoinGroup,nth=1-3,do=error,error=NOT_COORDINATOR")
    result = disturbed(fresh, lines, rule)
    assert differences_in_words(result) == []
    assert (result.asked_again, rule.done) == (3, 3)


def test_what_the_recorded_server_never_saw_is_left_out(fresh: Cluster) -> None:
    """Answers by a fault are not the server's, and no replay expects them."""
    rules = [parse_rule("api=ListGroups,nth=1,do=error,error=NOT_COORDINATOR")]
    running = Running(fresh.bootstrap_servers, rules)
    request = ListGroupsRequest(states_filter=[], types_filter=[])
    with WireClient(running.address) as client:
        assert [client.ask(request, 5, ListGroupsResponse).error_code for _ in range(2)] == [16, 0]
    running.stop()
    result = said(read_trace(running.recorded), fresh.bootstrap_servers)
    assert summary(result) == {
        "answers": 1, "equal": 1, "different": 0, "settled": 0, "asked_again": 0, "left_out": 1,
    }  # fmt: skip


def test_a_trace_can_be_shown(lines: list[str]) -> None:
    shown: list[str] = []
    clock = TraceClock()
    tell(read_trace(lines), Shower(shown.append, clock, TopicNames()), clock)
    text = "".join(shown)
    for name in ("Produce", "JoinGroup", "Fetch", "LeaveGroup"):
        assert f"> {name} v" in text
        assert f"< {name} v" in text
    assert "orders[0]" in text
    assert text.count("closed by the") == text.count("opened by")  # by the proxy where it was stopped first


@pytest.mark.parametrize(
    ("lines_", "word"),
    [
        ([], "first line"),
        (['{"klamm_trace":99}'], "first line"),
        (["no json"], "line 1"),
        (['{"klamm_trace":1,"began_ms":0,"to":"a:1"}', '{"at_ms":1}'], "line 2: 'connection' is missing"),
        (['{"klamm_trace":1,"began_ms":0,"to":"a:1"}', "[]"], "line 2 is no JSON object"),
    ],
)
def test_what_is_no_trace(lines_: list[str], word: str) -> None:
    with pytest.raises(TraceError, match=word):
        read_trace(lines_)


def test_every_line_is_json(lines: list[str]) -> None:
    rows = [json.loads(line) for line in lines]
    assert rows[0]["klamm_trace"] == 1
    assert {row["event"] for row in rows[1:]} == {"open", "request", "answer", "close"}
    assert [row["at_ms"] for row in rows[1:]] == sorted(row["at_ms"] for row in rows[1:])


def joined(member: str, leader: str, generation: int = 1) -> JoinGroupResponse:
    return JoinGroupResponse(
        generation_id=generation, protocol_name="range", leader=leader, member_id=member, members=[]
    )


def test_one_value_stands_for_one_value() -> None:
    variables = Variables()
    first = joined("b-1", "b-1", 7)
    variables.bring_back(joined("a-1", "a-1", 3), first, None)
    assert first == joined("a-1", "a-1", 3)
    second = joined("b-1", "b-2", 8)
    variables.bring_back(joined("a-2", "a-2", 4), second, None)
    assert (second.member_id, second.leader, second.generation_id) == ("a-1", "a-2", 4), "b-1 is a-1 already"
    assert variables.bound("member") == {"a-1": "b-1", "a-2": "b-2"}

"""`klamm cluster status`: what it makes of a cluster's answers, how it looks, and its exit status."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any, cast

import pytest
from rich.console import Console

from klamm.channel import Channel
from klamm.cli.cluster_facts import ClusterState, ask_over, parse_bootstrap
from klamm.cli.cluster_status import show
from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse, ReplicaState
from klamm.kproto.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
)
from klamm.kproto.schema import Message
from klamm.reply import Reply
from klamm.testing import Cluster

Topic = DescribeTopicPartitionsResponse.DescribeTopicPartitionsResponseTopic
Row = Topic.DescribeTopicPartitionsResponsePartition
NOW_MS = 1_700_000_000_000


def row(index: int, leader: int, replicas: list[int], isr: list[int], eligible: list[int] | None = None) -> Any:
    return Row(
        error_code=0, partition_index=index, leader_id=leader, leader_epoch=4, replica_nodes=replicas, isr_nodes=isr,
        eligible_leader_replicas=eligible,
    )  # fmt: skip


def topic(name: str, rows: list[Any], *, internal: bool = False) -> Any:
    return Topic(error_code=0, name=name, is_internal=internal, partitions=rows)


def replica(node_id: int, end_offset: int, fetched_ms: int) -> ReplicaState:
    return ReplicaState(
        replica_id=node_id, log_end_offset=end_offset, last_fetch_timestamp=fetched_ms,
        last_caught_up_timestamp=fetched_ms,
    )  # fmt: skip


class Answers:
    """The other end of a channel: brokers 1 to 3, of which 3 is fenced, and controllers 1, 101 and 102.

    102 has not fetched for a minute, and broker 9 holds replicas though nobody knows where it is.
    """

    def __init__(self, *, is_old: bool = False) -> None:
        self.is_old = is_old
        self.cursors: list[Any] = []

    def send(self, request: Message) -> Reply[Message]:
        reply: Reply[Message] = Reply()
        reply.resolve(self.answer(request))
        return reply

    def answer(self, request: Message) -> Message | KafkaError:
        if isinstance(request, DescribeClusterRequest):
            if self.is_old and request.include_fenced_brokers:
                return KafkaError(errors.UNSUPPORTED_VERSION)
            described = DescribeClusterResponse.DescribeClusterBroker
            brokers = [
                described(broker_id=n, host="h", port=9090 + n, rack=f"r{n}", is_fenced=n == 3) for n in (1, 2, 3)
            ]
            return DescribeClusterResponse(throttle_time_ms=0, error_code=0, cluster_id="abc", brokers=brokers)
        if isinstance(request, DescribeQuorumRequest):
            return self.quorum()
        assert isinstance(request, DescribeTopicPartitionsRequest)
        return self.page(request)

    def quorum(self) -> DescribeQuorumResponse:
        data = DescribeQuorumResponse.TopicData
        partition = data.PartitionData(
            partition_index=0, error_code=0, leader_id=101, leader_epoch=7, high_watermark=499,
            current_voters=[replica(1, 490, NOW_MS - 200), replica(101, 500, NOW_MS), replica(102, 90, NOW_MS - 60000)],
            observers=[replica(2, 500, NOW_MS - 100), replica(103, 500, NOW_MS - 100)],
        )  # fmt: skip
        node = DescribeQuorumResponse.Node
        listeners = [node.Listener(name="CONTROLLER", host="c", port=9101)]
        return DescribeQuorumResponse(
            error_code=0,
            topics=[data(topic_name="__cluster_metadata", partitions=[partition])],
            nodes=[node(node_id=101, listeners=listeners)],
        )

    def page(self, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
        self.cursors.append(request.cursor and (request.cursor.topic_name, request.cursor.partition_index))
        if request.cursor is None:
            cursor = DescribeTopicPartitionsResponse.Cursor(topic_name="orders", partition_index=1)
            rows = [topic("__consumer_offsets", [row(0, 1, [1, 2], [1, 2])], internal=True)]
            rows.append(topic("orders", [row(0, 2, [1, 2, 3], [2, 1])]))
            return DescribeTopicPartitionsResponse(topics=rows, next_cursor=cursor)
        return DescribeTopicPartitionsResponse(
            topics=[topic("orders", [row(1, -1, [3], [], [3]), row(2, 2, [2, 9], [2])])]
        )


async def state_of(answers: Answers) -> ClusterState:
    return await ask_over(cast(Channel, answers))


def shown(state: ClusterState) -> str:
    output = io.StringIO()
    show(Console(file=output, width=160, highlight=False), state)
    return output.getvalue()


async def test_what_a_cluster_tells() -> None:
    answers = Answers()
    state = await state_of(answers)
    assert answers.cursors == [None, ("orders", 1)]
    nodes = {node.node_id: node for node in state.nodes}
    assert {number: node.roles for number, node in nodes.items()} == {
        1: ["broker", "controller"],
        2: ["broker"],
        3: ["broker"],
        9: ["broker"],
        101: ["controller"],
        102: ["controller"],
        103: ["controller"],
    }
    assert (nodes[1].address, nodes[101].address) == ("h:9091", "c:9101")
    assert [number for number, node in nodes.items() if node.is_fenced] == [3, 9]
    assert [number for number, node in nodes.items() if node.is_silent] == [102]
    counts = {number: (node.leaders, node.replicas, node.out_of_sync) for number, node in nodes.items()}
    assert {number: counts[number] for number in (1, 2, 3, 9)} == {
        1: (1, 2, 0),
        2: (2, 3, 0),
        3: (0, 2, 2),
        9: (0, 1, 1),
    }
    assert [(voter.node_id, voter.lag) for voter in state.quorum.voters] == [(1, 10), (101, 0), (102, 410)]
    assert [f"{p.topic}-{p.index}" for p in state.under_replicated] == ["orders-0", "orders-1", "orders-2"]
    assert [f"{p.topic}-{p.index}" for p in state.offline] == ["orders-1"]
    assert not state.is_well


async def test_kafka_before_fenced_brokers_were_told() -> None:
    state = await state_of(Answers(is_old=True))
    assert [node.node_id for node in state.nodes if "broker" in node.roles] == [1, 2, 3, 9]


async def test_how_it_looks() -> None:
    lines = shown(await state_of(Answers())).splitlines()
    assert lines[0] == "cluster abc, active controller node 101, epoch 7"

    def words(start: str) -> list[str]:
        return next(line.split() for line in lines if line.split()[: len(start.split())] == start.split())

    assert words("3 h:9093") == ["3", "h:9093", "broker", "r3", "fenced", "0", "2", "2"]
    assert words("101 c:9101") == ["101", "c:9101", "controller", "(active)", "well"]
    assert words("102 voter") == ["102", "voter", "90", "410", "60", "s", "ago"]
    assert words("orders 3") == ["orders", "3", "1-3", "3", "1", "2"]
    assert words("orders-1") == ["orders-1", "none", "4", "3", "3"]
    assert lines[-1] == "4 partitions: 3 under-replicated, 1 offline; nodes 3, 9, 102 not there"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "klamm", "cluster", "status", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_running_broker() -> None:
    with Cluster() as cluster:
        cluster.create_topic("orders", 3)
        server = f"127.0.0.1:1,{cluster.bootstrap_servers}"
        seen = run("--bootstrap-server", server)
        told = run("--bootstrap-server", server, "--json")
    assert (seen.returncode, told.returncode) == (0, 0), seen.stderr + told.stderr
    assert "3 partitions: 0 under-replicated, 0 offline; all is well" in seen.stdout
    state = json.loads(told.stdout)
    assert (state["is_well"], state["partitions"], state["quorum"]["leader_id"]) == (True, 3, 1)
    assert [p["isr"] for p in state["topics"][0]["partitions"]] == [[1]] * 3


def test_nobody_answers() -> None:
    failed = run("--bootstrap-server", "127.0.0.1:1")
    assert failed.returncode == 2
    assert len(failed.stderr.splitlines()) == 1
    assert "127.0.0.1:1" in failed.stderr
    with pytest.raises(ValueError, match="host:port"):
        parse_bootstrap("127.0.0.1")

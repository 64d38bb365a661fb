"""Questions to the nodes of a cluster, in Kafka's own requests, to whichever node answers in time.

A node that is stopped takes connections and says nothing: every question has a short timeout, and the next node is
asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from klamm.kproto.errors import ProtocolError
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest, DescribeQuorumResponse
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.kproto.schema import Message
from klamm.testing.wire import WireClient

R = TypeVar("R", bound=Message)

ANSWER_TIMEOUT_S = 1.0
_METADATA_VERSION = 12
_QUORUM_VERSION = 1


class Partition(NamedTuple):
    topic: str
    number: int
    leader_id: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]


class View(NamedTuple):
    """The cluster as one broker sees it. `addresses`: the brokers that are there, by id."""

    addresses: dict[int, str]
    partitions: list[Partition]

    def is_whole(self, brokers: Iterable[int]) -> bool:
        """Whether these brokers are there, and every partition has a leader and all replicas in sync."""
        return set(brokers) <= self.addresses.keys() and all(
            partition.leader_id >= 0 and set(partition.isr) == set(partition.replicas) for partition in self.partitions
        )


def ask_any(addresses: Sequence[str], request: Message, version: int, response: type[R],
            timeout_s: float = ANSWER_TIMEOUT_S) -> R | None:  # fmt: skip
    """The answer of the first node that gives one, None when none does."""
    for address in addresses:
        try:
            with WireClient(address, timeout_s, "compat-asking") as client:
                return client.ask(request, version, response)
        except (OSError, ProtocolError):
            continue
    return None


def view(addresses: Sequence[str], topics: Sequence[str] | None = None, timeout_s: float = ANSWER_TIMEOUT_S
         ) -> View | None:  # fmt: skip
    """The cluster as the first node sees it that answers; `topics` None: all of them."""
    wanted = None if topics is None else [MetadataRequest.MetadataRequestTopic(name=name) for name in topics]
    request = MetadataRequest(topics=wanted, allow_auto_topic_creation=False)
    answer = ask_any(addresses, request, _METADATA_VERSION, MetadataResponse, timeout_s)
    if answer is None:
        return None
    return View(
        {broker.node_id: f"{broker.host}:{broker.port}" for broker in answer.brokers},
        [
            Partition(topic.name or "", p.partition_index, p.leader_id, tuple(p.replica_nodes), tuple(p.isr_nodes))
            for topic in answer.topics
            for p in topic.partitions
        ],
    )


def active_controller(addresses: Sequence[str]) -> int | None:
    """The id of the quorum's leader, None when nobody tells."""
    topic = DescribeQuorumRequest.TopicData
    row = topic(topic_name="__cluster_metadata", partitions=[topic.PartitionData(partition_index=0)])
    answer = ask_any(addresses, DescribeQuorumRequest(topics=[row]), _QUORUM_VERSION, DescribeQuorumResponse)
    if answer is None or answer.error_code or answer.topics[0].partitions[0].error_code:
        return None
    leader_id: int = answer.topics[0].partitions[0].leader_id
    return None if leader_id < 0 else leader_id


def wait_until(condition: Callable[[], bool], timeout_s: float, pause_s: float = 0.05) -> bool:
    """Whether `condition` came to hold in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True

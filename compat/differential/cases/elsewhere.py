"""Partitions that another broker leads, or nobody: what the broker that is asked says of them.

The other broker is played: it registers, is unfenced by its heartbeats, and serves nothing. It is fenced half-way, so
that it leads nothing any more, and is forgotten at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from compat.differential.cases import case
from compat.differential.cases.controllers import registration
from compat.differential.run import Peer, Run, Show, Topic, batch, records_for
from klamm.kproto.messages.alter_partition import AlterPartitionRequest
from klamm.kproto.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.kproto.messages.create_partitions import CreatePartitionsRequest
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.delete_records import DeleteRecordsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest
from klamm.kproto.messages.describe_producers import DescribeProducersRequest
from klamm.kproto.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from klamm.kproto.messages.elect_leaders import ElectLeadersRequest
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.list_offsets import ListOffsetsRequest
from klamm.kproto.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from klamm.kproto.messages.metadata import MetadataRequest
from klamm.kproto.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest
from klamm.kproto.messages.produce import ProduceRequest
from klamm.kproto.messages.unregister_broker import UnregisterBrokerRequest
from klamm.proxy.normal import normal_form

PREFERRED, UNCLEAN = 0, 1
_FAR = 1 << 40
"""An offset of the metadata that no broker is behind."""


class Played(NamedTuple):
    """The other broker."""

    peer: Peer
    broker_id: int
    epoch: int

    def beat(self, *, fenced: bool) -> None:
        """Tell the controller what it wants, until it is so."""
        version = self.peer.versions(BrokerHeartbeatRequest)[-1]
        values: dict[str, Any] = {
            "broker_id": self.broker_id,
            "broker_epoch": self.epoch,
            "current_metadata_offset": _FAR,
        }
        self.peer.ask(BrokerHeartbeatRequest, version, f"fenced: {fenced}", want_fence=fenced, **values)


@contextmanager
def another_broker(run: Run, broker_id: int, brokers: int = 2) -> Iterator[Played]:
    """One more broker that is alive, as far as the controller knows: there are `brokers` then."""
    peer = run.controller()
    newest = peer.versions(BrokerRegistrationRequest)[-1]
    values = registration(run, broker_id, log_dirs=[bytes(15) + bytes([100 + broker_id])])
    answer = peer.ask(BrokerRegistrationRequest, newest, "the other broker", **values)
    try:
        played = Played(peer, broker_id, answer.broker_epoch)
        played.beat(fenced=False)
        _await_brokers(run, brokers)
        yield played
    finally:
        run.quiet(UnregisterBrokerRequest, 0, broker_id=broker_id)
        _await_brokers(run, brokers - 1)


def _await_brokers(run: Run, count: int) -> None:
    for _ in run.attempts(f"there are not {count} brokers"):
        if len(run.quiet(MetadataRequest, 9, topics=[], allow_auto_topic_creation=False).brokers) == count:
            return


def _create(run: Run, *replicas: int) -> Topic:
    """A topic of one partition on those brokers."""
    name = run.new_name()
    asked = {"name": name, "num_partitions": -1, "replication_factor": -1, "configs": [],
             "assignments": [{"partition_index": 0, "broker_ids": list(replicas)}]}  # fmt: skip
    run.quiet(CreateTopicsRequest, 7, topics=[asked], timeout_ms=30000)
    for _ in run.attempts(f"{name} is not known"):
        wanted = [{"name": name}]
        found = run.quiet(MetadataRequest, 12, topics=wanted, allow_auto_topic_creation=False).topics[0]
        if found.partitions:
            return Topic(name, found.topic_id)
    raise AssertionError


class _Layout(NamedTuple):
    """Topics by where their replicas are, the preferred leader first."""

    elsewhere: Topic
    led_elsewhere: Topic
    led_here: Topic


@contextmanager
def _layout(run: Run, other: int) -> Iterator[_Layout]:
    here = run.target.node_id
    layout = _Layout(_create(run, other), _create(run, other, here), _create(run, here, other))
    try:
        yield layout
    finally:
        names = [topic.name for topic in layout]
        run.quiet(DeleteTopicsRequest, 5, topic_names=names, timeout_ms=30000)


def _await_leader(run: Run, topic: Topic, leader: int) -> None:
    for _ in run.attempts(f"{topic.name} is not led by {leader}"):
        wanted = [{"name": topic.name}]
        found = run.quiet(MetadataRequest, 12, topics=wanted, allow_auto_topic_creation=False).topics[0]
        if found.partitions[0].leader_id == leader:
            return


@case
def asked_of_the_wrong_broker(run: Run) -> None:
    with another_broker(run, 90) as other, _layout(run, other.broker_id) as layout:
        _shown(run, layout, "alive")
        _written_and_read(run, layout.elsewhere, "elsewhere")
        _written_and_read(run, layout.led_elsewhere, "led elsewhere")
        for version in run.versions(ProduceRequest):
            # The follower is in sync and never fetches.
            values = records_for(layout.led_here, batch(b"x"), acks=-1) | {"timeout_ms": 100}
            run.ask(ProduceRequest, version, "led here, nobody follows", **values)


@case
def asked_of_a_broker_when_nobody_leads(run: Run) -> None:
    with another_broker(run, 91) as other, _layout(run, other.broker_id) as layout:
        other.beat(fenced=True)
        _await_leader(run, layout.led_elsewhere, run.target.node_id)
        _await_leader(run, layout.elsewhere, -1)
        _shown(run, layout, "fenced")
        _written_and_read(run, layout.elsewhere, "nowhere")
        _elections(run, layout)
        for version in run.versions(CreatePartitionsRequest):
            rows = [{"name": layout.led_here.name, "count": 2, "assignments": [{"broker_ids": [other.broker_id]}]}]
            run.ask(CreatePartitionsRequest, version, "on the fenced one", topics=rows, timeout_ms=30000,
                    validate_only=True)  # fmt: skip


def _shown(run: Run, layout: _Layout, note: str) -> None:
    """What descriptions tell."""
    names = [{"name": topic.name} for topic in layout]
    for version in run.versions(MetadataRequest):
        run.client.ask(MetadataRequest, version, note, _but_for_the_controller(run, version), topics=names,
                       allow_auto_topic_creation=False)  # fmt: skip
    run.ask(DescribeTopicPartitionsRequest, 0, note, topics=names, response_partition_limit=10, cursor=None)
    for version in run.versions(DescribeClusterRequest):
        for fenced in (False, True):
            run.client.ask(DescribeClusterRequest, version, f"{note}, fenced ones {fenced}",
                           _but_for_the_controller(run, version), include_fenced_brokers=fenced,
                           endpoint_type=1)  # fmt: skip


def _but_for_the_controller(run: Run, version: int) -> Show:
    """Any broker that is alive may be named as the controller: Kafka draws lots (KIP-590)."""

    def show(answer: Any) -> Any:
        return {
            name: value for name, value in normal_form(answer, version, run.names).items() if name != "controllerId"
        }

    return show


def _written_and_read(run: Run, topic: Topic, note: str) -> None:
    """Everything that only a leader does."""
    for version in run.versions(ProduceRequest):
        for acks in (-1, 1):
            run.ask(ProduceRequest, version, f"{note}, acks {acks}", **records_for(topic, batch(b"x"), acks=acks))
    for version in run.versions(FetchRequest):
        for epoch in (-1, 0, 5):
            row = {"partition": 0, "fetch_offset": 0, "partition_max_bytes": 100, "current_leader_epoch": epoch}
            wanted = {"topic": topic.name, "topic_id": topic.topic_id, "partitions": [row]}
            run.ask(FetchRequest, version, f"{note}, epoch {epoch}", replica_id=-1, max_wait_ms=0, min_bytes=0,
                    max_bytes=100, topics=[wanted])  # fmt: skip
    for version in run.versions(ListOffsetsRequest):
        for epoch in (-1, 5):
            rows: list[dict[str, Any]] = [{"partition_index": 0, "timestamp": -1, "current_leader_epoch": epoch}]
            run.ask(ListOffsetsRequest, version, f"{note}, epoch {epoch}", replica_id=-1,
                    topics=[{"name": topic.name, "partitions": rows}])  # fmt: skip
    for version in run.versions(OffsetForLeaderEpochRequest):
        for epoch in (-1, 0, 5):
            rows = [{"partition": 0, "current_leader_epoch": epoch, "leader_epoch": 0}]
            run.ask(OffsetForLeaderEpochRequest, version, f"{note}, epoch {epoch}", replica_id=-2,
                    topics=[{"topic": topic.name, "partitions": rows}])  # fmt: skip
    for version in run.versions(DeleteRecordsRequest):
        rows = [{"partition_index": 0, "offset": 0}]
        run.ask(DeleteRecordsRequest, version, note, topics=[{"name": topic.name, "partitions": rows}],
                timeout_ms=1000)  # fmt: skip
    run.ask(DescribeProducersRequest, 0, note, topics=[{"name": topic.name, "partition_indexes": [0]}])


def _elections(run: Run, layout: _Layout) -> None:
    for peer in (run.client, run.controller()):
        for version in peer.versions(ElectLeadersRequest):
            for kind in (PREFERRED, UNCLEAN) if version else (PREFERRED,):
                for note, topic in zip(layout._fields, layout, strict=True):
                    rows = [{"topic": topic.name, "partitions": [0]}]
                    peer.ask(ElectLeadersRequest, version, f"{note}, type {kind}", election_type=kind,
                             topic_partitions=rows, timeout_ms=30000)  # fmt: skip


class _Isr:
    """The in-sync replicas of a topic's only partition, as their leader wants them."""

    def __init__(self, leader: Played, topic: Topic) -> None:
        self._leader, self._topic = leader, topic
        self.leader_epoch = self.partition_epoch = 0

    def ask(self, version: int, note: str, *isr: tuple[int, int], sender: Played | None = None, **more: Any) -> None:
        """`isr`: (broker, broker epoch). What the answer tells of the epochs counts from then on."""
        sender = sender or self._leader
        row = {"partition_index": 0, "leader_epoch": self.leader_epoch, "partition_epoch": self.partition_epoch,
               "new_isr": [broker for broker, _ in isr],
               "new_isr_with_epochs": [{"broker_id": b, "broker_epoch": e} for b, e in isr], **more}  # fmt: skip
        answer = sender.peer.ask(
            AlterPartitionRequest, version, note, broker_id=sender.broker_id, broker_epoch=sender.epoch,
            topics=[{"topic_id": self._topic.topic_id, "partitions": [row]}],
        )  # fmt: skip
        if answer.topics and not (told := answer.topics[0].partitions[0]).error_code:
            self.leader_epoch, self.partition_epoch = told.leader_epoch, told.partition_epoch


@case
def isr_changes_of_a_leader(run: Run) -> None:
    """What a leader may tell of its replicas that are in sync, and in which order its mistakes are told."""
    with another_broker(run, 92) as leader, another_broker(run, 93, brokers=3) as follower:
        topic = _create(run, leader.broker_id, follower.broker_id)
        fenced = _registered_only(run, leader.peer, 94)
        one, two = (leader.broker_id, leader.epoch), (follower.broker_id, follower.epoch)
        isr = _Isr(leader, topic)
        for version in leader.peer.versions(AlterPartitionRequest):
            at, changes = isr.leader_epoch, isr.partition_epoch
            isr.ask(version, "by the follower", one, two, sender=follower)
            isr.ask(version, "an old leader epoch", one, two, leader_epoch=at - 1)
            isr.ask(version, "a new leader epoch", one, two, leader_epoch=at + 1)
            isr.ask(version, "an old partition epoch", one, two, partition_epoch=changes - 1)
            isr.ask(version, "a new partition epoch", one, two, partition_epoch=changes + 1)
            isr.ask(version, "old epochs of both", one, two, leader_epoch=at - 1, partition_epoch=changes - 1)
            isr.ask(version, "without the leader", two)
            isr.ask(version, "a broker that has no replica", one, (run.target.node_id, -1))
            isr.ask(version, "a fenced broker that has no replica", one, (fenced, -1))
            isr.ask(version, "an unknown broker", one, (99, -1))
            isr.ask(version, "a replica twice", one, one)
            isr.ask(version, "an old epoch of the follower", one, (two[0], two[1] - 1))
            isr.ask(version, "a new epoch of the follower", one, (two[0], two[1] + 1))
            isr.ask(version, "recovering, several in sync", one, two, leader_recovery_state=1)
            isr.ask(version, "recovering, alone", one, leader_recovery_state=1)
            isr.ask(version, "nothing new", one, two)
            isr.ask(version, "shrunk", one)
            isr.ask(version, "shrunk, with the epoch before", one, partition_epoch=isr.partition_epoch - 1)
            isr.ask(version, "grown again", one, two)
        follower.beat(fenced=True)
        isr.partition_epoch += 1  # it has left the ISR
        for version in leader.peer.versions(AlterPartitionRequest):
            isr.ask(version, "with a fenced replica", one, two)
            isr.ask(version, "without it", one)
        run.quiet(UnregisterBrokerRequest, 0, broker_id=fenced)
        run.quiet(DeleteTopicsRequest, 5, topic_names=[topic.name], timeout_ms=30000)


def _registered_only(run: Run, peer: Peer, broker_id: int) -> int:
    """A broker that stays fenced; its id."""
    newest = peer.versions(BrokerRegistrationRequest)[-1]
    values = registration(run, broker_id, log_dirs=[bytes(15) + bytes([100 + broker_id])])
    peer.ask(BrokerRegistrationRequest, newest, "a fenced one", **values)
    return broker_id


@case
def reassignments(run: Run) -> None:
    """A replica is added on a broker that never fetches: under way until it is taken back."""
    with another_broker(run, 95) as other, _layout(run, other.broker_id) as layout:
        here, there, wide = run.target.node_id, other.broker_id, layout.led_here.name
        topic, second = _create(run, here), _create(run, here)
        for version in run.versions(AlterPartitionReassignmentsRequest):

            def ask(note: str, replicas: list[int] | None, name: str = topic.name,
                    version: int = version, **more: Any) -> None:  # fmt: skip
                row = {"partition_index": 0, "replicas": replicas}
                run.ask(AlterPartitionReassignmentsRequest, version, note, timeout_ms=30000,
                        topics=[{"name": name, "partitions": [row]}], **more)  # fmt: skip
                _listed(run, note)

            ask("another one beside", [here, there])
            ask("the same again", [here, there])
            ask("the other way round", [there, here])
            ask("moved away", [there])
            ask("another topic", [there], name=second.name)
            ask("taken back", None)
            ask("taken back twice", None)
            ask("more replicas, not allowed", [here, there], allow_replication_factor_change=False)
            ask("fewer replicas, not allowed", [here], name=wide, allow_replication_factor_change=False)
            ask("fewer replicas", [here], name=wide)
            ask("back to two", [here, there], name=wide)
            ask("taken back", None, name=second.name)
            ask("taken back", None, name=wide)
        run.quiet(DeleteTopicsRequest, 5, topic_names=[topic.name, second.name], timeout_ms=30000)


def _listed(run: Run, note: str) -> None:
    run.ask(ListPartitionReassignmentsRequest, 0, f"after {note}", topics=None, timeout_ms=30000)

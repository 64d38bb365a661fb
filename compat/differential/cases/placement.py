"""Where replicas are and who leads: ElectLeaders, reassignments, directories, brokers that are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compat.differential.cases import case
from compat.differential.run import Peer, Run
from klamm.kproto.messages.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from klamm.kproto.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest
from klamm.kproto.messages.elect_leaders import ElectLeadersRequest
from klamm.kproto.messages.list_partition_reassignments import ListPartitionReassignmentsRequest
from klamm.kproto.messages.unregister_broker import UnregisterBrokerRequest

Places = Sequence[tuple[str, Sequence[int]]]


def _places(name: str, other: str) -> tuple[tuple[str, Places], ...]:
    """What can be named in a request that lists partitions by topic."""
    return (
        ("one partition", [(name, [0])]),
        ("two partitions", [(name, [0, 1])]),
        ("two topics", [(name, [0]), (other, [0])]),
        ("no topic", []),
        ("no partition", [(name, [])]),
        ("unknown topic", [("no.such.topic", [0])]),
        ("empty name", [("", [0])]),
        ("invalid name", [("a/b", [0])]),
        ("unknown partition", [(name, [0, 9])]),
        ("negative partition", [(name, [-1])]),
        ("largest partition", [(name, [2**31 - 1])]),
        ("partition twice", [(name, [0, 0])]),
        ("topic twice", [(name, [0]), (name, [1])]),
        ("the same twice", [(name, [0]), (name, [0])]),
        ("known and unknown", [("no.such.topic", [0]), (name, [0, 9])]),
        ("internal topic", [("__consumer_offsets", [0])]),
        ("metadata topic", [("__cluster_metadata", [0])]),
    )


def _both(run: Run) -> tuple[Peer, Peer]:
    """The client of the broker, and one of the controller."""
    return run.client, run.controller()


@case
def elect_leaders(run: Run) -> None:
    name, other = run.topic(2).name, run.topic().name
    for peer in _both(run):
        for version in peer.versions(ElectLeadersRequest):
            for kind in (0, 1) if version else (0,):
                for note, places in _places(name, other):
                    rows = [{"topic": topic, "partitions": partitions} for topic, partitions in places]
                    peer.ask(ElectLeadersRequest, version, f"type {kind}, {note}", election_type=kind,
                             topic_partitions=rows, timeout_ms=30000)  # fmt: skip
            if version:
                for kind in (2, -1, 127):
                    rows = [{"topic": name, "partitions": [0]}]
                    peer.ask(ElectLeadersRequest, version, f"type {kind}", election_type=kind, topic_partitions=rows,
                             timeout_ms=30000)  # fmt: skip


@case
def elect_all_leaders(run: Run) -> None:
    """Nothing is to be done anywhere: the list of results is empty or not, but has no topics of other cases."""
    for version in run.versions(ElectLeadersRequest):
        for kind in (0, 1) if version else (0,):
            answer = run.quiet(
                ElectLeadersRequest, version, election_type=kind, topic_partitions=None, timeout_ms=30000
            )
            codes = {p.error_code for topic in answer.replica_election_results for p in topic.partition_result}
            run.record("ElectLeaders", version, f"all, type {kind}", [answer.error_code, sorted(codes)])


def _reassign(peer: Peer, version: int, note: str, *topics: tuple[str, list[tuple[int, list[int] | None]]],
              **more: Any) -> None:  # fmt: skip
    rows = [
        {"name": name, "partitions": [{"partition_index": i, "replicas": replicas} for i, replicas in partitions]}
        for name, partitions in topics
    ]
    peer.ask(AlterPartitionReassignmentsRequest, version, note, topics=rows, timeout_ms=30000, **more)


@case
def reassign(run: Run) -> None:
    for peer in _both(run):
        for version in peer.versions(AlterPartitionReassignmentsRequest):
            name, other = run.topic(2).name, run.topic().name
            for changes in (False, True) if version else (True,):
                for note, replicas in (
                    ("as it is", [1]), ("cancel", None), ("no replicas", []), ("unknown broker", [9]),
                    ("one more, unknown", [1, 9]), ("broker twice", [1, 1]), ("negative broker", [-1]),
                    ("largest broker id", [2**31 - 1]), ("a negative one more", [1, -2]),
                ):  # fmt: skip
                    allowed = {"allow_replication_factor_change": changes}
                    _reassign(peer, version, f"{note}, changes {changes}", (name, [(0, replicas)]), **allowed)
                for note, places in _places(name, other):
                    for what, to in (("moved", [1]), ("cancelled", None)):
                        rows = [(topic, [(i, to) for i in partitions]) for topic, partitions in places]
                        _reassign(peer, version, f"{note}, {what}, changes {changes}", *rows,
                                  allow_replication_factor_change=changes)  # fmt: skip
            _reassign(peer, version, "good and bad", (name, [(0, [1]), (1, [9])]), ("no.such.topic", [(0, None)]))


@case
def list_reassignments(run: Run) -> None:
    name, other = run.topic(2).name, run.topic().name
    for peer in _both(run):
        for version in peer.versions(ListPartitionReassignmentsRequest):
            peer.ask(ListPartitionReassignmentsRequest, version, "all", topics=None, timeout_ms=30000)
            for note, places in _places(name, other):
                rows = [{"name": topic, "partition_indexes": partitions} for topic, partitions in places]
                peer.ask(ListPartitionReassignmentsRequest, version, note, topics=rows, timeout_ms=30000)


@case
def alter_replica_log_dirs(run: Run) -> None:
    name, other = run.topic(2).name, run.topic().name
    own = str(run.target.data_dir)
    for version in run.versions(AlterReplicaLogDirsRequest):
        for path_note, path in (("own", own), ("unknown", "/no/such/directory"), ("empty", ""), ("relative", "data"),
                                ("own, with a slash", f"{own}/")):  # fmt: skip
            for note, places in _places(name, other):
                rows = [{"name": topic, "partitions": partitions} for topic, partitions in places]
                run.ask(AlterReplicaLogDirsRequest, version, f"{path_note} directory, {note}",
                        dirs=[{"path": path, "topics": rows}])  # fmt: skip
        run.ask(AlterReplicaLogDirsRequest, version, "no directory", dirs=[])
        run.ask(AlterReplicaLogDirsRequest, version, "directory without topics", dirs=[{"path": own, "topics": []}])
        one = {"name": name, "partitions": [0]}
        twice = [{"path": own, "topics": [one]}, {"path": "/no/such/directory", "topics": [one]}]
        run.ask(AlterReplicaLogDirsRequest, version, "one partition in two directories", dirs=twice)


@case
def unregister_broker(run: Run) -> None:
    for peer in _both(run):
        for version in peer.versions(UnregisterBrokerRequest):
            for broker in (9, 0, -1, 2**31 - 1, -(2**31)):
                peer.ask(UnregisterBrokerRequest, version, f"broker {broker}", broker_id=broker)

"""The metadata quorum: what its replicas ask each other, and the voters that tools add and remove."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import Peer, Run
from klamm.kproto.messages.add_raft_voter import AddRaftVoterRequest
from klamm.kproto.messages.begin_quorum_epoch import BeginQuorumEpochRequest
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest
from klamm.kproto.messages.end_quorum_epoch import EndQuorumEpochRequest
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.fetch_snapshot import FetchSnapshotRequest
from klamm.kproto.messages.remove_raft_voter import RemoveRaftVoterRequest
from klamm.kproto.messages.update_raft_voter import UpdateRaftVoterRequest
from klamm.kproto.messages.vote import VoteRequest
from klamm.kproto.schema import MISSING

METADATA = "__cluster_metadata"
NOBODY = b"\x22" * 16
"""A directory id that no voter has."""
LISTENER = {"name": "CONTROLLER", "host": "127.0.0.1", "port": 9}
METADATA_TOPIC_ID = bytes(15) + b"\1"


def cluster_id(run: Run) -> str:
    """The id of the cluster."""
    return str(run.quiet(DescribeClusterRequest, 0).cluster_id)


def _leader_epoch(run: Run) -> int:
    rows = [{"topic_name": METADATA, "partitions": [{"partition_index": 0}]}]
    return int(run.quiet(DescribeQuorumRequest, 0, topics=rows).topics[0].partitions[0].leader_epoch)


def _clusters(run: Run) -> tuple[tuple[str, str | None], ...]:
    return ("own cluster", cluster_id(run)), ("no cluster", None), ("another cluster", "AAAAAAAAAAAAAAAAAAAAAQ")


@case
def wrong_voters(run: Run) -> None:
    """Voters that are refused: a quorum of one keeps its voter."""
    for peer in (run.client, run.controller()):
        for version in peer.versions(AddRaftVoterRequest):
            for cluster_note, cluster in _clusters(run):
                for note, voter, directory, listeners in (
                    ("no listeners", 9, NOBODY, []),
                    ("listener of another name", 9, NOBODY, [{**LISTENER, "name": "OTHER"}]),
                    ("the voter there is", 1, NOBODY, [LISTENER]),
                    ("negative voter", -1, NOBODY, [LISTENER]),
                ):
                    if cluster_note != "another cluster" and note in ("negative voter", "the voter there is"):
                        continue  # the leader would ask that address for its versions, and wait
                    peer.ask(AddRaftVoterRequest, version, f"{note}, {cluster_note}", cluster_id=cluster,
                             voter_id=voter, voter_directory_id=directory, listeners=listeners,
                             timeout_ms=1000)  # fmt: skip
        for version in peer.versions(RemoveRaftVoterRequest):
            for cluster_note, cluster in _clusters(run):
                for voter in (9, 1, -1):
                    peer.ask(RemoveRaftVoterRequest, version, f"voter {voter}, {cluster_note}", cluster_id=cluster,
                             voter_id=voter, voter_directory_id=NOBODY)  # fmt: skip


@case
def wrong_updates(run: Run) -> None:
    peer = run.controller()
    for version in peer.versions(UpdateRaftVoterRequest):
        epoch = _leader_epoch(run)
        for cluster_note, cluster in _clusters(run):
            for note, voter, at, listeners, levels in (
                ("an unknown voter", 9, epoch, [LISTENER], (0, 1)),
                ("the voter with another directory", 1, epoch, [LISTENER], (0, 1)),
                ("epoch 0", 9, 0, [LISTENER], (0, 1)),
                ("a new epoch", 9, epoch + 5, [LISTENER], (0, 1)),
                ("no listeners", 9, epoch, [], (0, 1)),
                ("levels upside down", 9, epoch, [LISTENER], (1, 0)),
            ):
                feature = {"min_supported_version": levels[0], "max_supported_version": levels[1]}
                peer.ask(UpdateRaftVoterRequest, version, f"{note}, {cluster_note}", cluster_id=cluster,
                         current_leader_epoch=at, voter_id=voter, voter_directory_id=NOBODY, listeners=listeners,
                         k_raft_version_feature=feature)  # fmt: skip


def _topics(**partition: Any) -> tuple[tuple[str, list[dict[str, Any]]], ...]:
    """One partition, under right and wrong names of the topic."""
    one = {"partition_index": 0, **partition}
    return (
        ("the log", [{"topic_name": METADATA, "partitions": [one]}]),
        ("no topic", []),
        ("no partition", [{"topic_name": METADATA, "partitions": []}]),
        ("another topic", [{"topic_name": "other", "partitions": [one]}]),
        ("partition 1", [{"topic_name": METADATA, "partitions": [{**one, "partition_index": 1}]}]),
        ("twice", [{"topic_name": METADATA, "partitions": [one]}] * 2),
    )


@case
def votes(run: Run) -> None:
    """Votes of old epochs, of strangers and for others; none that would unseat the leader."""
    peer = run.controller()
    for version in peer.versions(VoteRequest):
        epoch = _leader_epoch(run)
        for cluster_note, cluster in _clusters(run):
            for at_note, at in (("epoch 0", 0), ("this epoch", epoch), ("negative epoch", -1)):
                for pre_vote in (False, True) if version >= 2 else (False,):
                    for note, topics in _topics(replica_epoch=at, replica_id=9, replica_directory_id=NOBODY,
                                                voter_directory_id=bytes(16), last_offset_epoch=0, last_offset=0,
                                                pre_vote=pre_vote):  # fmt: skip
                        peer.ask(VoteRequest, version, f"{note}, {at_note}, {cluster_note}, pre-vote {pre_vote}",
                                 cluster_id=cluster, voter_id=1, topics=topics)  # fmt: skip
        for note, change in (("negative candidate", {"replica_id": -1}), ("negative offset", {"last_offset": -1}),
                             ("another voter's directory", {"voter_directory_id": NOBODY}),
                             ("last epoch too high", {"last_offset_epoch": epoch + 9})):  # fmt: skip
            row = {"partition_index": 0, "replica_epoch": epoch, "replica_id": 9, "last_offset_epoch": 0,
                   "last_offset": 0, **change}  # fmt: skip
            topics = [{"topic_name": METADATA, "partitions": [row]}]
            peer.ask(VoteRequest, version, note, cluster_id=cluster_id(run), voter_id=1, topics=topics)
        row = {"partition_index": 0, "replica_epoch": epoch, "replica_id": 9, "last_offset_epoch": 0, "last_offset": 0}
        topics = [{"topic_name": METADATA, "partitions": [row]}]
        peer.ask(VoteRequest, version, "voter 7 is meant", cluster_id=cluster_id(run), voter_id=7, topics=topics)


@case
def epochs_of_others(run: Run) -> None:
    """Leaders that begin or end an epoch that is not later than this one."""
    peer = run.controller()
    for version in peer.versions(BeginQuorumEpochRequest):
        epoch = _leader_epoch(run)
        for cluster_note, cluster in _clusters(run):
            for at_note, at in (("epoch 0", 0), ("negative epoch", -1), ("this epoch, its leader", epoch)):
                leader = 1 if at == epoch else 9
                for note, topics in _topics(leader_id=leader, leader_epoch=at):
                    peer.ask(BeginQuorumEpochRequest, version, f"{note}, {at_note}, {cluster_note}", cluster_id=cluster,
                             voter_id=1, topics=topics, leader_endpoints=[LISTENER])  # fmt: skip
    for version in peer.versions(EndQuorumEpochRequest):
        epoch = _leader_epoch(run)
        for cluster_note, cluster in _clusters(run):
            for at_note, at in (("epoch 0", 0), ("negative epoch", -1)):
                for note, topics in _topics(leader_id=9, leader_epoch=at, preferred_successors=[9],
                                            preferred_candidates=[]):  # fmt: skip
                    peer.ask(EndQuorumEpochRequest, version, f"{note}, {at_note}, {cluster_note}", cluster_id=cluster,
                             topics=topics, leader_endpoints=[LISTENER])  # fmt: skip


@case
def snapshots(run: Run) -> None:
    """Snapshots that are not there, and requests that name the wrong log."""
    peer = run.controller()
    for version in peer.versions(FetchSnapshotRequest):
        epoch = _leader_epoch(run)
        for cluster_note, cluster in _clusters(run):
            for at_note, at in (("this epoch", epoch), ("epoch 0", 0), ("new epoch", epoch + 5)):
                snapshot = {"end_offset": 1_000_000, "epoch": 1}
                for note, topics in _topics(current_leader_epoch=at, snapshot_id=snapshot, position=0):
                    if note in ("no topic", "no partition"):
                        continue  # Kafka's controller looks for the first of them, finds none, and ends
                    rows = [
                        {"name": t["topic_name"], "partitions": [
                            {**{k: v for k, v in p.items() if k != "partition_index"},
                             "partition": p["partition_index"]} for p in t["partitions"]]}
                        for t in topics
                    ]  # fmt: skip
                    peer.ask(FetchSnapshotRequest, version, f"{note}, {at_note}, {cluster_note}", cluster_id=cluster,
                             replica_id=9, max_bytes=1000, topics=rows)  # fmt: skip


@case
def fetches(run: Run) -> None:
    """Observers that read the metadata log. What is in it is each broker's own: codes and kinds are compared."""
    peer = run.controller()
    for version in peer.versions(FetchRequest):
        epoch = _leader_epoch(run)
        for cluster_note, cluster in _clusters(run) if version >= 12 else (("no cluster", None),):
            for note, row in (
                ("from the beginning", {}),
                ("beyond the end", {"fetch_offset": 1_000_000}),
                ("negative offset", {"fetch_offset": -1}),
                ("epoch 0", {"current_leader_epoch": 0}),
                ("new epoch", {"current_leader_epoch": epoch + 5}),
                ("partition 1", {"partition": 1}),
                ("diverging", {"fetch_offset": 1, "last_fetched_epoch": 99}),
            ):
                partition = {"partition": 0, "current_leader_epoch": epoch, "fetch_offset": 0, "last_fetched_epoch": 0,
                             "partition_max_bytes": 1000, **row}  # fmt: skip
                topic = {"topic": METADATA, "topic_id": METADATA_TOPIC_ID, "partitions": [partition]}
                _fetch(peer, version, f"{note}, {cluster_note}", cluster, [topic])
            _fetch(peer, version, f"no topic, {cluster_note}", cluster, [])
            other = {"topic": "other", "topic_id": NOBODY, "partitions": [{"partition": 0, "partition_max_bytes": 9}]}
            _fetch(peer, version, f"another topic, {cluster_note}", cluster, [other])


def _fetch(peer: Peer, version: int, note: str, cluster: str | None, topics: list[dict[str, Any]]) -> None:
    peer.ask(FetchRequest, version, note, _fetched, cluster_id=cluster, replica_id=-1, max_wait_ms=0, min_bytes=0,
             max_bytes=1000, session_id=0, session_epoch=-1, topics=topics)  # fmt: skip


def _fetched(answer: Any) -> Any:
    return [
        answer.error_code,
        len(answer.node_endpoints),
        [
            [p.partition_index, p.error_code, bool(p.records), p.high_watermark > 0, p.log_start_offset,
             p.diverging_epoch is not MISSING, p.snapshot_id is not MISSING]
            for topic in answer.responses for p in topic.partitions
        ],
    ]  # fmt: skip

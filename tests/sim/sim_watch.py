"""What no client can see: who leads in which epoch, and whether what is committed is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from klamm.kproto.records import batches
from klamm.metadata.raft import elections, following
from klamm.metadata.raft.core import Role
from klamm.metadata.raft.leader import Leader

if TYPE_CHECKING:
    from klamm.metadata.image.image import MetadataImage
    from klamm.server.node import Node
    from tests.sim.sim_cluster import Machine, SimCluster

IMAGES_KEPT = 100
"""Who lags further behind is not compared."""


class Watch:
    """Looks at all running nodes; what must not be becomes a failure of the cluster."""

    def __init__(self, cluster: SimCluster) -> None:
        self.cluster = cluster
        self.controllers: dict[int, int] = {}
        """Raft epoch to its leader."""
        self.leaders: dict[tuple[bytes, int, int], int] = {}
        """(topic id, partition, leader epoch) to its leader."""
        self.committed = 0
        """The high watermark that leaders of the quorum have come to."""
        self._committed: dict[tuple[str, int], int] = {}
        self.snapshots_fetched = 0
        """How often a node has put a snapshot of the leader's in the place of its metadata log."""
        self._images: dict[int, tuple[str, MetadataImage]] = {}

    @contextmanager
    def quorum(self) -> Iterator[None]:
        """Note within what the quorum does between two looks: votes, also those that nobody has written down, how
        far its leaders commit, and snapshots that are fetched."""
        usual, usual_advance, usual_loaded = elections.vote, Leader.advance, following.snapshot_loaded

        def vote(raft: Any, request: Any, *rest: Any) -> Any:
            response = usual(raft, request, *rest)
            if response.vote_granted and not request.pre_vote:
                self.cluster.machines[raft.node_id].disk.voted(request.epoch, request.candidate.node_id)
            return response

        def advance(leader: Leader) -> bool:
            is_moved = usual_advance(leader)
            self.committed = max(self.committed, leader.high_watermark)
            return is_moved

        def loaded(*rest: Any) -> None:
            self.snapshots_fetched += 1
            usual_loaded(*rest)

        with (
            mock.patch.object(elections, "vote", vote),
            mock.patch.object(Leader, "advance", advance),
            mock.patch.object(following, "snapshot_loaded", loaded),
        ):
            yield

    def look(self) -> None:
        for machine in self.cluster.machines.values():
            if machine.node is not None and machine.is_serving:
                self._look_at(machine, machine.node)

    def _look_at(self, machine: Machine, node: Node) -> None:
        fail = self.cluster.fail
        raft = node.metadata.log.raft
        if raft.role is Role.LEADER:
            known = self.controllers.setdefault(raft.epoch, machine.node_id)
            if known != machine.node_id:
                fail(f"I9: epoch {raft.epoch} of the quorum has two leaders: {known}, {machine.node_id}")
        image = node.metadata.image
        life = machine.name, machine.lives
        if image.offset < self._committed.get(life, -1):
            fail(f"{machine.name}: the metadata goes back from {self._committed[life]} to {image.offset}")
        if image.offset == self._committed.get(life):
            return
        # Who is the only voter has committed what it has, also what a life before has left.
        if image.offset >= self.committed and not node.metadata.is_alone:
            fail(f"{machine.name}: takes in metadata up to {image.offset}, committed is what is below {self.committed}")
        self._committed[life] = image.offset
        self._compare_image(machine.name, image)
        for topic in image.topics.by_id.values():
            for index, partition in topic.partitions.items():
                if partition.leader < 0:
                    continue
                key = topic.topic_id, index, partition.leader_epoch
                if self.leaders.setdefault(key, partition.leader) != partition.leader:
                    fail(f"I9: {topic.name}-{index} has two leaders in epoch {partition.leader_epoch}")

    def _compare_image(self, name: str, image: MetadataImage) -> None:
        """However nodes have come to an offset, by records or by a snapshot, they believe the same there."""
        other, known = self._images.setdefault(image.offset, (name, image))
        if known != image:
            self.cluster.fail(f"I3: {other} and {name} believe other things at offset {image.offset} of the metadata")
        while len(self._images) > IMAGES_KEPT:
            del self._images[min(self._images)]

    def controller_id(self) -> int | None:
        """The node that is the active controller, as far as the nodes themselves know."""
        found = [
            (machine.node.metadata.log.raft.epoch, machine.node_id)
            for machine in self.cluster.machines.values()
            if machine.node is not None and machine.is_serving and machine.node.metadata.log.raft.role is Role.LEADER
        ]
        return max(found)[1] if found else None

    def missing_in_sync(self) -> str | None:
        """A partition whose ISR is not whole, in the latest image that a node has."""
        images = [machine.node.metadata.image for machine in self.cluster.machines.values() if machine.node is not None]
        image = max(images, key=lambda image: image.offset)
        for topic in image.topics.by_id.values():
            for index, partition in topic.partitions.items():
                if len(partition.isr) < len(partition.replicas):
                    return f"I10: the ISR of {topic.name}-{index} is {partition.isr}, its replicas {partition.replicas}"
        return None

    # -- at the end --

    def compare_metadata(self) -> None:
        """The committed part of the metadata log is the same everywhere."""
        logs = {}
        for machine in self.cluster.machines.values():
            assert machine.node is not None
            log = machine.node.log_dirs.metadata_log
            assert log is not None
            logs[machine.name] = _batches(log, machine.node.metadata.image.offset + 1)
        self._compare("the metadata log", logs)

    def compare_replicas(self) -> None:
        """Below the high watermark all replicas of a partition have the same batches."""
        brokers = self.cluster.brokers
        for key in sorted({key for machine in brokers for key in machine.node.log_dirs.logs}):  # type: ignore[union-attr]
            logs = {}
            for machine in brokers:
                assert machine.node is not None
                log = machine.node.log_dirs.logs.get(key)
                if log is not None:
                    logs[machine.name] = _batches(log, log.high_watermark)
            self._compare(f"{key[0]}-{key[1]}", logs)

    def _compare(self, what: str, logs: dict[str, dict[int, bytes]]) -> None:
        seen: dict[int, tuple[str, bytes]] = {}
        for name, rows in logs.items():
            for offset, data in rows.items():
                other, known = seen.setdefault(offset, (name, data))
                if known != data:
                    self.cluster.fail(f"I3: {what} at {offset} differs between {other} and {name}")
                    return


def _batches(log: Any, end: int) -> dict[int, bytes]:
    """The batches of a log below an offset, by their base offsets."""
    rows: dict[int, bytes] = {}
    offset = log.log_start_offset
    while offset < end:
        found = log.read(offset, 1 << 20, min_one=True, max_offset=end)
        data = memoryview(bytes(found.data))
        if not data:
            break
        for batch in batches(data):
            if batch.next_offset <= end:
                rows[batch.base_offset] = bytes(batch.view)
            offset = batch.next_offset
    return rows

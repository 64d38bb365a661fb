"""What must hold in a simulated quorum, looked at after every event. Knows nothing of how the core does it.

Logs are compared by chains: a batch is known by its base offset and epoch, and must have the same content and the same
batch before it in every log it is ever in. By induction, equal last batches are equal logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.metadata.raft.core import Became, Persist
from klamm.metadata.raft.exchange import Reply, Request, Send, Truncate
from klamm.metadata.raft.messages import FetchedBatch, VoteRequest, VoteResponse
from klamm.metadata.raft.roles import Role
from klamm.metadata.raft.voters import ReplicaKey, VoterSet

if TYPE_CHECKING:
    from klamm.metadata.raft.exchange import Effect, Input
    from tests.sim.raft_world import SimNode, World

Key = tuple[int, int]
"""A batch: (base offset, epoch)."""


class Violation(Exception):
    """An invariant does not hold."""


def key_of(batch: FetchedBatch) -> Key:
    return batch.base_offset, batch.epoch


class Checker:
    """One for a run; lives through crashes."""

    def __init__(self) -> None:
        self.leaders: dict[int, tuple[int, int]] = {}
        self.votes: dict[tuple[ReplicaKey, int], ReplicaKey] = {}
        self.chain: dict[Key, tuple[object, Key | None]] = {}
        self.committed: dict[int, Key] = {}
        self.committed_in: dict[int, int] = {}
        """The epoch of the leader that committed it."""
        self.committed_end = 0
        self.commits = 0

    # -- elections --

    def became(self, node: SimNode, effect: Became) -> None:
        if effect.role is Role.CANDIDATE:
            self.voted(node, effect.epoch, node.key)
        if effect.role is not Role.LEADER:
            return
        life = (node.node_id, node.life)
        if self.leaders.setdefault(effect.epoch, life) != life:
            raise Violation(f"election safety: {life} and {self.leaders[effect.epoch]} lead in epoch {effect.epoch}")
        # A late answer may still elect a leader of an old epoch: what later ones have committed is not for it.
        earlier = [key for base, key in self.committed.items() if self.committed_in[base] < effect.epoch]
        last = max(earlier, default=(-1, -1))
        if last[0] >= node.log_start and not any(key_of(batch) == last for batch in reversed(node.log)):
            raise Violation(f"leader completeness: node {node.node_id} leads without the committed {last}")

    def voted(self, node: SimNode, epoch: int, candidate: ReplicaKey) -> None:
        before = self.votes.setdefault((node.key, epoch), candidate)
        if before != candidate:
            raise Violation(f"one vote in an epoch: node {node.node_id}, epoch {epoch}: {before}, then {candidate}")

    def answered(self, node: SimNode, request: object, effect: Reply) -> None:
        response = effect.message
        if not isinstance(request, VoteRequest) or not isinstance(response, VoteResponse):
            return
        if response.vote_granted and not request.pre_vote:
            self.voted(node, request.epoch, request.candidate)
            stored = node.election
            if (stored.epoch, stored.voted_id) != (request.epoch, request.candidate.node_id):
                raise Violation(f"persist before the answer: node {node.node_id} has {stored} on its disk")

    def pre_vote_changes_nothing(self, node: SimNode, event: Input, was_due: bool, effects: list[Effect]) -> None:
        if was_due or not isinstance(event, Request) or not isinstance(event.message, VoteRequest):
            return
        request = event.message
        if request.pre_vote and request.epoch <= node.epoch_before:
            for effect in effects:
                if isinstance(effect, Persist | Became):
                    raise Violation(f"a PreVote changes nothing: node {node.node_id} did {effect}")

    # -- logs --

    def appended(self, node: SimNode, batch: FetchedBatch) -> None:
        if node.log:
            before: Key | None = key_of(node.log[-1])
            if node.log[-1].epoch > batch.epoch:
                raise Violation(f"epochs rise: node {node.node_id} appends {key_of(batch)} behind {before}")
        else:
            before = None
        content = batch.data
        known = self.chain.get(key_of(batch))
        if known is None:
            self.chain[key_of(batch)] = (content, before)
        elif known[0] != content:
            raise Violation(f"log matching: {key_of(batch)} is {known[0]} and {content}")
        elif before is not None and known[1] is not None and known[1] != before:
            raise Violation(f"log matching: before {key_of(batch)} stand {known[1]} and {before}")
        elif known[1] is None:
            self.chain[key_of(batch)] = (content, before)

    def truncating(self, node: SimNode, effect: Truncate) -> None:
        if node.role is Role.LEADER:
            raise Violation(f"leader append-only: node {node.node_id} cuts at {effect.offset}")
        if not effect.is_full and effect.offset < node.committed_end:
            raise Violation(f"node {node.node_id} cuts at {effect.offset} below its commit {node.committed_end}")

    def committing(self, world: World, node: SimNode, offset: int) -> None:
        if offset <= node.committed_end:
            raise Violation(f"the high watermark goes back: node {node.node_id}: {node.committed_end} -> {offset}")
        if offset > node.log_end:
            raise Violation(f"node {node.node_id} commits up to {offset}, its log ends at {node.log_end}")
        is_leader = node.role is Role.LEADER
        last: FetchedBatch | None = None
        for batch in node.log:
            if batch.next_offset <= node.committed_end or batch.base_offset >= offset:
                continue
            if batch.next_offset > offset:
                raise Violation(f"a commit within a batch: {offset} in {key_of(batch)}")
            known = self.committed.get(batch.base_offset)
            if known is not None and known != key_of(batch):
                raise Violation(f"committed prefix: node {node.node_id} has {key_of(batch)}, committed was {known}")
            if known is None:
                if not is_leader:
                    raise Violation(f"node {node.node_id} applies {key_of(batch)} that no leader has committed")
                self.committed[batch.base_offset] = key_of(batch)
                self.committed_in[batch.base_offset] = node.role_epoch
            last = batch
        if offset > self.committed_end:
            self.committed_end = offset
            self.commits += 1
            if last is not None and node.raft is not None:
                self._durable_on_a_majority(world, node, last)

    def _durable_on_a_majority(self, world: World, node: SimNode, last: FetchedBatch) -> None:
        assert node.raft is not None
        if last.epoch != node.role_epoch:
            raise Violation(f"the leader of epoch {node.role_epoch} commits {key_of(last)} by counting")
        voters = node.raft.voters.voters
        holding = sum(
            world.nodes[voter.node_id].has_durable(last)
            for voter in voters
            if voter.node_id in world.nodes and voter.matches(world.nodes[voter.node_id].key)
        )
        if holding <= len(voters) // 2:
            raise Violation(f"{key_of(last)} is committed and on {holding} disks of {len(voters)}")

    # -- voters --

    def voters_written(self, node: SimNode, before: VoterSet, before_offset: int | None, after: VoterSet) -> None:
        ours, theirs = {voter.key for voter in before.voters}, {voter.key for voter in after.voters}
        if (
            ours == theirs
            or before_offset is None
            or {voter.node_id for voter in before.voters} == {key.node_id for key in theirs}
        ):
            return
        if before_offset >= self.committed_end:
            raise Violation(f"one voter change at a time: {sorted(theirs)} behind {sorted(ours)}, which may be lost")
        if len(ours - theirs) > 1 or len(theirs - ours) > 1:
            raise Violation(f"majorities need not overlap: {sorted(ours)} -> {sorted(theirs)}")

    def sending(self, node: SimNode, effect: Send) -> None:
        request = effect.message
        if isinstance(request, VoteRequest) and not request.pre_vote and node.election.epoch < request.epoch:
            raise Violation(f"node {node.node_id} stands in epoch {request.epoch}, its disk says {node.election}")

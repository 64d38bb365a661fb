"""Replicas in every role, for tables of inputs and effects: node 1 of three voters, at time 0."""

from __future__ import annotations

from collections.abc import Sequence

from klamm.metadata.raft.core import Raft, RaftSettings, Started, Synced, Tick
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.exchange import Effect, Input, Request, Response, Send
from klamm.metadata.raft.history import BOOTSTRAP_OFFSET, QuorumHistory
from klamm.metadata.raft.log_index import LogIndex, OffsetAndEpoch
from klamm.metadata.raft.messages import (
    BeginQuorumEpochRequest,
    FetchRequest,
    LeaderHint,
    RaftRequest,
    RaftResponse,
    VoteRequest,
    VoteResponse,
)
from klamm.metadata.raft.voters import ReplicaKey, Voter, VoterEndpoint, VoterSet

LISTENER = "CONTROLLER"


class Middle:
    """Entropy that always draws the middle."""

    def uuid(self) -> bytes:
        return bytes(16)

    def random(self) -> float:
        return 0.5

    def randrange(self, stop: int) -> int:
        return stop // 2


def key(node_id: int) -> ReplicaKey:
    return ReplicaKey(node_id, bytes([node_id % 256] * 16))


def endpoint(node_id: int, port: int = 9093) -> VoterEndpoint:
    return VoterEndpoint(LISTENER, f"n{node_id}", port)


def voter(node_id: int) -> Voter:
    return Voter(*key(node_id), (endpoint(node_id),))


def voters(*node_ids: int) -> VoterSet:
    return VoterSet.of(voter(node_id) for node_id in node_ids)


class Quorum:
    """Node 1 and what it says. Its log: offsets 0-9 of epoch 1, 10-14 of epoch 3, all synced."""

    def __init__(
        self,
        voter_ids: Sequence[int] = (1, 2, 3),
        *,
        election: ElectionState = ElectionState(3),  # noqa: B008
        epochs: Sequence[tuple[int, int]] = ((1, 0), (3, 10)),
        end_offset: int = 15,
        start_offset: int = 0,
        snapshots: dict[OffsetAndEpoch, int] | None = None,
        node_id: int = 1,
        kraft_version: int = 1,
        settings: RaftSettings = RaftSettings(),  # noqa: B008
        voters_offset: int = 0,
    ) -> None:
        chosen = voters(*voter_ids)
        if kraft_version:
            history = QuorumHistory()
            history.load(voters_offset if end_offset else BOOTSTRAP_OFFSET, kraft_version, chosen)
        else:
            history = QuorumHistory(VoterSet.of(v._replace(directory_id=bytes(16)) for v in chosen.voters))
        self.raft = Raft(
            *key(node_id),
            history=history,
            election=election,
            log=LogIndex(start_offset, end_offset, epochs if end_offset else (), snapshots),
            settings=settings,
            entropy=Middle(),
            endpoints=(endpoint(node_id),),
            bootstrap_servers=[("n2", 9093), ("n3", 9093)],
        )
        self.now_ms = 0.0
        self.effects: list[Effect] = []
        self._request_id = 1000
        self.step(Started())

    def step(self, event: Input) -> list[Effect]:
        self.effects = self.raft.step(self.now_ms, event)
        return self.effects

    def wait(self, ms: float) -> list[Effect]:
        self.now_ms += ms
        return self.step(Tick())

    def ask(self, message: RaftRequest) -> list[Effect]:
        """A request of somebody else."""
        self._request_id += 1
        return self.step(Request(self._request_id, message))

    def sent(self) -> list[Send]:
        return [effect for effect in self.effects if isinstance(effect, Send)]

    def answer(self, message: RaftResponse, node_id: int | None = None) -> list[Effect]:
        """The answer to the request that the last step sent (to that node)."""
        [send] = [s for s in self.sent() if node_id is None or s.node.node_id == node_id]
        return self.step(Response(send.request_id, message))

    # -- into each role --

    def follower(self) -> Quorum:
        self.ask(BeginQuorumEpochRequest(key(1), 2, 4, (endpoint(2),)))
        return self

    def prospective(self) -> Quorum:
        self.wait(1600)
        return self

    def candidate(self) -> Quorum:
        self.prospective()
        granted = VoteResponse(LeaderHint(-1, self.raft.epoch), True)
        self.answer(granted, 2)
        return self

    def leader(self) -> Quorum:
        self.candidate()
        self.answer(VoteResponse(LeaderHint(-1, self.raft.epoch), True), 2)
        self.step(Synced(self.raft.end_offset))
        return self

    def committed_leader(self) -> Quorum:
        """A leader whose epoch has a high watermark: node 2 has all of it."""
        self.leader()
        self.fetch(2)
        return self

    def fetch(self, node_id: int, offset: int | None = None, max_wait_ms: int = 0) -> list[Effect]:
        raft = self.raft
        end = raft.end_offset if offset is None else offset
        epoch = raft.log.epochs.epoch_for(max(end - 1, 0))
        return self.ask(FetchRequest(key(node_id), raft.epoch, end, max(epoch, 0), -1, max_wait_ms))


def vote(
    epoch: int,
    *,
    candidate: int = 2,
    last: tuple[int, int] = (15, 3),
    pre_vote: bool = False,
    to: ReplicaKey | None = None,
) -> VoteRequest:
    """A Vote for node 1 from a candidate whose log ends as `last` (offset, epoch) says."""
    return VoteRequest(to or key(1), epoch, key(candidate), last[1], last[0], pre_vote)

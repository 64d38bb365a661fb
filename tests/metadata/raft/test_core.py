"""The Raft core of a quorum of one: inputs and the effects they give, in their order."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import records
from klamm.metadata.raft.core import (
    Append,
    AppendControl,
    Became,
    Commit,
    NotLeader,
    Persist,
    Propose,
    Raft,
    Resign,
    Role,
    Started,
    Synced,
    UpdateVoter,
)
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.raft.history import BOOTSTRAP_OFFSET, QuorumHistory
from klamm.metadata.raft.log_index import LogIndex
from klamm.metadata.raft.voters import Voter, VoterEndpoint, VoterSet

DIRECTORY = b"d" * 16
HERE = Voter(1, DIRECTORY, (VoterEndpoint("CONTROLLER", "h", 1),))


def raft(
    voters: VoterSet = VoterSet((HERE,)),  # noqa: B008
    *,
    kraft_version: int = 1,
    has_voters_in_log: bool = False,
    epoch: int = 0,
    end_offset: int = 0,
) -> Raft:
    history = QuorumHistory()
    history.load(0 if has_voters_in_log else BOOTSTRAP_OFFSET, kraft_version, voters)
    log = LogIndex(0, end_offset, [(epoch, 0)] if end_offset else [])
    return Raft(1, DIRECTORY, history=history, election=ElectionState(epoch), log=log)


def kinds(effect: Any) -> list[int]:
    assert isinstance(effect, AppendControl)
    return [kind for kind, _ in effect.records]


def test_first_election_persists_before_it_appends() -> None:
    core = raft()
    effects = core.step(0, Started())
    assert effects[:2] == [Became(Role.CANDIDATE, 1, -1), Persist(ElectionState(1, 1))]
    assert kinds(effects[2]) == [
        records.CONTROL_LEADER_CHANGE,
        records.CONTROL_KRAFT_VERSION,
        records.CONTROL_KRAFT_VOTERS,
    ]
    assert effects[3:] == [Became(Role.LEADER, 1, 1)]
    assert (core.role, core.epoch, core.end_offset, core.high_watermark) == (Role.LEADER, 1, 3, 0)


@pytest.mark.parametrize("changes", [{"has_voters_in_log": True}, {"kraft_version": 0}])
def test_voters_are_written_once_and_only_when_dynamic(changes: dict[str, Any]) -> None:
    effects = raft(**changes, epoch=4, end_offset=9).step(0, Started())
    assert effects[1] == Persist(ElectionState(5, 1))
    assert kinds(effects[2]) == [records.CONTROL_LEADER_CHANGE]


@pytest.mark.parametrize(
    "voters",
    [
        VoterSet(()),
        VoterSet((Voter(2, DIRECTORY, ()),)),
        VoterSet((Voter(1, b"e" * 16, ()),)),
        VoterSet((HERE, Voter(2, b"e" * 16, ()))),
    ],
)
def test_no_election_by_whoever_is_not_the_whole_quorum(voters: VoterSet) -> None:
    core = raft(voters)
    assert core.step(0, Started()) == [Became(Role.UNATTACHED, 0, -1)]
    with pytest.raises(NotLeader):
        core.step(0, Propose(b"batch", 1))


def test_static_voter_matches_any_directory() -> None:
    assert raft(VoterSet((Voter(1, bytes(16), ()),)), kraft_version=0).step(0, Started())[-1] == Became(
        Role.LEADER, 1, 1
    )


def test_commit_needs_a_record_of_the_own_epoch() -> None:
    core = raft(end_offset=10, epoch=1, has_voters_in_log=True)
    core.step(0, Started())
    assert core.step(0, Synced(10)) == [], "all of it is of earlier epochs"
    assert core.step(0, Synced(11)) == [Commit(11)]
    assert core.step(0, Synced(11)) == [] and core.step(0, Synced(5)) == [], "the high watermark never goes back"


def test_propose_counts_the_offsets() -> None:
    core = raft()
    core.step(0, Started())
    assert core.step(0, Propose(b"batch", 2)) == [Append(1, b"batch")]
    assert core.end_offset == 5


def test_resigned_leader_appends_and_commits_nothing() -> None:
    core = raft()
    core.step(0, Started())
    assert core.step(0, Resign()) == [Became(Role.RESIGNED, 1, 1)]
    assert core.step(0, Synced(3)) == []
    with pytest.raises(NotLeader):
        core.step(0, Propose(b"batch", 1))


def test_voter_that_moved() -> None:
    core = raft()
    core.step(0, Started())
    assert core.step(0, UpdateVoter(HERE)) == []
    moved = HERE._replace(endpoints=(VoterEndpoint("CONTROLLER", "h", 2),))
    [effect] = core.step(0, UpdateVoter(moved))
    assert kinds(effect) == [records.CONTROL_KRAFT_VOTERS]
    assert core.voters == VoterSet((moved,)) and core.end_offset == 4

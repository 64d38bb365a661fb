"""The quorum-state file, in both of Kafka's forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from klamm.metadata.raft.election_state import ElectionState, InvalidQuorumState, decode, encode

DATA = Path(__file__).resolve().parents[2] / "data" / "metadata_log" / "quorum-state"


def test_file_of_a_real_node() -> None:
    data = DATA.read_bytes()
    state = decode(data)
    assert state.leader_id == 1 and state.voted_id == -1
    assert encode(state, 1) == data


def test_form_of_static_voters() -> None:
    data = encode(ElectionState(3, -1, 2), 0, (1, 2))
    assert data == (
        b'{"clusterId":"","leaderId":-1,"leaderEpoch":3,"votedId":2,"appliedOffset":0,'
        b'"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0}'
    )
    assert decode(data) == ElectionState(3, -1, 2)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"data_version":2,"leaderEpoch":1}', b'{"data_version":1}'])
def test_damaged_files(data: bytes) -> None:
    with pytest.raises(InvalidQuorumState, match="here"):
        decode(data, "here")

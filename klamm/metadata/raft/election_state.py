"""The `quorum-state` file: the epoch this replica has reached, whom it voted for, who leads.

One line of JSON. It must be on the disk before anything that depends on it is said or written.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from klamm.kproto.uuids import ZERO, uuid_bytes, uuid_text

FILE = "quorum-state"
NOBODY = -1


class ElectionState(NamedTuple):
    """`leader_id` and `voted_id` are -1 when unknown or nobody; `voted_directory_id` goes with the vote."""

    epoch: int
    leader_id: int = NOBODY
    voted_id: int = NOBODY
    voted_directory_id: bytes = ZERO


class InvalidQuorumState(Exception):
    """A quorum-state file that cannot be used, in words for the person who starts the node."""


def encode(state: ElectionState, kraft_version: int, voter_ids: tuple[int, ...] = ()) -> bytes:
    """The file: form 0 with static voters (their ids are in it), form 1 with dynamic ones."""
    if kraft_version == 0:
        row: dict[str, object] = {
            "clusterId": "",
            "leaderId": state.leader_id,
            "leaderEpoch": state.epoch,
            "votedId": state.voted_id,
            "appliedOffset": 0,
            "currentVoters": [{"voterId": voter_id} for voter_id in voter_ids],
            "data_version": 0,
        }
    else:
        row = {
            "leaderId": state.leader_id,
            "leaderEpoch": state.epoch,
            "votedId": state.voted_id,
            "votedDirectoryId": uuid_text(state.voted_directory_id),
            "data_version": 1,
        }
    return json.dumps(row, separators=(",", ":")).encode()


def decode(data: bytes, path: str = FILE) -> ElectionState:
    """Raises InvalidQuorumState."""
    try:
        row = json.loads(data)
        if row["data_version"] not in (0, 1):
            raise InvalidQuorumState(f"{path}: data_version {row['data_version']}, known are 0 and 1")
        directory_id = uuid_bytes(row["votedDirectoryId"]) if "votedDirectoryId" in row else ZERO
        return ElectionState(int(row["leaderEpoch"]), int(row["leaderId"]), int(row["votedId"]), directory_id)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidQuorumState(f"{path}: {error!r}") from None

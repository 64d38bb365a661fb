"""What the metadata log of one node tells of the quorum: its voter sets, and who elected the last leader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from klamm.kproto import records
from klamm.kproto.control_records import KRaftVersionRecord, LeaderChangeMessage, VotersRecord

_LOG = "__cluster_metadata-0"


def voter_records(data_dir: Path) -> list[str]:
    """In the order of the log. Directories of one node are its 1st, 2nd, ..., as they first appear."""
    directories: dict[int, list[bytes]] = {}
    told = []
    for kind, body in _control_records(data_dir / _LOG):
        if kind == records.CONTROL_KRAFT_VERSION:
            version = KRaftVersionRecord.decode(body, 0)
            told.append(f"kraft.version {version.k_raft_version}, version {version.version}")
        elif kind == records.CONTROL_KRAFT_VOTERS:
            voters = VotersRecord.decode(body, 0)
            told.append(f"voters, version {voters.version}: " + "; ".join(_voters(voters, directories)))
    return told


def last_leader(data_dir: Path) -> str:
    """The last LeaderChange, without the leader: the voters and those that voted for him."""
    bodies = [body for kind, body in _control_records(data_dir / _LOG) if kind == records.CONTROL_LEADER_CHANGE]
    change = LeaderChangeMessage.decode(bodies[-1], 0)
    # Kafka has them in sets, hence in any order.
    voters, granting = (
        ",".join(sorted(str(voter.voter_id) for voter in rows)) for rows in (change.voters, change.granting_voters)
    )
    return f"leader change, version {change.version}: {granting} of {voters}"


def _voters(record: VotersRecord, directories: dict[int, list[bytes]]) -> Iterator[str]:
    # The module has two structs of that name, and mypy takes the outer one.
    voters = cast("list[VotersRecord.Voter]", record.voters)
    for voter in sorted(voters, key=lambda voter: voter.voter_id):
        seen = directories.setdefault(voter.voter_id, [])
        if voter.voter_directory_id not in seen:
            seen.append(voter.voter_directory_id)
        number = seen.index(voter.voter_directory_id) + 1
        where = ",".join(f"{e.name}://{e.host}:{e.port}" for e in voter.endpoints)
        levels = voter.k_raft_version_feature
        yield (
            f"{voter.voter_id} directory {number} {where} "
            f"kraft.version {levels.min_supported_version}-{levels.max_supported_version}"
        )


def _control_records(directory: Path) -> Iterator[tuple[int, bytes]]:
    for file in sorted(directory.glob("*.log")):
        for batch in records.batches(file.read_bytes()):
            if batch.is_control:
                for record in records.iter_records(batch):
                    yield records.control_type(record.key), record.value or b""

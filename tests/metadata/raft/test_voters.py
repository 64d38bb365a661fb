"""Voter sets and their record."""

from __future__ import annotations

from klamm.kproto.control_records import VotersRecord
from klamm.metadata.image.cluster import VersionRange
from klamm.metadata.raft.voters import Voter, VoterEndpoint, VoterSet

ONE = Voter(1, b"a" * 16, (VoterEndpoint("C", "h", 1),), VersionRange(0, 1))
TWO = Voter(2, b"b" * 16, (), VersionRange(0, 1))


def test_record_both_ways() -> None:
    voters = VoterSet.of([TWO, ONE])
    record = VotersRecord.decode(voters.to_record().encode(0), 0)
    assert VoterSet.from_record(record) == VoterSet((ONE, TWO))


def test_replace_and_look_up() -> None:
    moved = ONE._replace(directory_id=b"c" * 16)
    voters = VoterSet.of([ONE, TWO]).replace(moved)
    assert voters == VoterSet((moved, TWO))
    assert voters.voter(1) == moved and voters.voter(3) is None


def test_only_voter() -> None:
    assert VoterSet((ONE,)).is_only(1, ONE.directory_id)
    assert not VoterSet((ONE,)).is_only(1, TWO.directory_id)
    assert not VoterSet((ONE, TWO)).is_only(1, ONE.directory_id)

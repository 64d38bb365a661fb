"""Who votes: the voter set of a KRaft quorum, static (kraft.version 0) or dynamic (KIP-853, kraft.version 1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from klamm.kproto.control_records import VotersRecord
from klamm.kproto.uuids import ZERO
from klamm.metadata.features import KRAFT_VERSION, SUPPORTED
from klamm.metadata.image.cluster import VersionRange


class VoterEndpoint(NamedTuple):
    """Where a voter's controller listener is."""

    name: str
    host: str
    port: int


class Voter(NamedTuple):
    """`directory_id` tells apart a voter and a later one of the same id on a new disk; zero with static voters."""

    node_id: int
    directory_id: bytes
    endpoints: tuple[VoterEndpoint, ...]
    kraft_versions: VersionRange = SUPPORTED[KRAFT_VERSION]


class VoterSet(NamedTuple):
    """All voters, by ascending id."""

    voters: tuple[Voter, ...]

    @classmethod
    def of(cls, voters: Iterable[Voter]) -> VoterSet:
        return cls(tuple(sorted(voters)))

    @classmethod
    def from_record(cls, record: VotersRecord) -> VoterSet:
        return cls.of(
            Voter(
                v.voter_id,
                v.voter_directory_id,
                tuple(VoterEndpoint(e.name, e.host, e.port) for e in v.endpoints),
                VersionRange(
                    v.k_raft_version_feature.min_supported_version, v.k_raft_version_feature.max_supported_version
                ),
            )
            # The struct, not the module's namesake that LeaderChange uses.
            for v in cast(list[VotersRecord.Voter], record.voters)
        )

    def to_record(self) -> VotersRecord:
        row = VotersRecord.Voter
        voters: Any = [
            row(
                voter_id=voter.node_id,
                voter_directory_id=voter.directory_id,
                endpoints=[row.Endpoint(name=e.name, host=e.host, port=e.port) for e in voter.endpoints],
                k_raft_version_feature=row.KRaftVersionFeature(
                    min_supported_version=voter.kraft_versions.min_version,
                    max_supported_version=voter.kraft_versions.max_version,
                ),
            )
            for voter in self.voters
        ]
        return VotersRecord(version=0, voters=voters)

    def voter(self, node_id: int) -> Voter | None:
        return next((voter for voter in self.voters if voter.node_id == node_id), None)

    def is_only(self, node_id: int, directory_id: bytes) -> bool:
        """Whether that replica is the whole quorum. A static voter has no directory id and matches any."""
        return (
            len(self.voters) == 1
            and self.voters[0].node_id == node_id
            and (self.voters[0].directory_id in (directory_id, ZERO))
        )

    def replace(self, voter: Voter) -> VoterSet:
        """The set with `voter` in the place of the one with the same id."""
        return VoterSet.of([*(v for v in self.voters if v.node_id != voter.node_id), voter])

"""Who votes: the voter set of a KRaft quorum, static (kraft.version 0) or dynamic (KIP-853, kraft.version 1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from klamm.kproto.control_records import VotersRecord
from klamm.kproto.uuids import ZERO, uuid_text
from klamm.metadata.features import KRAFT_VERSION, SUPPORTED
from klamm.metadata.image.cluster import VersionRange


class VoterEndpoint(NamedTuple):
    """Where a voter's controller listener is."""

    name: str
    host: str
    port: int


def endpoint_of(endpoints: Iterable[VoterEndpoint], listener_name: str) -> VoterEndpoint | None:
    """The endpoint of that listener."""
    return next((endpoint for endpoint in endpoints if endpoint.name == listener_name), None)


class ReplicaKey(NamedTuple):
    """A replica: its node and the directory it stands in; zero when that is not known."""

    node_id: int
    directory_id: bytes = ZERO

    def __str__(self) -> str:
        """As Kafka's tools show it."""
        directory = "<undefined>" if self.directory_id == ZERO else uuid_text(self.directory_id)
        return f"ReplicaKey(id={self.node_id}, directoryId={directory})"


class Voter(NamedTuple):
    """`directory_id` tells apart a voter and a later one of the same id on a new disk; zero with static voters."""

    node_id: int
    directory_id: bytes
    endpoints: tuple[VoterEndpoint, ...]
    kraft_versions: VersionRange = SUPPORTED[KRAFT_VERSION]

    @property
    def key(self) -> ReplicaKey:
        return ReplicaKey(self.node_id, self.directory_id)

    def matches(self, key: ReplicaKey) -> bool:
        """Whether `key` is this voter. A static voter has no directory id and matches any."""
        return self.node_id == key.node_id and self.directory_id in (key.directory_id, ZERO)


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

    @property
    def ids(self) -> list[int]:
        return [voter.node_id for voter in self.voters]

    @property
    def keys_text(self) -> str:
        """All voters for an error message."""
        return f"[{', '.join(str(voter.key) for voter in self.voters)}]"

    def is_voter(self, key: ReplicaKey) -> bool:
        """Whether that replica votes."""
        voter = self.voter(key.node_id)
        return voter is not None and voter.matches(key)

    def endpoints(self, node_id: int) -> tuple[VoterEndpoint, ...]:
        """Where that voter listens; empty for others."""
        voter = self.voter(node_id)
        return () if voter is None else voter.endpoints

    def is_only(self, node_id: int, directory_id: bytes) -> bool:
        """Whether that replica is the whole quorum."""
        return len(self.voters) == 1 and self.voters[0].matches(ReplicaKey(node_id, directory_id))

    def needs_update(self, voter: Voter) -> bool:
        """Whether `voter` is in the set with other endpoints or versions."""
        known = self.voter(voter.node_id)
        return known is not None and known.matches(voter.key) and known != voter

    def replace(self, voter: Voter) -> VoterSet:
        """The set with `voter` in the place of the one with the same id, or added."""
        return VoterSet.of([*(v for v in self.voters if v.node_id != voter.node_id), voter])

    def without(self, key: ReplicaKey) -> VoterSet | None:
        """The set without that voter; None if it is not in it, or is the last."""
        voter = self.voter(key.node_id)
        if voter is None or voter.key != key or len(self.voters) == 1:
            return None
        return VoterSet.of(v for v in self.voters if v.node_id != key.node_id)

"""What a node's configuration means for its part in the metadata: plain values, where no configuration is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from klamm.metadata.controller.elections import ElectionSettings
from klamm.metadata.controller.topics import TopicDefaults
from klamm.metadata.image.cluster import Endpoint
from klamm.metadata.node_metadata import MetadataSettings
from klamm.metadata.raft.core import RaftSettings
from klamm.metadata.raft.voters import Voter, VoterEndpoint
from klamm.metadata.snapshots import SnapshotSettings
from klamm.server.config.listeners import SECURITY_PROTOCOLS

if TYPE_CHECKING:
    from klamm.metadata.image.image import MetadataImage
    from klamm.server.config.broker_config import BrokerConfig
    from klamm.server.settings import Settings


def is_standalone(config: BrokerConfig) -> bool:
    """Whether directories that are not formatted begin a quorum of this node alone.

    Where the voters are fixed, or other servers are named to begin with, the quorum is theirs.
    """
    if "controller" not in config.roles or config.quorum_voters:
        return False
    own = {
        0,
        *(endpoint.port for endpoint in config.listeners.controller),
    }  # port 0 is the node itself, see profiles.py
    return all(server.port in own for server in config.quorum_bootstrap_servers)


def controller_endpoints(config: BrokerConfig, drawn: Mapping[str, int] | None = None) -> tuple[Endpoint, ...]:
    """What is told of this node's controller listeners. `drawn`: ports that the system gave, by the listener's name;
    a listener on port 0 that has none yet is left out.
    """
    bound = {endpoint.name: endpoint for endpoint in config.listeners.controller}
    return tuple(
        Endpoint(e.name, e.host or bound[e.name].host or "localhost", port, SECURITY_PROTOCOLS[e.security_protocol])
        for e in config.listeners.advertised_controller
        if e.name in bound and (port := e.port or (drawn or {}).get(e.name, 0))
    )


def cordoned_paths(settings: Settings, image: MetadataImage, log_dirs: Iterable[str]) -> frozenset[str]:
    """`cordoned.log.dirs` as it is in force; `*` stands for all of `log_dirs`."""
    value = settings.broker(image, "cordoned.log.dirs")
    assert isinstance(value, tuple)
    return frozenset(log_dirs if value == ("*",) else value)


def metadata_settings(config: BrokerConfig) -> MetadataSettings:
    """The settings of `MetadataNode`."""
    listener_name = config.listeners.controller_names[0] if config.listeners.controller_names else "CONTROLLER"
    is_controller = "controller" in config.roles
    return MetadataSettings(
        topic_defaults=TopicDefaults(
            num_partitions=config.int("num.partitions"),
            replication_factor=config.int("default.replication.factor"),
        ),
        static_configs={
            "min.insync.replicas": str(config.int("min.insync.replicas")),
            "unclean.leader.election.enable": str(config.bool("unclean.leader.election.enable")).lower(),
        },
        controller_endpoints=controller_endpoints(config),
        static_voters=tuple(
            Voter(voter_id, bytes(16), (VoterEndpoint(listener_name, address.host, address.port),))
            for voter_id, address in sorted(config.quorum_voters.items())
        ),
        bootstrap_servers=tuple((server.host, server.port) for server in config.quorum_bootstrap_servers),
        is_broker="broker" in config.roles,
        quorum=RaftSettings(
            listener_name=listener_name,
            election_timeout_ms=config.int("controller.quorum.election.timeout.ms"),
            election_backoff_max_ms=config.int("controller.quorum.election.backoff.max.ms"),
            fetch_timeout_ms=config.int("controller.quorum.fetch.timeout.ms"),
            request_timeout_ms=config.int("controller.quorum.request.timeout.ms"),
            retry_backoff_ms=config.int("controller.quorum.retry.backoff.ms"),
            fetch_max_bytes=config.int("controller.quorum.fetch.max.bytes"),
            fetch_snapshot_max_bytes=config.int("controller.quorum.fetch.snapshot.max.bytes"),
            can_become_voter=is_controller,
            auto_join=is_controller and config.bool("controller.quorum.auto.join.enable"),
        ),
        elections=ElectionSettings(
            balance_interval_ms=config.long("leader.imbalance.check.interval.seconds") * 1000
            if config.bool("auto.leader.rebalance.enable")
            else None,
            unclean_interval_ms=config.long("unclean.leader.election.interval.ms"),
        ),
        max_idle_interval_ms=config.int("metadata.max.idle.interval.ms"),
        session_timeout_ms=config.int("broker.session.timeout.ms"),
        metadata_dir=config.metadata_log_dir,
        segment_bytes=config.int("metadata.log.segment.bytes"),
        segment_ms=config.long("metadata.log.segment.ms"),
        snapshots=SnapshotSettings(
            record_bytes=config.long("metadata.log.max.record.bytes.between.snapshots"),
            interval_ms=config.long("metadata.log.max.snapshot.interval.ms"),
            retention_bytes=config.long("metadata.max.retention.bytes"),
            retention_ms=config.long("metadata.max.retention.ms"),
        ),
    )

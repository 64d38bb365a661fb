"""What handlers are given: the broker's domain objects, and nothing else of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klamm.log.log_dirs import LogDirs
    from klamm.metadata.node_metadata import MetadataNode
    from klamm.seams import Clock, Entropy
    from klamm.server.config.broker_config import BrokerConfig
    from klamm.server.coordinators.group_coordinator import GroupCoordinator
    from klamm.server.fetch_sessions import FetchSessions
    from klamm.server.producer_ids import ProducerIds
    from klamm.server.replicas import Replicas
    from klamm.server.settings import Settings
    from klamm.server.to_controller import ControllerChannel
    from klamm.server.topic_creation import TopicCreation


class Broker:
    """The ports of one broker. Built by `node.py`; a handler uses the two or three that it needs."""

    __slots__ = (
        "clock",
        "cluster_id",
        "config",
        "controller",
        "entropy",
        "fetch_sessions",
        "groups",
        "log_dirs",
        "metadata",
        "node_id",
        "producer_ids",
        "replicas",
        "settings",
        "topics",
    )

    node_id: int
    cluster_id: str
    config: BrokerConfig
    """What the node was started with."""
    settings: Settings
    """What is effective now for topics, groups and brokers, dynamic changes included."""
    metadata: MetadataNode
    controller: ControllerChannel
    """The way to the active controller."""
    replicas: Replicas
    topics: TopicCreation
    groups: GroupCoordinator
    producer_ids: ProducerIds
    fetch_sessions: FetchSessions
    log_dirs: LogDirs
    clock: Clock
    entropy: Entropy

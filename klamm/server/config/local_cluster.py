"""A cluster of nodes on one machine: who does what, where each listens, and the settings that make them one cluster.

Pure: ports come from the caller. Brokers have the ids 1, 2, ...; without controllers of their own they are the
controllers too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from klamm.server.config.profiles import CONTROLLER, DEFAULT_HOST
from klamm.server.config.values import ConfigError

CONTROLLER_ID_FIRST: Final = 101
"""Ids of controllers that are no brokers: 101, 102, ..."""
CLIENTS: Final = "PLAINTEXT"
REPLICAS_MAX: Final = 3
IN_SYNC_MAX: Final = 2

RESERVED: Final = (
    "process.roles", "node.id", "broker.id", "listeners", "advertised.listeners", "controller.listener.names",
    "inter.broker.listener.name", "security.inter.broker.protocol", "controller.quorum.voters",
    "controller.quorum.bootstrap.servers", "log.dirs", "log.dir", "metadata.log.dir",
)  # fmt: skip
"""Settings that differ from node to node or name the others: not the user's to give."""


OF_CONTROLLERS: Final = {"controller.quorum.auto.join.enable": "false"}
"""What a node that is only broker must say of settings that are given to all nodes, but are for controllers alone."""


class LocalNode(NamedTuple):
    """`port` is that of the clients' listener, `controller_port` of the other nodes'; 0 where there is none."""

    node_id: int
    host: str
    port: int
    controller_port: int
    controller_host: str = DEFAULT_HOST
    """Controllers are for this machine alone: their listener asks nobody who he is."""

    @property
    def roles(self) -> tuple[str, ...]:
        return (("broker",) if self.port else ()) + (("controller",) if self.controller_port else ())

    @property
    def address(self) -> str:
        """Where clients find a broker, and the others a controller."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else self.quorum_address

    @property
    def overrides(self) -> Mapping[str, str]:
        """What is so on this node, whatever is wanted of all."""
        return {} if self.controller_port else OF_CONTROLLERS

    @property
    def quorum_address(self) -> str:
        """Where the other nodes find a controller."""
        return f"{self.controller_host}:{self.controller_port}"


def node_ids(brokers: int, controllers: int = 0) -> list[tuple[int, bool, bool]]:
    """Id, whether it is a broker, whether it is a controller. ConfigError for numbers that make no cluster."""
    if brokers < 1:
        raise ConfigError("--brokers", str(brokers), "at least one broker")
    if brokers >= CONTROLLER_ID_FIRST:
        raise ConfigError("--brokers", str(brokers), f"at most {CONTROLLER_ID_FIRST - 1} brokers")
    if controllers < 0:
        raise ConfigError("--controllers", str(controllers), "a number of controllers")
    ids = [(number, True, not controllers) for number in range(1, brokers + 1)]
    return ids + [(number, False, True) for number in range(CONTROLLER_ID_FIRST, CONTROLLER_ID_FIRST + controllers)]


def refuse_reserved(given: Mapping[str, str]) -> None:
    """ConfigError when `given` has a setting that makes the cluster."""
    for name in RESERVED:
        if name in given:
            raise ConfigError(name, given[name], "not to be set for a cluster that klamm lays out itself")


def settings_of(
    node: LocalNode, nodes: Sequence[LocalNode], given: Mapping[str, str], *, static_voters: bool = False
) -> dict[str, str]:
    """The server.properties of `node`: `given` (what the user wants of all nodes) and what makes a cluster of them.

    The internal topics get as many replicas as there are brokers, three at most, where `given` has no other number;
    so do topics that are created without one. With `static_voters` the settings name the voters, otherwise the voters
    are in the metadata (KIP-853), and the settings only say where to look for them.
    """
    brokers = sum(1 for other in nodes if other.port)
    replicas, in_sync = str(min(REPLICAS_MAX, brokers)), str(min(IN_SYNC_MAX, brokers))
    settings = {
        "default.replication.factor": replicas,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        **given,
        **node.overrides,
        "process.roles": ",".join(node.roles),
        "node.id": str(node.node_id),
        "controller.listener.names": CONTROLLER,
    }
    listeners = []
    if node.port:
        listeners.append(f"{CLIENTS}://{node.address}")
        settings["inter.broker.listener.name"] = CLIENTS
    if node.controller_port:
        listeners.append(f"{CONTROLLER}://{node.quorum_address}")
    settings["listeners"] = ",".join(listeners)
    controllers = [other for other in nodes if other.controller_port]
    if static_voters:
        voters = [f"{other.node_id}@{other.quorum_address}" for other in controllers]
        settings["controller.quorum.voters"] = ",".join(voters)
    else:
        settings["controller.quorum.bootstrap.servers"] = ",".join(other.quorum_address for other in controllers)
    return settings

"""What klamm sets before the user has said anything.

A profile is a layer of ordinary settings under the user's own: every value in it can be overridden, and DescribeConfigs
shows it like one from a file. `kafka` is empty, so Kafka's own defaults hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TEST: Final = "test"
KAFKA: Final = "kafka"

PROFILES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        KAFKA: {},
        TEST: {
            # A single broker is a whole cluster: Kafka's defaults of 3 replicas and 2 in sync would wait for more.
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            # Each partition is a directory with half a dozen files; a test never needs 50 of them.
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.num.partitions": "5",
            "share.coordinator.state.topic.num.partitions": "5",
            # Kafka waits three seconds for more members before the first rebalance of a group.
            "group.initial.rebalance.delay.ms": "0",
            "group.streams.initial.rebalance.delay.ms": "0",
        },
    }
)

CONTROLLER: Final = "CONTROLLER"
DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 9092


def single_node(given: Mapping[str, str]) -> dict[str, str]:
    """The settings that make one node a whole cluster, as far as `given` has not said otherwise.

    Kafka refuses to start without process.roles; klamm takes that to mean one combined broker and controller, whose
    controller listener is on a free port of the loopback interface. Nothing is added once process.roles is given.
    Values of `given` that lack the controller listener come back with it appended.
    """
    if "process.roles" in given:
        return {}
    settings = {"process.roles": "broker,controller"}
    if "node.id" not in given and "broker.id" not in given:
        settings["node.id"] = "1"
    controller_names = given.get("controller.listener.names", CONTROLLER)
    if "controller.listener.names" not in given:
        settings["controller.listener.names"] = CONTROLLER
    name = controller_names.split(",")[0].strip()
    listeners = given.get("listeners", f"PLAINTEXT://{DEFAULT_HOST}:{DEFAULT_PORT}")
    if not _has_entry(listeners, f"{name}://"):
        settings["listeners"] = f"{listeners},{name}://{DEFAULT_HOST}:0"
    protocols = given.get("listener.security.protocol.map")
    if protocols is not None and not _has_entry(protocols, f"{name}:"):
        settings["listener.security.protocol.map"] = f"{protocols},{name}:PLAINTEXT"
    if "controller.quorum.voters" not in given and "controller.quorum.bootstrap.servers" not in given:
        # Port 0: the node itself, wherever its controller listener turns out to be.
        settings["controller.quorum.bootstrap.servers"] = f"{DEFAULT_HOST}:0"
    return settings


def _has_entry(entries: str, start: str) -> bool:
    return any(entry.strip().upper().startswith(start.upper()) for entry in entries.split(","))

"""A cluster of klamm nodes on 127.0.0.1, laid out as `klamm start --brokers` does it; each node is a target of its own.

The profile is `kafka`, so that settings are Kafka's defaults as on the other side.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from compat.cluster import HERE, ClusterTarget, NodeTarget, Place
from compat.targets import CLUSTER_ID, KlammTarget, free_port
from klamm.cli.cluster_directories import ClusterNode, Wanted, lay_out, prepare
from klamm.log.disk import RealDisk
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.config.local_cluster import LocalNode, settings_of
from klamm.server.config.profiles import CONTROLLER
from klamm.server.config.properties import parse_properties
from klamm.server.formatting import format_directories

PROFILE = "kafka"


class KlammNode(NodeTarget, KlammTarget):
    """One node of a cluster, started by its own server.properties."""

    def __init__(self, prepared: ClusterNode, python: str, place: Place) -> None:
        super().__init__(python=python, directory=Path(prepared.directory))
        node = prepared.node
        self.place = place
        self.host = place.host
        self.name = f"klamm node {node.node_id}"
        self.node_id = node.node_id
        self.is_broker = bool(node.port)
        self.is_controller = bool(node.controller_port)
        self.port = node.port
        self.controller_port = node.controller_port
        self._settings_file = prepared.settings_file

    @property
    def log_dirs(self) -> list[Path]:
        return [self.data_dir]

    def set(self, settings: Mapping[str, str]) -> None:
        # Of a setting that comes twice in the file the last one counts.
        with open(self._settings_file, "a") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())

    def replace_disk(self) -> None:
        shutil.rmtree(self.data_dir)
        _format(self._settings_file)

    def _write_listeners(self) -> None:
        node = LocalNode(self.node_id, self.host, self.port, self.controller_port, self.place.controller_host)
        self.set({"listeners": settings_of(node, [node], {})["listeners"]})

    def _command(self) -> Sequence[str]:
        self._ready_file.unlink(missing_ok=True)
        return [
            self.python, "-m", "klamm", "start", "--config", self._settings_file, "--profile", PROFILE,
            "--ready-file", str(self._ready_file),
        ]  # fmt: skip

    def _is_ready(self) -> bool:
        try:
            json.loads(self._ready_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return super()._is_ready()


class KlammCluster(ClusterTarget):
    """`nodes` brokers, which are the controllers too unless there are to be `controllers`; `overrides` go to all.

    `node_overrides` to single ones by id. `places`: of nodes that are not on 127.0.0.1. `spare_controllers`: so many of
    the controllers, the last, do not vote when the quorum begins. `static_voters`: the settings name the voters, as
    before KIP-853.
    """

    name: ClassVar[str] = "klamm"

    def __init__(
        self,
        nodes: int = 3,
        overrides: Mapping[str, str] | None = None,
        directory: Path | None = None,
        *,
        controllers: int = 0,
        python: str = sys.executable,
        places: Mapping[int, Place] | None = None,
        spare_controllers: int = 0,
        static_voters: bool = False,
        node_overrides: Mapping[int, Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__(directory)
        self.python = python
        # Topics that are created without a number of replicas have one on both sides.
        given = {"default.replication.factor": "1", **(overrides or {})}
        wanted = Wanted(str(self.directory), nodes, controllers, port=0, profile=PROFILE, given=given)
        found = places or {}
        laid_out = [
            node._replace(host=place.host, controller_host=place.controller_host)
            for node in lay_out(wanted)
            for place in [found.get(node.node_id, HERE)]
        ]
        if static_voters:
            prepared = _with_static_voters(wanted, laid_out)
        else:
            if spare_controllers:
                # A node that is added to the directory of a cluster votes only when it is told to.
                prepare(
                    wanted._replace(controllers=controllers - spare_controllers),
                    CLUSTER_ID,
                    laid_out[:-spare_controllers],
                )
            prepared = prepare(wanted, CLUSTER_ID, laid_out)
        self._nodes = {one.node.node_id: KlammNode(one, python, found.get(one.node.node_id, HERE)) for one in prepared}
        for node_id, own in (node_overrides or {}).items():
            self._nodes[node_id].set(own)

    @property
    def nodes(self) -> Mapping[int, KlammNode]:
        return self._nodes


def new_controller(node_id: int, directory: Path, bootstrap_servers: str, settings: Mapping[str, str]) -> KlammNode:
    """A controller that does not vote and finds the quorum there; it is not started yet."""
    node = LocalNode(node_id, HERE.host, 0, free_port())
    own = {
        "process.roles": "controller",
        "node.id": str(node_id),
        "listeners": f"{CONTROLLER}://{node.quorum_address}",
        "controller.listener.names": CONTROLLER,
        "controller.quorum.bootstrap.servers": bootstrap_servers,
    }
    return KlammNode(_formatted(node, directory, {**settings, **own}), sys.executable, HERE)


def _with_static_voters(wanted: Wanted, nodes: Sequence[LocalNode]) -> list[ClusterNode]:
    """The nodes formatted as Kafka formats them where `controller.quorum.voters` is set."""
    return [
        _formatted(
            node,
            Path(wanted.directory) / f"node-{node.node_id}",
            settings_of(node, nodes, wanted.given, static_voters=True),
        )
        for node in nodes
    ]


def _formatted(node: LocalNode, directory: Path, settings: Mapping[str, str]) -> ClusterNode:
    one = ClusterNode(node, str(directory))
    Path(one.log_directory).mkdir(parents=True)
    settings = {**settings, "log.dirs": one.log_directory}
    Path(one.settings_file).write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    _format(one.settings_file)
    return one


def _format(settings_file: str) -> None:
    """As a node that is no voter of its own."""
    config = BrokerConfig.load(profile=PROFILE, properties=parse_properties(Path(settings_file).read_text()))
    format_directories(config, RealDisk(), cluster_id=CLUSTER_ID, is_standalone=False)

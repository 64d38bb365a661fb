"""A cluster of klamm nodes on 127.0.0.1, laid out as `klamm start --brokers` does it; each node is a target of its own.

The profile is `kafka`, so that settings are Kafka's defaults as on the other side.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from compat.cluster import HERE, ClusterTarget, NodeTarget, Place
from compat.targets import KlammTarget
from klamm.cli.cluster_directories import ClusterNode, Wanted, lay_out, prepare

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

    `places`: of nodes that are not on 127.0.0.1.
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
    ) -> None:
        super().__init__(directory)
        # Topics that are created without a number of replicas have one on both sides.
        given = {"default.replication.factor": "1", **(overrides or {})}
        wanted = Wanted(str(self.directory), nodes, controllers, port=0, profile=PROFILE, given=given)
        found = places or {}
        laid_out = [
            node._replace(host=place.host, controller_host=place.controller_host)
            for node in lay_out(wanted)
            for place in [found.get(node.node_id, HERE)]
        ]
        self._nodes = {
            prepared.node.node_id: KlammNode(prepared, python, found.get(prepared.node.node_id, HERE))
            for prepared in prepare(wanted, nodes=laid_out)
        }

    @property
    def nodes(self) -> Mapping[int, KlammNode]:
        return self._nodes

"""A cluster whose nodes are children of `klamm start --brokers`, as a user has them, and `klamm cluster restart`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from compat.kafka_jars import ROOT
from compat.klamm_cluster import PROFILE, KlammCluster
from compat.targets import ProcessTarget

_RESTART_TIMEOUT_S = 240.0


class _StartCommand(ProcessTarget):
    """The command; it serves when all nodes do."""

    name = "klamm start"

    def __init__(self, cluster: KlammCluster, settings: Mapping[str, str]) -> None:
        super().__init__(cluster.directory)
        self._cluster = cluster
        self._settings = settings
        self.ready_file = self.directory / "ready.json"

    def _command(self) -> Sequence[str]:
        self.ready_file.unlink(missing_ok=True)
        controllers = sum(not node.is_broker for node in self._cluster.controllers)
        return [
            self._cluster.python, "-m", "klamm", "start", "--brokers", str(len(self._cluster.brokers)),
            "--controllers", str(controllers), "--port", "0", "--data-dir", str(self.directory),
            "--ready-file", str(self.ready_file), "--profile", PROFILE,
            *(argument for name, value in self._settings.items() for argument in ("--override", f"{name}={value}")),
        ]  # fmt: skip

    def _is_ready(self) -> bool:
        return self.ready_file.exists()


class SupervisedCluster(KlammCluster):
    """All nodes start and stop together. Brokers have their ports from the first start on."""

    def __init__(self, settings: Mapping[str, str], controllers: int = 0) -> None:
        super().__init__(3, settings, controllers=controllers)
        self._start = _StartCommand(self, settings)

    def start(self, node_ids: Iterable[int] | None = None) -> None:
        self._start.start()
        for row in json.loads(self._start.ready_file.read_text())["nodes"]:
            if "broker" in row["roles"]:
                self.nodes[row["id"]].port = int(row["address"].rpartition(":")[2])

    def stop(self, node_ids: Iterable[int] | None = None) -> None:
        self._start.stop()

    def kill(self, node_id: int | None = None) -> None:
        self._start.kill()  # the nodes end with the command

    def restart(self) -> list[str]:
        """`klamm cluster restart`: what it says. RuntimeError if it fails."""
        command = [self.python, "-m", "klamm", "cluster", "restart", "--data-dir", str(self.directory)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=_RESTART_TIMEOUT_S, check=False
        )
        if done.returncode:
            raise RuntimeError(f"klamm cluster restart: {done.stderr}\n{self._start.log_tail()}")
        return done.stdout.splitlines()

"""Real Kafka in a container, by testcontainers: for machines with a container engine and no Java.

The broker listens where it says it does, and its data are where it says they are: ports and the directory are chosen
before the start and are the same inside and outside.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compat.kafka_jars import MissingTool
from compat.targets import KAFKA_DEFAULTS, START_TIMEOUT_S, Startable, answers_api_versions, free_port

_IMAGE = "apache/kafka"
_IN_NAMES = {".": "_", "_": "__", "-": "___"}
"""How the image wants these in the names of settings."""


def engine_is_missing() -> str:
    """Why there can be no containers, "" when there can."""
    try:
        from docker.errors import DockerException
        from testcontainers.core.docker_client import DockerClient
    except ImportError:
        return "the Python package testcontainers is not installed (pip install testcontainers)"
    try:
        DockerClient().client.ping()
    except DockerException as error:
        return f"no container engine answers ({error})"
    return ""


class ContainerTarget(Startable):
    """One combined node of the image apache/kafka, alike to the other targets."""

    def __init__(self, version: str, settings: Mapping[str, str] | None = None) -> None:
        if why := engine_is_missing():
            raise MissingTool(f"real Kafka in a container: {why}")
        self.name = f"kafka-{version}"
        self.node_id = int(KAFKA_DEFAULTS["node.id"])
        self.port = free_port()
        self.controller_port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"compat-{self.name}-"))
        self.data_dir = self.directory / "data"
        self.data_dir.mkdir()
        self.data_dir.chmod(0o777)  # the image's user is not ours
        self.log_file = self.directory / "broker.log"
        self._version = version
        self._settings = {**KAFKA_DEFAULTS, **(settings or {})}
        self._container: Any = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        raise RuntimeError(f"{self.name} runs in a container")

    def environment(self) -> dict[str, str]:
        """The settings as the image takes them: KAFKA_ and the name, in capitals and with underscores (`_IN_NAMES`)."""
        settings = {
            **self._settings,
            "listeners": f"PLAINTEXT://:{self.port},CONTROLLER://:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": f"{self._settings['node.id']}@127.0.0.1:{self.controller_port}",
            "log.dirs": str(self.data_dir),
        }
        return {
            "KAFKA_" + re.sub("[._-]", lambda found: _IN_NAMES[found[0]], name).upper(): value
            for name, value in settings.items()
        }

    def start(self) -> None:
        """Start the container, or start it again, and return when the broker answers."""
        from testcontainers.core.container import DockerContainer

        if self._container is None:
            self._container = DockerContainer(f"{_IMAGE}:{self._version}")
            for port in (self.port, self.controller_port):
                self._container.with_bind_ports(port, port)
            self._container.with_volume_mapping(str(self.data_dir), str(self.data_dir), "rw")
            for key, value in self.environment().items():
                self._container.with_env(key, value)
            self._container.start()
        else:
            self._container.get_wrapped_container().start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers_api_versions(self.port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not serve within {START_TIMEOUT_S:.0f} s:\n{self.log_tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM; the container stays for a restart."""
        if self._container is not None:
            self._keep_log()
            self._container.get_wrapped_container().stop(timeout=60)

    def kill(self) -> None:
        """SIGKILL; the container stays for a restart."""
        if self._container is not None:
            self._keep_log()
            wrapped = self._container.get_wrapped_container()
            wrapped.reload()
            if wrapped.status == "running":
                wrapped.kill()

    def remove(self) -> None:
        """Delete the container and the data."""
        if self._container is not None:
            self._container.stop(force=True)
            self._container = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_tail(self, size_bytes: int = 6000) -> str:
        """The last part of the log."""
        self._keep_log()
        return self.log_file.read_bytes()[-size_bytes:].decode(errors="replace") if self.log_file.exists() else ""

    def _keep_log(self) -> None:
        if self._container is not None:
            self.log_file.write_bytes(self._container.get_wrapped_container().logs())

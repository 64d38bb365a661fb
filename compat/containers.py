"""Real Kafka in a container, by testcontainers: for machines with a container engine and no Java.

The broker listens where it says it does: the port is chosen before the start and is the same inside and outside.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compat.kafka_jars import MissingTool
from compat.targets import KAFKA_DEFAULTS, START_TIMEOUT_S, answers_api_versions, free_port

_IMAGE = "apache/kafka"
_DATA = "/var/lib/kafka/data"


def engine_is_missing() -> str:
    """Why there can be no containers, "" when there can."""
    try:
        import testcontainers.core.container  # noqa: F401
    except ImportError:
        return "the Python package testcontainers is not installed (pip install testcontainers)"
    if (program := shutil.which("docker") or shutil.which("podman")) is not None:
        done = subprocess.run([program, "info"], capture_output=True, text=True, timeout=30, check=False)
        if done.returncode == 0:
            return ""
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        return f"the container engine does not answer ({said[-1] if said else 'no reason given'})"
    return "no container engine is on the path (docker or podman)"


class ContainerTarget:
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
        """The settings as the image takes them: KAFKA_ and the name, in capitals."""
        settings = {
            **self._settings,
            "listeners": f"PLAINTEXT://:{self.port},CONTROLLER://:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": f"{self._settings['node.id']}@127.0.0.1:{self.controller_port}",
            "log.dirs": _DATA,
        }
        return {f"KAFKA_{re.sub('[.]', '_', key).upper()}": value for key, value in settings.items()}

    def start(self) -> None:
        """Start the container, or start it again, and return when the broker answers."""
        from testcontainers.core.container import DockerContainer

        if self._container is None:
            self._container = DockerContainer(f"{_IMAGE}:{self._version}")
            self._container.with_bind_ports(self.port, self.port)
            self._container.with_volume_mapping(str(self.data_dir), _DATA, "rw")
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

    def restart(self, kill: bool = False) -> None:
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

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

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.remove()

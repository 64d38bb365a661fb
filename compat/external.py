"""A broker that runs already, wherever it is: it can be asked, but neither stopped nor looked into."""

from __future__ import annotations

import socket
from pathlib import Path

from compat.access import OPEN, Access, connect
from compat.targets import Startable
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse

_ANSWER_TIMEOUT_S = 10.0


class Unsuitable(RuntimeError):
    """What is wanted takes a broker of one's own."""


class ExternalTarget(Startable):
    """The server behind `bootstrap` ("host:port"), as a target. What needs its process or its disk is refused."""

    def __init__(self, bootstrap: str, access: Access | None = None) -> None:
        self.name = self.bootstrap = bootstrap
        self.access = access or OPEN
        self.node_id = -1

    @property
    def data_dir(self) -> Path:
        raise self._refused("its disk cannot be looked at")

    @property
    def log_file(self) -> Path:
        raise self._refused("its log cannot be looked at")

    @property
    def pid(self) -> int:
        raise self._refused("its process is not ours")

    @property
    def controller_port(self) -> int:
        raise self._refused("its controllers are not known")

    def start(self) -> None:
        """It must answer; RuntimeError if not."""
        try:
            with connect(self.bootstrap, _ANSWER_TIMEOUT_S, "compat-ready", self.access) as wire:
                answer = wire.ask(ApiVersionsRequest(), 0, ApiVersionsResponse)
                cluster = wire.ask(MetadataRequest(topics=[]), 1, MetadataResponse)
        except PermissionError as error:
            raise RuntimeError(f"{self.bootstrap}: {error}") from error
        except OSError as error:
            raise RuntimeError(f"no answer from {self.bootstrap}: {error}") from error
        if answer.error_code:
            raise RuntimeError(f"{self.bootstrap} answers ApiVersions with error {answer.error_code}")
        port = int(self.bootstrap.rpartition(":")[2])
        here = sorted(cluster.brokers, key=lambda broker: broker.port != port)
        self.node_id = here[0].node_id if here else -1

    def is_there(self) -> bool:
        """Whether anybody accepts a connection."""
        host, _, port = self.bootstrap.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_TIMEOUT_S).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """It stays."""

    def kill(self) -> None:
        """It stays."""

    def remove(self) -> None:
        """It stays."""

    def restart(self, kill: bool = False) -> None:
        raise self._refused("it cannot be killed" if kill else "it cannot be restarted")

    def log_tail(self) -> str:
        """For a failure's report, in place of its log."""
        return f"{self.bootstrap} runs elsewhere"

    def _refused(self, what: str) -> Unsuitable:
        return Unsuitable(f"{self.bootstrap} runs elsewhere: {what}")

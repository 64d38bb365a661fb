"""A broker that runs already, wherever it is: it can be asked, but neither stopped nor looked into."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from compat.targets import answers_api_versions


class ExternalTarget:
    """The server behind `bootstrap` ("host:port"), as a target. What needs its process or its disk is refused."""

    name = "bootstrap"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    @property
    def data_dir(self) -> Path:
        raise self._refused("its disk cannot be looked at")

    @property
    def log_file(self) -> Path:
        raise self._refused("its log cannot be looked at")

    @property
    def pid(self) -> int:
        raise self._refused("its process is not ours")

    def start(self) -> None:
        """It must answer; RuntimeError if not."""
        host, _, port = self.bootstrap.rpartition(":")
        if not answers_api_versions(int(port), host=host.strip("[]")):
            raise RuntimeError(f"no answer to ApiVersions from {self.bootstrap}")

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

    def _refused(self, what: str) -> RuntimeError:
        return RuntimeError(f"{self.bootstrap} runs elsewhere: {what}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

"""`klamm proxy` as a process of its own, as a user runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from compat.kafka_jars import ROOT

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0


class RunningProxy:
    """A proxy in front of `to`, with further arguments; its output is in `log_file`."""

    def __init__(self, to: str, directory: Path, *arguments: str) -> None:
        self._ready, self.log_file = directory / "proxy.json", directory / "proxy.log"
        self._command = [
            sys.executable, "-m", "klamm", "proxy", "--listen", "127.0.0.1:0", "--to", to,
            "--ready-file", str(self._ready), *arguments,
        ]  # fmt: skip
        self.address = ""

    @property
    def pid(self) -> int:
        """The proxy's process."""
        return self._process.pid

    def __enter__(self) -> Self:
        self._ready.unlink(missing_ok=True)
        with open(self.log_file, "wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the proxy did not start:\n{self.log_file.read_text()}")
            time.sleep(0.01)
        self.address = json.loads(self._ready.read_text())["bootstrap_servers"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

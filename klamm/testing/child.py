"""A cluster as a child process: `klamm start` with a ready file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 30.0


class ChildRunner:
    """Starts `python -m klamm start` and waits for its ready file."""

    def __init__(self, config: dict[str, str], data_dir: str | None, port: int) -> None:
        self._config, self._data_dir, self._port = config, data_dir, port
        self._own_dir: str | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        from klamm.testing.cluster import ClusterError

        self._own_dir = tempfile.mkdtemp(prefix="klamm-")
        ready = os.path.join(self._own_dir, "ready.json")
        log = os.path.join(self._own_dir, "broker.log")
        command = [sys.executable, "-m", "klamm", "start", "--port", str(self._port), "--ready-file", ready]
        command += ["--data-dir", self._data_dir or os.path.join(self._own_dir, "data")]
        for key, value in self._config.items():
            command += ["--override", f"{key}={value}"]
        with open(log, "wb") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not os.path.exists(ready):
            status = self._process.poll()
            if status is not None or time.monotonic() > deadline:
                with open(log, encoding="utf-8", errors="replace") as output_text:
                    said = output_text.read()
                self.stop()
                raise ClusterError(f"the broker did not start (exit status {status}):\n{said[-4000:]}")
            time.sleep(0.005)
        with open(ready, encoding="utf-8") as file:
            return str(json.load(file)["bootstrap_servers"])

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._own_dir is not None:
            shutil.rmtree(self._own_dir, ignore_errors=True)
            self._own_dir = None

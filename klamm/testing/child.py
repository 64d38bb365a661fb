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

    def start(self) -> dict[int, str]:
        self._own_dir = tempfile.mkdtemp(prefix="klamm-")
        try:
            node_id, address = self._launch(self._own_dir, self._port)
        except BaseException:
            self.stop()
            raise
        self._last_port = int(address.rpartition(":")[2])
        return {node_id: address}

    def is_running(self, node_id: int) -> bool:
        return self._process is not None and self._process.poll() is None

    def start_node(self, node_id: int) -> None:
        assert self._own_dir is not None
        self._launch(self._own_dir, self._last_port)

    def stop_node(self, node_id: int) -> None:
        self._end(is_kill=False)

    def kill_node(self, node_id: int) -> None:
        self._end(is_kill=True)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def stop(self) -> None:
        self._end(is_kill=False)
        if self._own_dir is not None:
            shutil.rmtree(self._own_dir, ignore_errors=True)
            self._own_dir = None

    def _launch(self, directory: str, port: int) -> tuple[int, str]:
        """The node's id and address when it serves."""
        from klamm.testing.cluster import ClusterError

        ready = os.path.join(directory, "ready.json")
        log = os.path.join(directory, "broker.log")
        command = [sys.executable, "-m", "klamm", "start", "--port", str(port), "--ready-file", ready]
        command += ["--data-dir", self._data_dir or os.path.join(directory, "data")]
        for key, value in self._config.items():
            command += ["--override", f"{key}={value}"]
        if os.path.exists(ready):
            os.remove(ready)
        with open(log, "wb") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not os.path.exists(ready):
            status = self._process.poll()
            if status is not None or time.monotonic() > deadline:
                with open(log, encoding="utf-8", errors="replace") as output_text:
                    said = output_text.read()
                self._end(is_kill=True)
                raise ClusterError(f"the broker did not start (exit status {status}):\n{said[-4000:]}")
            time.sleep(0.005)
        with open(ready, encoding="utf-8") as file:
            (node,) = json.load(file)["nodes"]
        return int(node["id"]), str(node["address"])

    def _end(self, *, is_kill: bool) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        if not is_kill:
            process.terminate()
            try:
                process.wait(_STOP_TIMEOUT_S)
                return
            except subprocess.TimeoutExpired:
                pass
        process.kill()
        process.wait()

"""The brokers that the compat tests run against: klamm, and real Kafka 4.3.1 from its jars.

Both are one node with one listener on 127.0.0.1, started as a child process with a data directory of its own, and look
alike to a test. A target keeps its port and its data directory over `stop`, `kill` and `restart`.
"""

from __future__ import annotations

import atexit
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from compat import kafka_jars

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0

# One-node settings: a cluster of one cannot hold three replicas of the internal topics, and no test wants to wait three
# seconds for other members of a group. klamm's test profile has the same values.
CLUSTER_ID = "a2xhbW0tY29tcGF0LTAwMQ"
"""Of all that is formatted here: nodes of both kinds may meet."""
KAFKA_DEFAULTS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "controller.quorum.election.timeout.ms": "500",
    # A killed broker may register again only after the session of its former life has ended.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
}


def log4j_settings(target: str, level: str, **levels: str) -> str:
    """A log4j2.properties that writes to SYSTEM_OUT or SYSTEM_ERR; `levels`: those of single loggers, _ for a dot."""
    lines = [
        "status=error",
        "appender.out.type=Console",
        "appender.out.name=out",
        f"appender.out.target={target}",
        "appender.out.layout.type=PatternLayout",
        "appender.out.layout.pattern=[%d] %p %m (%c)%n",
        f"rootLogger.level={level}",
        "rootLogger.appenderRef.out.ref=out",
    ]
    for logger, its_level in levels.items():
        lines += [f"logger.{logger}.name={logger.replace('_', '.')}", f"logger.{logger}.level={its_level}"]
    return "".join(f"{line}\n" for line in lines)


class Target(Protocol):
    """A broker under test."""

    @property
    def name(self) -> str:
        """ "klamm" or "kafka"."""

    @property
    def bootstrap(self) -> str:
        """ "127.0.0.1:port", known before the start."""

    @property
    def data_dir(self) -> Path:
        """The log directory."""

    @property
    def log_file(self) -> Path:
        """What the process wrote to its standard output and error, over all its runs."""

    @property
    def pid(self) -> int:
        """The running process; RuntimeError when there is none."""

    def start(self) -> None:
        """Start the process and return when it answers."""

    def stop(self) -> None:
        """SIGTERM, and wait for the end; an exit status other than a clean one is an error."""

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""

    def restart(self, kill: bool = False) -> None:
        """Stop (or kill) and start again, on the same port and data directory."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None: ...  # fmt: skip


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers_api_versions(port: int, timeout_s: float = 5.0, host: str = "127.0.0.1") -> bool:
    """Whether a broker answers an ApiVersions request (version 0) without an error."""
    client_id = b"compat-ready"
    body = struct.pack(">hhih", 18, 0, 1, len(client_id)) + client_id
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = _receive(connection, 10)
            # int32 size, int32 correlation id, int16 error code
            return answer is not None and struct.unpack(">iih", answer)[1:] == (1, 0)
    except OSError:
        return False


def _receive(connection: socket.socket, size_bytes: int) -> bytes | None:
    data = b""
    while len(data) < size_bytes:
        if not (piece := connection.recv(size_bytes - len(data))):
            return None
        data += piece
    return data


class Startable(ABC):
    """What a target does with its own starts and ends. Behind a `with` it is gone, unless something went wrong."""

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def kill(self) -> None: ...

    @abstractmethod
    def remove(self) -> None:
        """Delete what it has made."""

    def restart(self, kill: bool = False) -> None:
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if error is None:
            self.stop()
            self.remove()
        else:
            self.kill()


class ProcessTarget(Startable):
    """A target that is one child process; a subclass knows the command and when it is ready."""

    name: str
    host = "127.0.0.1"
    node_id = int(KAFKA_DEFAULTS["node.id"])

    def __init__(self, directory: Path | None = None) -> None:
        self._own_directory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix=f"compat-{self.name}-"))
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data_dir = self.directory / "data"
        self.log_file = self.directory / "broker.log"
        self.port = free_port()
        self.started_in_s = 0.0
        """What the last start took, from the process to its first answer."""
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _is_ready(self) -> bool: ...

    @property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    def start(self) -> None:
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start the process and do not wait: nodes of one cluster become ready only together."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} is running already")
        command = self._command()
        self._began = time.monotonic()
        with open(self.log_file, "ab") as log:
            self._process = self._spawn(command, log)
        atexit.register(self.kill)

    def await_ready(self) -> None:
        """Return when the launched process answers. Raises RuntimeError with its log when it ends or is too late."""
        assert self._process is not None
        while not self._is_ready():
            if (status := self._process.poll()) is not None:
                self.kill()
                raise RuntimeError(f"{self.name} ended with status {status} before it served:\n{self.log_tail()}")
            if time.monotonic() > self._began + START_TIMEOUT_S:
                self.kill()
                raise RuntimeError(f"{self.name} did not serve within {START_TIMEOUT_S:.0f} s:\n{self.log_tail()}")
            time.sleep(0.005)
        self.started_in_s = time.monotonic() - self._began

    def _spawn(self, command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        self.await_end()

    def await_end(self) -> None:
        """Wait for a process that was told to stop; a status other than a clean one is an error."""
        assert self._process is not None
        try:
            status = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(
                f"{self.name} did not stop within {STOP_TIMEOUT_S:.0f} s of SIGTERM:\n{self.log_tail()}"
            ) from None
        self._ended()
        # 143 is a JVM's status after a clean shutdown on SIGTERM.
        if status not in (0, 143, -signal.SIGTERM):
            raise RuntimeError(f"{self.name} ended with status {status} after SIGTERM:\n{self.log_tail()}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._ended()

    def log_tail(self, size_bytes: int = 6000) -> str:
        """The last part of the log, for a failure's report."""
        return self.log_file.read_bytes()[-size_bytes:].decode(errors="replace") if self.log_file.exists() else ""

    def remove(self) -> None:
        """Kill the process if it runs and delete what the target made on the disk."""
        self.kill()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _ended(self) -> None:
        self._process = None
        atexit.unregister(self.kill)


class KlammTarget(ProcessTarget):
    """`python -m klamm start` with its default profile."""

    name = "klamm"

    def __init__(self, overrides: Mapping[str, str] | None = None, python: str = sys.executable,
                 directory: Path | None = None) -> None:  # fmt: skip
        super().__init__(directory)
        self.overrides = dict(overrides or {})
        self.python = python
        self._ready_file = self.directory / "ready.json"

    def _command(self) -> Sequence[str]:
        self._ready_file.unlink(missing_ok=True)
        return [
            self.python, "-m", "klamm", "start", "--port", str(self.port), "--data-dir", str(self.data_dir),
            "--ready-file", str(self._ready_file),
            *(argument for name, value in self.overrides.items() for argument in ("--override", f"{name}={value}")),
        ]  # fmt: skip

    def _spawn(self, command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        # From the repository's root, so that a checkout that is not installed is importable.
        return subprocess.Popen(
            command, cwd=kafka_jars.ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )

    def _is_ready(self) -> bool:
        try:
            told = json.loads(self._ready_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        if told["bootstrap_servers"] != self.bootstrap:
            raise RuntimeError(f"asked for {self.bootstrap}, klamm serves {told['bootstrap_servers']}")
        return answers_api_versions(self.port)


class KafkaTarget(ProcessTarget):
    """Apache Kafka 4.3.1, a combined KRaft node that `kafka-storage` formatted."""

    name = "kafka"
    jars = kafka_jars.KAFKA
    log4j = log4j_settings("SYSTEM_OUT", "info", org_apache_kafka_common_config="warn")

    def __init__(self, overrides: Mapping[str, str] | None = None, heap: str = "512m",
                 jvm_options: Sequence[str] = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
                 directory: Path | None = None, *, is_formatted: bool = False) -> None:  # fmt: skip
        """`heap` is -Xmx; a benchmark gives `jvm_options=()` for the JVM's own compiler and collector.

        `is_formatted`: the data directory is not empty, and stays as it is.
        """
        super().__init__(directory)
        self.controller_port = free_port()
        controller = f"127.0.0.1:{self.controller_port}"
        self.properties = {
            **KAFKA_DEFAULTS,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": controller,
            "log.dirs": str(self.data_dir),
            **(overrides or {}),
        }
        self._heap = heap
        self._jvm_options = tuple(jvm_options)
        self._is_formatted = is_formatted

    def _java(self, *arguments: str) -> list[str]:
        return [
            kafka_jars.program("java"), f"-Xmx{self._heap}", "-Xshare:auto", *self._jvm_options,
            self._log4j_option(self.directory / "log4j.properties"), "-cp", kafka_jars.classpath(self.jars), *arguments,
        ]  # fmt: skip

    def _command(self) -> Sequence[str]:
        settings = self.directory / "server.properties"
        settings.write_text("".join(f"{name}={value}\n" for name, value in self.properties.items()))
        (self.directory / "log4j.properties").write_text(self.log4j)
        if not self._is_formatted:
            self._format(settings)
        return self._java("kafka.Kafka", str(settings))

    def _format(self, settings: Path) -> None:
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", "format", *self._format_arguments(), "--config", str(settings),
                       "--cluster-id", CLUSTER_ID),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"kafka-storage format failed:\n{done.stdout}{done.stderr}")
        self._is_formatted = True

    def _format_arguments(self) -> Sequence[str]:
        return ["--standalone"]

    def _log4j_option(self, file: Path) -> str:
        return f"-Dlog4j2.configurationFile={file}"

    def _is_ready(self) -> bool:
        return answers_api_versions(self.port)

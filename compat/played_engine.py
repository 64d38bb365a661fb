"""A container engine that is played: Docker's API, as far as testcontainers needs it, on a Unix socket.

A container of it is real Kafka from its jars, which gets the settings that the image apache/kafka makes of its
environment, the mounted directory in place of the one inside, and only the ports that were published: a listener on
any other port is somewhere where nobody finds it. What stays untried without an engine is the image itself.
"""

from __future__ import annotations

import json
import re
import socketserver
import struct
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from compat.targets import KafkaTarget, free_port

_MARKS = {"___": "-", "__": "_", "_": "."}


def properties_of(environment: dict[str, str]) -> dict[str, str]:
    """The server.properties that the image makes: of `KAFKA_A_B___C` it makes `a.b-c`."""
    return {
        re.sub("_{1,3}", lambda found: _MARKS[found[0]], name.removeprefix("KAFKA_")).lower(): value
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }


class _KafkaInside(KafkaTarget):
    def _format_arguments(self) -> list[str]:
        return []  # its voters are a setting


class Container:
    """What was asked for, and the process that it became."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.image: str = wanted["Image"]
        self.environment = dict(pair.split("=", 1) for pair in wanted["Env"])
        host = wanted["HostConfig"]
        self.published = {int(inside.partition("/")[0]): int(outside[0]["HostPort"])
                          for inside, outside in host["PortBindings"].items()}  # fmt: skip
        self.mounts = {inside: Path(outside) for outside, inside, _ in (bind.split(":") for bind in host["Binds"])}
        self.calls: list[str] = []
        self.kafka: KafkaTarget | None = None
        self._directory = tempfile.TemporaryDirectory(prefix="compat-container-")

    @property
    def status(self) -> str:
        if self.kafka is None:
            return "created"
        try:
            return "running" if self.kafka.pid else ""
        except RuntimeError:
            return "exited"

    def start(self) -> None:
        if self.kafka is None:
            properties = properties_of(self.environment)
            self.kafka = _KafkaInside(directory=Path(self._directory.name))
            self.kafka.properties = {name: self._outside(value) for name, value in properties.items()}
        self.kafka.launch()

    def _outside(self, value: str) -> str:
        """A value of a setting with paths and ports as they are outside."""
        for inside, path in self.mounts.items():
            value = value.replace(inside, str(path))
        return re.sub(r":(\d+)", lambda found: f":{self._port(int(found[1]))}", value)

    def _port(self, inside: int) -> int:
        if inside not in self.published:
            self.published[inside] = free_port()
        return self.published[inside]

    def end(self, how: str) -> None:
        if self.kafka is not None and self.status == "running":
            if how == "stop":
                self.kafka.stop()
            else:
                self.kafka.kill()

    def logs(self) -> bytes:
        """In the frames of Docker: one of standard output."""
        text = self.kafka.log_file.read_bytes() if self.kafka is not None and self.kafka.log_file.exists() else b""
        return struct.pack(">BxxxI", 1, len(text)) + text

    def remove(self) -> None:
        self.end("kill")
        self._directory.cleanup()


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        path = self._path()
        if path[-1] == "json" and path[0] == "containers":
            found = self.server.containers[path[1]]
            shown = {"Id": path[1], "Name": "/kafka", "Image": found.image, "Config": {"Tty": False},
                     "State": {"Status": found.status}}  # fmt: skip
            self._answer(shown)
        elif path[-1] == "logs":
            self._send(200, self.server.containers[path[1]].logs(), "application/vnd.docker.raw-stream")
        elif path == ["_ping"]:
            self._send(200, b"OK", "text/plain")
        else:
            self._answer({"ApiVersion": "1.43", "MinAPIVersion": "1.24", "Version": "24.0", "Os": "linux"})

    def do_HEAD(self) -> None:
        self._send(200, b"", "text/plain")

    def do_POST(self) -> None:
        path = self._path()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == ["containers", "create"]:
            name = f"{len(self.server.containers):064x}"
            self.server.containers[name] = Container(json.loads(body))
            self._answer({"Id": name, "Warnings": []}, 201)
            return
        found = self.server.containers[path[1]]
        found.calls.append(path[2])
        if path[2] == "start":
            found.start()
        else:
            found.end(path[2])
        self._send(204, b"", "text/plain")

    def do_DELETE(self) -> None:
        found = self.server.containers[self._path()[1]]
        found.calls.append("remove")
        found.remove()
        self._send(204, b"", "text/plain")

    def _path(self) -> list[str]:
        """Without the version that it begins with."""
        return [part for part in urlsplit(self.path).path.split("/") if part and not re.fullmatch(r"v1\.\d+", part)]

    def _answer(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body:
            self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Request)
        self.containers: dict[str, Container] = {}


class PlayedEngine:
    """The engine, from entering it to leaving it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="compat-engine-")
        socket = Path(self._folder.name) / "docker.sock"
        self.address = f"unix://{socket}"
        """For the environment variable DOCKER_HOST."""
        self._server = _Server(socket)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def containers(self) -> list[Container]:
        """All that were made, in their order."""
        return list(self._server.containers.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._server.shutdown()
        self._server.server_close()
        for container in self.containers:
            container.remove()
        self._folder.cleanup()

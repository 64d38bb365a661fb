"""What sarama's functional tests find around the brokers: toxiproxy before each of them, and a program `docker`.

Clients reach broker n through a proxy at 127.0.0.1:2909n, which is what the broker advertises; brokers reach each other
directly, by a listener of their own. `docker compose stop kafka-n` and `start kafka-n` reach this process by a socket.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster
from compat.targets import free_port

Cluster = KafkaCluster | KlammCluster
BROKERS: Final = 5
FIRST_PORT: Final = 29091
_START_TIMEOUT_S = 20.0
_DOCKER = """#!{python}
import socket, sys
# compose [--profile NAME] start|stop SERVICE
with socket.create_connection(("127.0.0.1", {port})) as runner:
    runner.sendall((" ".join(sys.argv[-2:]) + "\\n").encode())
    answer = runner.makefile().readline().strip()
sys.exit(answer if answer != "done" else 0)
"""
# As sarama's own cluster of containers has them; a coordinator must live on when one of its two replicas is stopped.
SETTINGS: Final = {
    "default.replication.factor": "2",
    "offsets.topic.replication.factor": "2",
    "transaction.state.log.replication.factor": "2",
    "transaction.state.log.min.isr": "1",
    "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
}


def _listeners(node_id: int, inside: str, outside: int, controller: str) -> dict[str, str]:
    """Three listeners: for brokers, for clients (behind the proxy), for controllers."""
    return {
        "listeners": f"INSIDE://{inside},OUTSIDE://127.0.0.1:{outside},CONTROLLER://{controller}",
        "advertised.listeners": f"INSIDE://{inside},OUTSIDE://127.0.0.1:{FIRST_PORT - 1 + node_id}",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "controller.listener.names": "CONTROLLER",
        "broker.rack": str(node_id),
    }


def kafka_cluster() -> KafkaCluster:
    cluster = KafkaCluster(BROKERS, SETTINGS)
    for node in cluster.nodes.values():
        node.properties |= _listeners(node.node_id, node.bootstrap, free_port(), node.quorum_address)
    return cluster


def klamm_cluster() -> KlammCluster:
    cluster = KlammCluster(BROKERS, SETTINGS)
    for node in cluster.nodes.values():
        controller = f"{node.place.controller_host}:{node.controller_port}"
        ours = _listeners(node.node_id, node.bootstrap, free_port(), controller)
        file = node.directory / "server.properties"
        kept = [line for line in file.read_text().splitlines() if line.partition("=")[0] not in ours]
        file.write_text("".join(f"{line}\n" for line in [*kept, *(f"{name}={ours[name]}" for name in ours)]))
    return cluster


CLUSTERS: Final[dict[str, Callable[[], Cluster]]] = {"klamm": klamm_cluster, "kafka": kafka_cluster}


def outside_port(cluster: Cluster, node_id: int) -> int:
    """The port behind the proxy of a node."""
    node = cluster.nodes[node_id]
    text = (node.directory / "server.properties").read_text()
    listeners = next(line for line in text.splitlines() if line.startswith("listeners="))
    return int(listeners.partition("OUTSIDE://127.0.0.1:")[2].partition(",")[0])


class Surroundings:
    """Toxiproxy and `docker` for a running cluster; `environment` is what the tests need to find them."""

    def __init__(self, cluster: Cluster, toxiproxy: Path, folder: Path) -> None:
        self._cluster = cluster
        self._toxiproxy = toxiproxy
        self._api = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        docker = folder / "docker"
        docker.write_text(_DOCKER.format(python=sys.executable, port=self._server.server_address[1]))
        docker.chmod(0o755)
        self.environment = {"TOXIPROXY_ADDR": self._api, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    def __enter__(self) -> Self:
        host, _, port = self._api.removeprefix("http://").partition(":")
        for number in range(BROKERS):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", FIRST_PORT + number))
        self._process = subprocess.Popen(
            [str(self._toxiproxy), "-host", host, "-port", port],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._await_toxiproxy()
            for node_id in self._cluster.nodes:
                proxy = {
                    "name": f"kafka{node_id}",
                    "listen": f"127.0.0.1:{FIRST_PORT - 1 + node_id}",
                    "upstream": f"127.0.0.1:{outside_port(self._cluster, node_id)}",
                    "enabled": True,
                }
                self._ask("/proxies", json.dumps(proxy).encode())
        except BaseException:
            self._end()
            raise
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self._server.shutdown()
        self._end()

    def _end(self) -> None:
        self._server.server_close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ask(self, path: str, body: bytes | None = None) -> None:
        with urllib.request.urlopen(urllib.request.Request(self._api + path, body), timeout=10) as answer:
            answer.read()

    def _await_toxiproxy(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                return self._ask("/version")
            except urllib.error.URLError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        around = self

        class Docker(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                verb, service = self.rfile.readline().decode().split()
                self.wfile.write(f"{around._compose(verb, int(service.rpartition('-')[2]))}\n".encode())

        return Docker

    def _compose(self, verb: str, node_id: int) -> str:
        """Start or stop a broker, as often as one likes; "done", or what went wrong in a line."""
        try:
            if verb == "start":
                self._cluster.start([node_id])
            elif verb == "stop":
                self._cluster.stop([node_id])
            else:
                return f"no such verb: {verb}"
        except (RuntimeError, subprocess.SubprocessError) as error:
            return repr(error)[:300]
        return "done"

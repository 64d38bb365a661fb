"""The directories of a cluster on one machine: `node-1`, `node-2`, ... in the data directory, each with a
`server.properties` and the node's log directory `data`.

The first start draws the ports, formats all nodes with one cluster id, and makes all controllers the quorum's first
voters (KIP-853). Later starts keep the controllers' ports, which stand in the metadata. Nodes that are added later join
as they are: the voters change only when they are told to (kafka-metadata-quorum add-controller).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from klamm.kproto.uuids import uuid_text
from klamm.log.disk import LockedError, ReadOnlyDisk, RealDisk
from klamm.log.log_dir import LOCK
from klamm.log.meta_properties import FILE as META_PROPERTIES
from klamm.log.meta_properties import read as read_meta_properties
from klamm.metadata.storage_format import StorageError
from klamm.seams import SystemEntropy
from klamm.server.config.broker_config import BrokerConfig
from klamm.server.config.environment import settings_from
from klamm.server.config.listeners import parse_listeners
from klamm.server.config.local_cluster import CLIENTS, LocalNode, node_ids, refuse_reserved, settings_of
from klamm.server.config.profiles import CONTROLLER, DEFAULT_HOST
from klamm.server.config.properties import Property, decode, parse_properties
from klamm.server.config.values import ConfigError
from klamm.server.formatting import format_directories, parse_initial_controllers

SETTINGS_FILE: Final = "server.properties"
LOG_DIRECTORY: Final = "data"
STATE_FILE: Final = "cluster.json"
"""What runs, written by the command that holds the lock."""
_PREFIX: Final = "node-"
_BIRTH_FILE: Final = "formatting"


class Wanted(NamedTuple):
    """What is asked for. `port` is the first broker's, 0 for free ones.

    `given` are the user's settings for the files of all nodes; `environ` and `overrides` are what the nodes are started
    with beside that, and are only checked here.
    """

    directory: str
    brokers: int
    controllers: int = 0
    host: str = DEFAULT_HOST
    port: int = 9092
    profile: str = "test"
    given: Mapping[str, str] = {}
    environ: Mapping[str, str] = {}
    overrides: Mapping[str, str] = {}
    in_memory: bool = False


class ClusterNode(NamedTuple):
    """One node and its own directory."""

    node: LocalNode
    directory: str

    @property
    def settings_file(self) -> str:
        return os.path.join(self.directory, SETTINGS_FILE)

    @property
    def log_directory(self) -> str:
        return os.path.join(self.directory, LOG_DIRECTORY)


@contextmanager
def taken(directory: str) -> Iterator[None]:
    """Holds the lock on a cluster's directory, which is made if it is missing. Raises StorageError, OSError."""
    os.makedirs(directory, exist_ok=True)
    try:
        lock = RealDisk().lock(os.path.join(directory, LOCK))
    except LockedError:
        raise StorageError(f"{directory} is in use: its cluster runs already") from None
    try:
        yield
    finally:
        lock.release()


def is_in_use(directory: str) -> bool:
    """Whether a command runs the cluster in a directory."""
    path = os.path.join(directory, LOCK)
    return os.path.exists(path) and ReadOnlyDisk().is_locked(path)


def lay_out(wanted: Wanted) -> list[LocalNode]:
    """The nodes with their ports. Raises ConfigError, StorageError."""
    ids = node_ids(wanted.brokers, wanted.controllers)
    _check_directory(wanted, [node_id for node_id, _, _ in ids])
    return _with_ports(wanted, ids)


def prepare(
    wanted: Wanted, cluster_id: str | None = None, nodes: Sequence[LocalNode] | None = None
) -> list[ClusterNode]:
    """`make` what is `planned`. Raises what they raise."""
    return make(wanted, planned(wanted, nodes), cluster_id)


Planned = list[tuple[ClusterNode, dict[str, str]]]
"""Nodes with the settings of their files."""


def planned(wanted: Wanted, nodes: Sequence[LocalNode] | None = None) -> Planned:
    """The nodes (those that `lay_out` gives, if there are no others), checked; nothing is made yet.

    Raises ConfigError, StorageError.
    """
    all_nodes = lay_out(wanted) if nodes is None else list(nodes)
    placed = [
        ClusterNode(node, os.path.abspath(os.path.join(wanted.directory, f"{_PREFIX}{node.node_id}")))
        for node in all_nodes
    ]
    for layer in (wanted.given, wanted.overrides, {v.name: v.value for v in settings_from(wanted.environ)}):
        refuse_reserved(layer)
    found = []
    for one in placed:
        settings = settings_of(one.node, all_nodes, wanted.given, static_voters=wanted.in_memory)
        settings["log.dirs"] = one.log_directory
        # A bad setting is told once, before anything is started.
        BrokerConfig.load(
            profile=wanted.profile,
            properties=[Property(name, value, 0) for name, value in settings.items()],
            environ=wanted.environ,
            overrides={**wanted.overrides, **one.node.overrides},
        )
        found.append((one, settings))
    return found


def make(wanted: Wanted, nodes: Planned, cluster_id: str | None = None) -> list[ClusterNode]:
    """Write the settings of the nodes, and format what is new.

    Raises StorageError, LogDirError, InvalidMetaProperties, OSError.
    """
    for one, settings in nodes:
        os.makedirs(one.directory, exist_ok=True)
        _write_settings(one.settings_file, settings)
    made = [one for one, _ in nodes]
    if not wanted.in_memory:
        _format(wanted, made, cluster_id)
    return made


def _check_directory(wanted: Wanted, ids: list[int]) -> None:
    """Whether the directory may hold such a cluster."""
    if not os.path.isdir(wanted.directory):
        return
    if os.path.exists(os.path.join(wanted.directory, META_PROPERTIES)):
        raise StorageError(f"{wanted.directory} holds the data of a single node: give another --data-dir")
    names = [name.removeprefix(_PREFIX) for name in os.listdir(wanted.directory) if name.startswith(_PREFIX)]
    held = sorted(int(name) for name in names if name.isdecimal())
    if missing := [node_id for node_id in held if node_id not in ids]:
        listed = ", ".join(map(str, missing))
        raise StorageError(
            f"{wanted.directory} holds a cluster with node {listed} too: give the same --brokers and --controllers"
        )


def _with_ports(wanted: Wanted, ids: list[tuple[int, bool, bool]]) -> list[LocalNode]:
    """Ports for all listeners: from `wanted.port` on, brokers first, or free ones; known controllers keep theirs."""
    needed = sum(is_broker + is_controller for _, is_broker, is_controller in ids)
    if wanted.port:
        ports = list(range(wanted.port, wanted.port + needed))
    else:
        ports = free_ports(needed, wanted.host)
    brokers = [node_id for node_id, is_broker, _ in ids if is_broker]
    controllers = [node_id for node_id, _, is_controller in ids if is_controller]
    of_broker = dict(zip(brokers, ports, strict=False))
    of_controller = dict(zip(controllers, ports[len(brokers) :], strict=True))
    for node_id in controllers:
        path = os.path.join(wanted.directory, f"{_PREFIX}{node_id}", SETTINGS_FILE)
        if (kept := _controller_port(path)) is not None:
            of_controller[node_id] = kept
    used = [*of_broker.values(), *of_controller.values()]
    if twice := {port for port in used if used.count(port) > 1}:
        listed = ", ".join(map(str, sorted(twice)))
        raise ConfigError("--port", str(wanted.port), f"ports that no controller has from an earlier start: {listed}")
    if max(used) > 65535:
        raise ConfigError("--port", str(wanted.port), f"{needed} ports from there on")
    return [
        LocalNode(node_id, wanted.host, of_broker.get(node_id, 0), of_controller.get(node_id, 0))
        for node_id, _, _ in ids
    ]


def free_ports(count: int, host: str = DEFAULT_HOST) -> list[int]:
    """TCP ports that are free now, all different."""
    probes = []
    try:
        for _ in range(count):
            probe = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            probes.append(probe)
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _controller_port(settings_file: str) -> int | None:
    """The port of the controller listener that the file of an earlier start has."""
    try:
        with open(settings_file, "rb") as file:
            known = {entry.name: entry.value for entry in parse_properties(decode(file.read()))}
    except FileNotFoundError:
        return None
    protocols = dict.fromkeys((CONTROLLER, CLIENTS), "PLAINTEXT")
    listeners = parse_listeners("listeners", known.get("listeners", "").split(","), protocols)
    return next((endpoint.port for endpoint in listeners if endpoint.name == CONTROLLER), None)


def _write_settings(path: str, settings: Mapping[str, str]) -> None:
    lines = ["# Written by `klamm start --brokers` at every start.\n"]
    lines += [f"{name}={_escaped(value)}\n" for name, value in settings.items()]
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:
        file.writelines(lines)
    os.replace(f"{path}.tmp", path)


def _escaped(value: str) -> str:
    """A value that Java's properties reader gives back as it is."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f"\\{escaped}" if escaped.startswith(" ") else escaped


class _Birth(NamedTuple):
    """What all nodes of a new cluster are formatted with: kept in a file until the last of them is."""

    cluster_id: str
    voters: str


def _format(wanted: Wanted, nodes: list[ClusterNode], cluster_id: str | None) -> None:
    """Format the nodes that are new; if all are, their controllers are the first voters."""
    disk = RealDisk()
    found = [read_meta_properties(disk, os.path.join(one.log_directory, META_PROPERTIES)) for one in nodes]
    known = next((one.cluster_id for one in found if one is not None), None)
    if known is not None and cluster_id not in (None, known):
        raise StorageError(f"the nodes belong to cluster {known}, asked for is {cluster_id}")
    path = os.path.join(wanted.directory, _BIRTH_FILE)
    birth = _read_birth(path)
    if birth is None and known is None:
        birth = _new_birth(nodes, cluster_id)
        disk.write_atomic(path, "\n".join(birth).encode())
    voters = None if birth is None else parse_initial_controllers(birth.voters)
    chosen = known or (birth.cluster_id if birth is not None else cluster_id)
    for one, properties in zip(nodes, found, strict=True):
        if properties is None:
            with open(one.settings_file, "rb") as file:
                config = BrokerConfig.load(profile=wanted.profile, properties=parse_properties(decode(file.read())))
            format_directories(config, disk, cluster_id=chosen, is_standalone=False, initial_voters=voters)
    if birth is not None:
        os.remove(path)


def _new_birth(nodes: list[ClusterNode], cluster_id: str | None) -> _Birth:
    entropy = SystemEntropy()
    voters = [
        f"{node.node_id}@{node.quorum_address}:{uuid_text(entropy.uuid())}" for node, _ in nodes if node.controller_port
    ]
    return _Birth(cluster_id or uuid_text(entropy.uuid()), ",".join(voters))


def _read_birth(path: str) -> _Birth | None:
    """What an earlier start began to format with and did not end."""
    try:
        with open(path, encoding="utf-8") as file:
            cluster_id, voters = file.read().split("\n")
    except FileNotFoundError:
        return None
    return _Birth(cluster_id, voters)

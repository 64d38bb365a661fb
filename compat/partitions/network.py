"""Nodes in network namespaces of their own, on one bridge, whose packets to each other can be lost.

A packet is lost by its sender's knowing a wrong hardware address for the receiver: it goes out and nobody takes it, in
that direction only, without a word to the sender. A node has one address for clients and replicas and another one for
its controller, so that either can be cut alone. Needs root, and nothing but `ip`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from compat.cluster import Place

_NOBODY = "02:00:00:00:00:01"
_DEVICE = "eth0"
_SUBNETS = range(64, 192)
_LINK_ATTEMPTS, _LINK_PAUSE_S = 300, 0.1


def missing() -> list[str]:
    """What this machine lacks, in words; nothing when networks can be made."""
    if not shutil.which("ip"):
        return ["ip is not installed (iproute2)"]
    if os.geteuid() != 0:
        return ["network namespaces need root"]
    name = f"probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return [f"no network namespaces: {made.stderr.strip()}"]
    _run("ip", "netns", "del", name)
    return []


class Lost(NamedTuple):
    """Packets of one node to an address of another one: that of its controller, or the one for all else."""

    sender: int
    receiver: int
    to_controller: bool


def between(senders: Iterable[int], receivers: Iterable[int]) -> list[Lost]:
    """Everything that these send to those."""
    receivers = list(receivers)
    return [Lost(a, b, kind) for a in senders for b in receivers if a != b for kind in (False, True)]


class Network:
    """A bridge with a namespace for each node; the bridge is on this machine's side, where clients are."""

    def __init__(self, nodes: Sequence[int]) -> None:
        self._nodes = list(nodes)
        self._mark = os.getpid() % 10_000
        self._subnet = _free_subnet()
        self._bridge = f"klamm-{self._mark}"
        self._addresses_of_hardware: dict[int, str] = {}
        self.lost: list[Lost] = []

    def place(self, node: int) -> Place:
        """Where a node runs."""
        return Place(self._address(node, False), self._address(node, True), self._namespace(node))

    def up(self) -> None:
        _run("ip", "link", "add", self._bridge, "type", "bridge")
        _run("ip", "addr", "add", f"10.{self._subnet}.255.254/16", "dev", self._bridge)
        _run("ip", "link", "set", self._bridge, "up")
        for node in self._nodes:
            namespace, outside = self._namespace(node), self._link(node)
            _run("ip", "netns", "add", namespace)
            _run("ip", "link", "add", outside, "type", "veth", "peer", "name", _DEVICE, "netns", namespace)
            _run("ip", "link", "set", outside, "master", self._bridge, "up")
            for is_controller in (False, True):
                self._inside(node, "addr", "add", f"{self._address(node, is_controller)}/16", "dev", _DEVICE)
            self._inside(node, "link", "set", "lo", "up")
            self._inside(node, "link", "set", _DEVICE, "up")
            (link,) = json.loads(self._inside(node, "-j", "link", "show", _DEVICE))
            self._addresses_of_hardware[node] = link["address"]
        # Known for good: nothing depends on who answers which question for an address when.
        for lost in between(self._nodes, self._nodes):
            self._set_way(lost, self._addresses_of_hardware[lost.receiver])
        self._join_clients()
        self._await_links()

    def down(self) -> None:
        """Remove what `up` made, as far as it is there. No process may run in the namespaces any more."""
        for node in self._nodes:
            # Before its namespace: the kernel empties that one later, and the name would be taken for the next network.
            subprocess.run(["ip", "link", "del", self._link(node)], capture_output=True, check=False)
            subprocess.run(["ip", "netns", "del", self._namespace(node)], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True, check=False)

    def lose(self, packets: Iterable[Lost]) -> None:
        """From now on these packets get lost."""
        for lost in packets:
            self._set_way(lost, _NOBODY)
            self.lost.append(lost)

    def heal(self) -> None:
        """All packets arrive again."""
        for lost in self.lost:
            self._set_way(lost, self._addresses_of_hardware[lost.receiver])
        self.lost = []

    def __enter__(self) -> Self:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.down()

    def _join_clients(self) -> None:
        """The same for clients. A bridge changes its hardware address with its links, until it is told one."""
        (bridge,) = json.loads(_run("ip", "-j", "link", "show", self._bridge))
        _run("ip", "link", "set", self._bridge, "address", bridge["address"])
        for node in self._nodes:
            way = ("lladdr", bridge["address"], "nud", "permanent", "dev", _DEVICE)
            self._inside(node, "neigh", "replace", f"10.{self._subnet}.255.254", *way)
            for is_controller in (False, True):
                way = ("lladdr", self._addresses_of_hardware[node], "nud", "permanent", "dev", self._bridge)
                _run("ip", "neigh", "replace", self._address(node, is_controller), *way)

    def _await_links(self) -> None:
        """The kernel tells of a carrier later, and what is sent before is lost."""
        for _ in range(_LINK_ATTEMPTS):
            links = json.loads(_run("ip", "-j", "link", "show", "master", self._bridge))
            if [link["operstate"] for link in links] == ["UP"] * len(self._nodes):
                return
            time.sleep(_LINK_PAUSE_S)
        raise RuntimeError(f"the links of {self._bridge} do not come up")

    def _set_way(self, lost: Lost, hardware: str) -> None:
        address = self._address(lost.receiver, lost.to_controller)
        self._inside(lost.sender, "neigh", "replace", address, "lladdr", hardware, "nud", "permanent", "dev", _DEVICE)

    def _address(self, node: int, is_controller: bool) -> str:
        return f"10.{self._subnet}.{int(is_controller)}.{node}"

    def _namespace(self, node: int) -> str:
        return f"klamm-{self._mark}-{node}"

    def _link(self, node: int) -> str:
        """The end of a node's link on this machine's side."""
        return f"kv-{self._mark}-{node}"

    def _inside(self, node: int, *arguments: str) -> str:
        return _run("ip", "-n", self._namespace(node), *arguments)


def _free_subnet() -> int:
    """The second byte of 10.x.0.0/16 that no other network of this machine has."""
    taken = {route["dst"] for route in json.loads(_run("ip", "-4", "-j", "route", "show", "table", "all"))}
    start = os.getpid() % len(_SUBNETS)
    subnets: list[int] = [*_SUBNETS[start:], *_SUBNETS[:start]]
    for subnet in subnets:
        if f"10.{subnet}.0.0/16" not in taken:
            return subnet
    raise RuntimeError("no subnet of 10.0.0.0/8 is free")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout

"""The loop with partitions, short; and its parts: networks that lose what they should, histories without an order."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from compat.cluster import ClusterTarget
from compat.partitions.__main__ import NODES, cluster_in
from compat.partitions.linearizable import CREATE, DELETE, LOOK, Operation, is_linearizable
from compat.partitions.loop import CUTS, Partitioner
from compat.partitions.network import Lost, Network, between, missing

needs_network = pytest.mark.skipif(bool(missing()), reason=f"no partitions here: {'; '.join(missing())}")


def history(*rows: tuple[str, float, float, bool | None]) -> list[Operation]:
    return [Operation(*row) for row in rows]


@pytest.mark.parametrize(
    "operations",
    [
        [],
        history((CREATE, 0, 0.1, True), (CREATE, 0.2, 0.3, False), (DELETE, 0.4, 0.5, True), (LOOK, 1, 2, False)),
        # Side by side, either may have been first.
        history((CREATE, 0, 0.2, False), (CREATE, 0, 0.2, True)),
        history((DELETE, 0, 0.2, True), (CREATE, 0, 0.2, True), (LOOK, 1, 2, False)),
        # Without an answer: carried out, or not, or later.
        history((CREATE, 0, 2, None), (LOOK, 3, 4, True)),
        history((CREATE, 0, 2, None), (LOOK, 3, 4, False)),
        history((CREATE, 0, 2, None), (CREATE, 3, 3.1, True), (DELETE, 4, 4.1, True), (CREATE, 5, 5.1, False)),
        # Slow: forwarded twice, and refused because of itself.
        history((CREATE, 0, 1.5, False), (LOOK, 3, 4, True)),
    ],
)
def test_histories_with_an_order(operations: list[Operation]) -> None:
    assert is_linearizable(operations)


@pytest.mark.parametrize(
    "operations",
    [
        # An acknowledged creation is lost, one that was deleted is there again, two succeed.
        history((CREATE, 0, 0.1, True), (LOOK, 1, 2, False)),
        history((CREATE, 0, 0.1, True), (DELETE, 0.2, 0.3, False)),
        history((CREATE, 0, 0.1, True), (DELETE, 0.2, 0.3, True), (LOOK, 1, 2, True)),
        history((CREATE, 0, 0.2, True), (CREATE, 0, 0.2, True)),
        # Somebody who asked later was told of an earlier state.
        history((CREATE, 0, 0.1, True), (DELETE, 0.2, 0.3, True), (CREATE, 0.4, 0.5, False), (LOOK, 1, 2, False)),
        # What has no answer cannot have been carried out before it was asked.
        history((CREATE, 0, 0.1, False), (CREATE, 1, 3, None)),
        # Refused at once: nobody forwards twice within a moment.
        history((CREATE, 0, 0.1, False), (LOOK, 3, 4, True)),
    ],
)
def test_histories_without_an_order(operations: list[Operation]) -> None:
    assert not is_linearizable(operations)


@pytest.fixture
def network() -> Iterator[Network]:
    with Network(NODES) as made:
        yield made


def can_reach(network: Network, sender: int, receiver: int, to_controller: bool = False) -> bool:
    """Whether a datagram arrives: it needs no way back."""
    place = network.place(receiver)
    address = place.controller_host if to_controller else place.host
    receive = (
        "import socket, sys; s = socket.socket(type=socket.SOCK_DGRAM); s.bind((sys.argv[1], 7)); s.settimeout(0.4)\n"
        "print('bound', flush=True)\n"
        "sys.stdin.readline()\n"
        "try: s.recv(9)\n"
        "except TimeoutError: sys.exit(1)"
    )
    inside = ["ip", "netns", "exec", place.namespace, sys.executable, "-c", receive, address]
    receiving = subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert receiving.stdout is not None
    assert receiving.stdout.readline() == "bound\n"
    send = "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', (sys.argv[1], 7))"
    sending = ["ip", "netns", "exec", network.place(sender).namespace, sys.executable, "-c", send, address]
    subprocess.run(sending, check=True)
    receiving.communicate("sent\n", timeout=30)  # what is lost is lost by now
    status = receiving.returncode
    return status == 0


@needs_network
def test_packets_get_lost_one_way_and_arrive_again(network: Network) -> None:
    assert can_reach(network, 1, 2)
    network.lose(between([1], [2]))
    assert not can_reach(network, 1, 2)
    assert not can_reach(network, 1, 2, to_controller=True)
    assert can_reach(network, 2, 1)
    assert can_reach(network, 1, 3)
    network.heal()
    assert can_reach(network, 1, 2)
    network.lose([Lost(3, 1, True)])
    assert not can_reach(network, 3, 1, to_controller=True)
    assert can_reach(network, 3, 1)


@needs_network
def test_a_network_can_be_made_again_at_once() -> None:
    for _ in range(10):
        with Network(NODES):
            pass


@needs_network
def test_clients_reach_every_node(network: Network) -> None:
    network.lose(between(NODES, NODES))
    host = network.place(2).host
    serve = "import socket, sys; s = socket.create_server((sys.argv[1], 7)); print('on', flush=True); s.accept()"
    inside = ["ip", "netns", "exec", network.place(2).namespace, sys.executable, "-c", serve, host]
    serving = subprocess.Popen(inside, stdout=subprocess.PIPE, text=True)
    assert serving.stdout is not None
    serving.stdout.readline()
    # It is about the way, not about how long it takes: the time is for the machine to be busy in.
    socket.create_connection((host, 7), timeout=30).close()
    assert serving.wait(30) == 0
    serving.stdout.close()


@pytest.fixture
def cluster(request: pytest.FixtureRequest, network: Network) -> Iterator[ClusterTarget]:
    with cluster_in(network, request.config.getoption("--target")) as made:
        yield made


@needs_network
def test_three_cuts(network: Network, cluster: ClusterTarget) -> None:
    partitioner = Partitioner(cluster, network, seed=2, rate=1000)
    partitioner.run(3, ["leader alone", "without controllers", "deaf"])
    assert partitioner.ledger.violations == []
    totals = partitioner.totals()
    assert totals["acknowledged"] == totals["sent"] > 1500
    assert totals["metadata_answers"] > 20


def test_every_cut_loses_something() -> None:
    for cut in CUTS.values():
        lost = cut(1, [2, 3])
        assert lost
        assert all(packets.sender != packets.receiver for packets in lost)

"""Metadata of 10 topics of 1,000 partitions: asked again and again, after a new topic, and after a change of all.

A broker that keeps encoded answers is also measured where it cannot use them: right after another topic was created,
and when every topic has got another partition.
"""

from __future__ import annotations

import socket
import statistics
import struct
import time

from confluent_kafka.cimpl import NewPartitions

from compat.bench.side import FRESH, Side
from compat.bench.subject import Figures, Length, Subject

TOPICS, PARTITIONS = 10, 1000
CHANGES = 5
_METADATA = 3
# What the load generator does not ask with, while it waits for partitions: an answer in it is not at hand.
_OTHER_VERSION = 11
VERSION = 12


class Metadata(Subject):
    """Runs on brokers of its own, so that 10,000 partitions are in nobody else's figures."""

    name = "metadata"

    def prepare(self, side: Side, length: Length) -> None:
        target = FRESH[side.name]()
        target.start()
        wide = side.state[self.name] = side.beside(target)
        wide.state["partitions"] = PARTITIONS
        self._widen(wide)
        # Kafka's answer is made anew each time: 10,000 calls bring its compiler through.
        wide.load("metadata", seconds=2 * length.seconds)

    def measure(self, side: Side, length: Length) -> Figures:
        wide: Side = side.state[self.name]
        cached = wide.load("metadata", seconds=length.seconds)["latency_us"]["p50"]
        return {
            "metadata_cached_us": cached,
            "metadata_changed_us": self._after_new_topic(wide),
            "metadata_uncached_us": self._after_all_changed(wide),
        }

    def clean(self, side: Side) -> None:
        side.state[self.name].target.remove()

    def _after_new_topic(self, wide: Side) -> float:
        samples = []
        with connect(wide.bootstrap) as connection:
            for _ in range(CHANGES):
                topic = wide.create()
                samples.append(ask_all(connection, VERSION, PARTITIONS * TOPICS))
                wide.delete(topic)
        return statistics.median(samples)

    def _after_all_changed(self, wide: Side) -> float:
        samples = []
        with connect(wide.bootstrap) as connection:
            for _ in range(CHANGES):
                wide.state["partitions"] += 1
                asked = [NewPartitions(f"wide-{number}", wide.state["partitions"]) for number in range(TOPICS)]
                for done in wide.admin.create_partitions(asked).values():
                    done.result(60)
                self._widen(wide)
                samples.append(ask_all(connection, _OTHER_VERSION, PARTITIONS * TOPICS))
        return statistics.median(samples)

    @staticmethod
    def _widen(wide: Side) -> None:
        """Create what is missing, and wait until all is served. Kafka takes no 10,000 partitions in one request."""
        for number in range(TOPICS):
            wide.load("create", "-topic", f"wide-{number}", "-partitions", wide.state["partitions"], seconds=1)


def connect(bootstrap: str) -> socket.socket:
    host, _, port = bootstrap.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask_all(connection: socket.socket, version: int, partitions: int) -> float:
    """Microseconds from a Metadata request for all topics to the last byte of its answer.

    Raises RuntimeError for an answer that cannot hold so many partitions.
    """
    client = b"bench"
    header = struct.pack(">hhih", _METADATA, version, 1, len(client)) + client + b"\0"
    # All topics; no automatic creation; no authorized operations; no tagged fields.
    request = header + b"\0\0\0\0"
    begin = time.perf_counter()
    connection.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _receive(connection, 4))
    _receive(connection, size)
    taken_us = (time.perf_counter() - begin) * 1e6
    if size < partitions * 20:
        raise RuntimeError(f"a Metadata answer of {size} bytes does not hold all partitions")
    return taken_us


def _receive(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = connection.recv_into(rest)
        if not count:
            raise RuntimeError("the broker closed the connection")
        rest = rest[count:]
    return data

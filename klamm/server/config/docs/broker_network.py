"""What the broker keys of `tables/broker_network.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

NETWORK_DOCS: Final[dict[str, str]] = {
    "advertised.listeners": (
        "The addresses that clients and other nodes are told to connect to; the listeners when not set."
    ),
    "compression.gzip.level": (
        "Level of gzip where the broker compresses: 1 is fastest, 9 smallest, -1 the library's default."
    ),
    "compression.lz4.level": "Level of lz4 where the broker compresses.",
    "compression.type": (
        "How topics store batches unless they say otherwise: one codec, uncompressed, or as the producer sent them."
    ),
    "compression.zstd.level": "Level of zstd where the broker compresses.",
    "connection.failed.authentication.delay.ms": (
        "How long a connection is kept open after a failed authentication before it is closed."
    ),
    "connections.max.idle.ms": "A connection without traffic is closed after this time.",
    "delete.records.purgatory.purge.interval.requests": (
        "After this many finished DeleteRecords waits they are cleared from memory."
    ),
    "fetch.max.bytes": "Most bytes that one fetch returns, save that the first batch is always returned whole.",
    "fetch.purgatory.purge.interval.requests": "After this many finished fetch waits they are cleared from memory.",
    "inter.broker.listener.name": (
        "The listener that brokers use among themselves; by default the one of security.inter.broker.protocol."
    ),
    "listener.security.protocol.map": "Which security protocol each listener name stands for, as NAME:PROTOCOL pairs.",
    "listeners": "Where this node listens, as NAME://host:port entries; an empty host means every interface.",
    "max.connection.creation.rate": "Most new connections a second; also to be set for one listener by its prefix.",
    "max.connections": "Most connections this broker accepts at a time; also to be set for one listener by its prefix.",
    "max.connections.per.ip": "Most connections from one client address.",
    "max.connections.per.ip.overrides": "Exceptions from max.connections.per.ip, as host:count pairs.",
    "max.incremental.fetch.session.cache.slots": "Number of fetch sessions that are remembered.",
    "max.request.partition.size.limit": (
        "Most partitions that one request may name where the protocol lets the broker page its answer."
    ),
    "message.max.bytes": "Largest record batch, after compression, that topics accept unless they say otherwise.",
    "num.network.threads": "Number of threads per listener that read requests and write responses.",
    "producer.purgatory.purge.interval.requests": (
        "After this many finished produce waits they are cleared from memory."
    ),
    "queued.max.request.bytes": (
        "Bytes of requests that may wait before connections are no longer read; -1 is no bound."
    ),
    "queued.max.requests": "Requests that may wait to be carried out before connections are no longer read.",
    "socket.connection.setup.timeout.max.ms": (
        "Upper bound of the connection setup time, which grows with each failure in a row."
    ),
    "socket.connection.setup.timeout.ms": "How long the first attempt to open a connection may take.",
    "socket.listen.backlog.size": "Connections that may wait in the operating system to be accepted.",
    "socket.receive.buffer.bytes": (
        "Receive buffer (SO_RCVBUF) of server sockets; -1 leaves it to the operating system."
    ),
    "socket.request.max.bytes": "Largest request that is read; a larger one closes its connection.",
    "socket.send.buffer.bytes": "Send buffer (SO_SNDBUF) of server sockets; -1 leaves it to the operating system.",
}

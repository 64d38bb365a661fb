"""Where answers name addresses of nodes, and how they are replaced. Nothing else of an answer changes.

A client goes to whatever address it is told; a proxy that wants to stay between must be that address.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from klamm.kproto import apis
from klamm.kproto.schema import Message, Struct
from klamm.proxy.exchange import Answer

Address = tuple[str, int]

_PLACES: Final[dict[int, tuple[int, tuple[str, ...]]]] = {
    apis.METADATA: (0, ("brokers",)),
    apis.FIND_COORDINATOR: (0, ("", "coordinators")),
    apis.DESCRIBE_CLUSTER: (0, ("brokers",)),
    apis.PRODUCE: (10, ("node_endpoints",)),
    apis.FETCH: (16, ("node_endpoints",)),
    apis.SHARE_FETCH: (0, ("node_endpoints",)),
    apis.SHARE_ACKNOWLEDGE: (0, ("node_endpoints",)),
    apis.FETCH_SNAPSHOT: (1, ("node_endpoints",)),
    apis.VOTE: (1, ("node_endpoints",)),
    apis.BEGIN_QUORUM_EPOCH: (1, ("node_endpoints",)),
    apis.END_QUORUM_EPOCH: (1, ("node_endpoints",)),
    apis.DESCRIBE_QUORUM: (2, ("nodes.listeners",)),
    apis.UPDATE_RAFT_VOTER: (0, ("current_leader",)),
}
"""API key -> the first version whose answers have addresses, and where: "" is the message itself."""


def names_addresses(key: int, version: int) -> bool:
    """Whether answers of an API and version may name addresses."""
    place = _PLACES.get(key)
    return place is not None and version >= place[0]


def bearers(message: Message) -> Iterator[Any]:
    """The structs of an answer that bear a node's `host` and `port`, without those that stand for no node."""
    for path in _PLACES[message.__schema__.key][1]:
        for struct_ in _at(message, path.split(".") if path else []):
            if struct_.host and struct_.port > 0:
                yield struct_


def _at(value: Struct, path: list[str]) -> Iterator[Any]:
    if not path:
        yield value
        return
    inner = getattr(value, path[0])
    for item in inner if isinstance(inner, list) else [inner]:
        yield from _at(item, path[1:])


def rewritten(frame: bytes | memoryview, answer: Answer, local: Callable[[Address], Address]) -> bytes:
    """The frame, size in front, with every address replaced by `local(address)`."""
    for bearer in bearers(answer.message):
        bearer.host, bearer.port = local((bearer.host, bearer.port))
    body = answer.message.encode(answer.version)
    tail = frame[answer.end :]  # Kafka reads over bytes behind the body: they stay
    size = answer.start + len(body) + len(tail)
    return b"".join([struct.pack(">i", size), frame[: answer.start], body, tail])

"""The forms in which addresses stand in settings: host:port, and id@host:port for quorum voters.

Pure parsing, nothing is looked up. The grammar is Kafka's (`Utils.HOST_PORT_PATTERN`): an optional scheme, an IPv6
address in brackets, no check that the host exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

_HOST_PORT: Final = r"(?:[0-9a-zA-Z\-%._]*://)?\[?([0-9a-zA-Z\-%._:]*)\]?:([0-9]+)"
_HOST: Final = r"[0-9a-zA-Z\-%._:]*"
PORT_MAX: Final = 65535


class Address(NamedTuple):
    host: str
    port: int


def parse_address(text: str) -> Address | None:
    """`host:port` as an Address, None when it is no such thing."""
    match = re.fullmatch(_HOST_PORT, text)
    if match is None:
        return None
    port = int(match[2])
    return Address(match[1], port) if port <= PORT_MAX else None


def is_host(text: str) -> bool:
    """Whether `text` has only characters that a host name or address may have."""
    return re.fullmatch(_HOST, text) is not None


def parse_voters(entries: Iterable[str]) -> dict[int, Address] | None:
    """`id@host:port` entries by id, None when one of them is no such thing (controller.quorum.voters)."""
    voters: dict[int, Address] = {}
    for entry in entries:
        node_id, at, rest = entry.partition("@")
        address = parse_address(rest)
        if not at or address is None or re.fullmatch(r"[+-]?[0-9]+", node_id, re.ASCII) is None:
            return None
        voters[int(node_id)] = address
    return voters

"""Addresses in answers are replaced, in every API and version that has them, and no other byte changes."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from klamm.kproto import apis
from klamm.kproto.apis import APIS
from klamm.kproto.catalog import message_class, message_names
from klamm.kproto.schema import Message, Struct
from klamm.proxy.addresses import bearers, names_addresses, rewritten
from klamm.proxy.exchange import Exchange

CASES = [(key, version) for key, api in APIS.items() for version in range(api.low, api.high + 1)
         if names_addresses(key, version)]  # fmt: skip
NOT_NODES = {
    "StreamsGroupDescribeResponse",  # addresses of applications, which only they use
    "StreamsGroupHeartbeatResponse",
    "DescribeAclsResponse",  # "host" is a pattern of clients
    "DeleteAclsResponse",
}


def full(cls: type[Struct], version: int, depth: int = 0) -> Any:
    """A struct with two items in each of its arrays, and with a tagged field that no schema knows."""
    values: dict[str, Any] = {}
    for field in cls.__schema__.fields:
        if not (field.exists_in(version) or field.tagged_in(version)):
            continue
        if field.struct is not None:
            made = [full(field.struct, version, depth + 1) for _ in range(2 if field.array else 1)]
            values[field.name] = made if field.array else made[0]
        elif field.name in ("host", "port"):
            values[field.name] = "broker" if field.name == "host" else 9092
    return cls(**values)


def frame_of(key: int, version: int, message: Message) -> bytes:
    header = struct.pack(">i", 7) + bytes(APIS[key].response_header_version(version))
    return header + message.encode(version)


def exchange_of(key: int, version: int) -> Exchange:
    exchange = Exchange(key, version, 7, "test", 0)
    exchange.api = APIS[key]
    return exchange


@pytest.mark.parametrize(("key", "version"), CASES, ids=lambda n: APIS[n].name if n in APIS else str(n))
def test_only_addresses_change(key: int, version: int) -> None:
    message = full(message_class(f"{APIS[key].name}Response"), version)
    if APIS[key].response_header_version(version):
        message.unknown_tagged_fields = [(99, b"new")]
    frame = frame_of(key, version, message)
    answer = exchange_of(key, version).response_from(frame)
    assert [(b.host, b.port) for b in bearers(answer.message)], "the case names no address"
    assert rewritten(frame, answer, lambda address: address) == struct.pack(">i", len(frame)) + frame

    answer = exchange_of(key, version).response_from(frame)
    moved = rewritten(frame, answer, lambda address: ("127.0.0.1", address[1] + 1))
    again = exchange_of(key, version).response_from(moved[4:])
    assert {(b.host, b.port) for b in bearers(again.message)} == {("127.0.0.1", 9093)}
    for bearer in bearers(again.message):
        bearer.host, bearer.port = "broker", 9092
    assert again.message == message
    assert again.message.unknown_tagged_fields == message.unknown_tagged_fields


def test_bytes_behind_the_body_stay() -> None:
    message = full(message_class("MetadataResponse"), 12)
    frame = frame_of(apis.METADATA, 12, message) + b"tail"
    answer = exchange_of(apis.METADATA, 12).response_from(frame)
    assert rewritten(frame, answer, lambda address: address) == struct.pack(">i", len(frame)) + frame


def test_no_node_is_no_address() -> None:
    """COORDINATOR_NOT_AVAILABLE comes with an empty host and port -1."""
    cls: Any = message_class("FindCoordinatorResponse")
    nobody = cls.Coordinator(key="g", node_id=-1, host="", port=-1, error_code=15)
    assert list(bearers(cls(coordinators=[nobody]))) == []


def test_every_answer_with_an_address_is_known() -> None:
    """A new message with host and port is either replaced or named here with its reason."""

    def has_address(cls: type[Struct]) -> bool:
        names = {field.name for field in cls.__schema__.fields}
        return {"host", "port"} <= names or any(
            has_address(field.struct) for field in cls.__schema__.fields if field.struct is not None
        )

    served = {api.name: key for key, api in APIS.items()}
    found = {
        name
        for name in message_names()
        if name.endswith("Response") and name.removesuffix("Response") in served and has_address(message_class(name))
    }
    known = {f"{APIS[key].name}Response" for key, _ in CASES}
    assert found - NOT_NODES == known

"""What a header tells, and that no bytes are too strange for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klamm.kproto import apis
from klamm.kproto.apis import APIS
from klamm.kproto.catalog import message_class
from klamm.kproto.messages.header import RequestHeader
from klamm.proxy.exchange import read_exchange


def framed(key: int, version: int, body: bytes, client_id: str | None = "me") -> memoryview:
    header = RequestHeader(
        request_api_key=key, request_api_version=version, correlation_id=5, client_id=client_id
    ).encode(APIS[key].request_header_version(version))
    return memoryview(header + body)


@pytest.mark.parametrize("key", sorted(APIS))
def test_every_api_and_version(key: int) -> None:
    api = APIS[key]
    for version in range(api.low, api.high + 1):
        request = message_class(f"{api.name}Request")()
        exchange = read_exchange(framed(key, version, request.encode(version)))
        assert (exchange.name, exchange.version, exchange.correlation_id) == (api.name, version, 5)
        assert exchange.client_id == "me"
        exchange.frame = framed(key, version, request.encode(version))
        assert exchange.request() == request


@pytest.mark.parametrize("version", range(3, 14))
@pytest.mark.parametrize("transactional_id", [None, "", "t" * 200])
@pytest.mark.parametrize("acks", [0, 1, -1])
def test_produce_without_acknowledgement_has_no_answer(version: int, transactional_id: str | None, acks: int) -> None:
    body = message_class("ProduceRequest")(transactional_id=transactional_id, acks=acks).encode(version)
    assert read_exchange(framed(apis.PRODUCE, version, body)).has_answer is (acks != 0)


def test_a_version_that_is_not_known_here() -> None:
    exchange = read_exchange(framed(apis.METADATA, 14, b"\x01new"))
    assert (exchange.api, exchange.name, exchange.version, exchange.client_id) == (None, "Metadata", 14, "me")
    assert not exchange.is_token


def test_an_api_that_is_not_known_here() -> None:
    exchange = read_exchange(memoryview(b"\x01\x00\x00\x01\x00\x00\x00\x09\x00\x02meREST"))
    assert (exchange.api, exchange.name, exchange.correlation_id, exchange.client_id) == (None, "Api256", 9, "me")


@pytest.mark.parametrize(
    "token",
    [b"\x00alice\x00secret", b"\x00A\x00secret", b"n,,n=user,r=fyko+d2lbbFgONRv9", b"`\x82\x02q\x06\t", b"", b"\x00"],
)
def test_a_sasl_token_is_no_request(token: bytes) -> None:
    assert read_exchange(memoryview(token)).is_token


@given(st.binary(max_size=64))
def test_any_bytes(data: bytes) -> None:
    assert read_exchange(memoryview(data)).size_bytes == len(data)

"""What people read: titles, sizes, errors by name and place, topics in short; and the same as JSON."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from klamm.kproto.apis import APIS
from klamm.kproto.catalog import message_class, message_names
from klamm.kproto.messages.header import RequestHeader
from klamm.kproto.messages.metadata import MetadataResponse
from klamm.kproto.schema import Message
from klamm.proxy.exchange import Exchange, read_exchange
from klamm.proxy.recorded import RecordedLink
from klamm.proxy.show import Shower
from klamm.proxy.subjects import TopicNames, errors_in, subjects, topics_text
from tests.clock import FakeClock
from tests.proxy.test_addresses import full

TOPIC_ID = bytes(15) + b"\x07"


def exchange_of(name: str, version: int, request: Message, answer: Message | None = None) -> Exchange:
    api = next(api for api in APIS.values() if api.name == name)
    header = RequestHeader(
        request_api_key=api.key, request_api_version=version, correlation_id=4, client_id="app"
    ).encode(api.request_header_version(version))
    frame = header + request.encode(version)
    exchange = read_exchange(memoryview(frame))
    exchange.frame = frame
    if answer is not None:
        exchange.answer = struct.pack(">i", 4) + bytes(api.response_header_version(version)) + answer.encode(version)
    return exchange


class Shown:
    """A shower and its lines."""

    def __init__(self, **more: Any) -> None:
        self.lines: list[str] = []
        self.names = TopicNames()
        self.link = RecordedLink(3, ("broker", 9092))
        self.shower = Shower(self.lines.append, FakeClock(), self.names, **more)

    def both(self, exchange: Exchange) -> list[str]:
        self.shower.asked(self.link, exchange)
        self.shower.answered(self.link, exchange, 2.345)
        return self.lines


def commit() -> Exchange:
    request: Any = message_class("OffsetCommitRequest")
    response: Any = message_class("OffsetCommitResponse")
    asked, told = request.OffsetCommitRequestTopic, response.OffsetCommitResponseTopic
    parts = [asked.OffsetCommitRequestPartition(partition_index=i, committed_offset=1) for i in (0, 1, 2, 5)]
    codes = [told.OffsetCommitResponsePartition(partition_index=i, error_code=c) for i, c in ((0, 0), (1, 25), (5, 22))]
    return exchange_of(
        "OffsetCommit",
        8,
        request(group_id="shop", generation_id_or_member_epoch=3, topics=[asked(name="orders", partitions=parts)]),
        response(topics=[told(name="orders", partitions=codes)]),
    )


def test_a_line_for_the_request_and_one_for_the_answer() -> None:
    asked, answered = Shown().both(commit())
    assert asked.split(" ", 1)[1].startswith("#3   > OffsetCommit v8 id 4  ")
    assert "  app  group shop  orders[0-2,5]" in asked
    assert " 2.3 ms  UNKNOWN_MEMBER_ID (orders-1)  ILLEGAL_GENERATION (orders-5)  orders[0-1,5]" in answered


def test_as_json() -> None:
    asked, answered = map(json.loads, Shown(is_json=True).both(commit()))
    assert (asked["event"], asked["api"], asked["version"], asked["client_id"]) == ("request", "OffsetCommit", 8, "app")
    assert (asked["topics"], asked["groups"]) == ({"orders": [0, 1, 2, 5]}, ["shop"])
    assert [(e["error"], e["where"]) for e in answered["errors"]] == [
        ("UNKNOWN_MEMBER_ID", "orders-1"), ("ILLEGAL_GENERATION", "orders-5"),
    ]  # fmt: skip
    assert answered["took_ms"] == 2.345


def test_in_full() -> None:
    lines = Shown(form="full").both(commit())
    assert len(lines) == 4
    assert json.loads(lines[1])["groupId"] == "shop"
    assert json.loads(lines[3])["topics"][0]["partitions"][1]["errorCode"] == 25


def test_topics_by_id_have_their_names_once_metadata_has_told_them() -> None:
    shown = Shown()
    fetch: Any = message_class("FetchRequest")
    topic = fetch.FetchTopic(topic_id=TOPIC_ID, partitions=[fetch.FetchTopic.FetchPartition(partition=2)])
    exchange = exchange_of("Fetch", 17, fetch(topics=[topic]), message_class("FetchResponse")(error_code=70))
    assert "AAAAAAAAAAAAAAAAAAAABw[2]" in shown.both(exchange)[0]
    row = MetadataResponse.MetadataResponseTopic(name="orders", topic_id=TOPIC_ID, partitions=[])
    metadata = exchange_of("Metadata", 12, message_class("MetadataRequest")(topics=[]), MetadataResponse(topics=[row]))
    shown.both(metadata)
    del shown.lines[:]
    asked, answered = shown.both(exchange)
    assert "  orders[2]" in asked
    assert "FETCH_SESSION_ID_NOT_FOUND" in answered


def test_ranges_and_many_topics() -> None:
    topics = {f"t{i}": [0] for i in range(9)}
    assert topics_text({"a": [3, 1, 2, 7], "b": []}) == "a[1-3,7] b"
    assert topics_text(topics).endswith("t5[0] and 3 more topics")


@pytest.mark.parametrize("name", [name for name in message_names() if name.endswith(("Request", "Response"))])
def test_every_message_can_be_told(name: str) -> None:
    cls = message_class(name)
    low, high = cls.__schema__.versions
    for version in range(low, high + 1):
        message = full(cls, version)
        subjects(message, TopicNames())
        assert errors_in(message, TopicNames()) == []

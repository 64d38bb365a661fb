"""Every fault, with a real client or on the wire, in front of klamm."""

from __future__ import annotations

import socket
import struct
import time
import uuid
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from klamm.kproto import errors
from klamm.kproto.errors import ProtocolError
from klamm.kproto.messages.header import RequestHeader
from klamm.kproto.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.proxy.rules import parse_rule
from klamm.testing.wire import WireClient
from tests.proxy.conftest import Running, Starting

LIST_GROUPS = ListGroupsRequest(states_filter=[], types_filter=[])


def producer(running: Running, **more: Any) -> KafkaProducer:
    settings = {"retry_backoff_ms": 10, "request_timeout_ms": 20000, **more}
    return KafkaProducer(bootstrap_servers=running.address, client_id="app-1", **settings)


def consumed(running: Running, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=running.address, auto_offset_reset="earliest", consumer_timeout_ms=20000
    )
    # The numbers first: behind the last one nobody waits for another message.
    values = [message.value for _, message in zip(range(count), consumer, strict=False)]
    consumer.close()
    return values


def ask(client: WireClient) -> ListGroupsResponse:
    return client.ask(LIST_GROUPS, 5, ListGroupsResponse)


def new_topic() -> str:
    return f"t-{uuid.uuid4()}"


def test_an_error_makes_the_producer_try_again(proxied: Starting) -> None:
    rule = parse_rule("api=Produce,nth=1-2,do=error,error=NOT_LEADER_OR_FOLLOWER,client_id=app-*")
    running, topic = proxied(rule), new_topic()
    sending = producer(running)
    assert sending.send(topic, b"once").get(timeout=20).offset == 0
    sending.close()
    assert (rule.done, rule.seen) == (2, 3)
    assert consumed(running, topic, 1) == [b"once"]
    assert "NOT_LEADER_OR_FOLLOWER" in "".join(running.shown)
    assert "(the server was not asked)" in "".join(running.shown)


def test_an_error_for_good_reaches_the_application(proxied: Starting) -> None:
    topic = new_topic()
    running = proxied(parse_rule(f"api=Produce,topic={topic},do=error,error=TOPIC_AUTHORIZATION_FAILED"))
    sending = producer(running, enable_idempotence=False)
    with pytest.raises(TopicAuthorizationFailedError):
        sending.send(topic, b"x").get(timeout=20)
    assert sending.send(new_topic(), b"y").get(timeout=20).offset == 0
    sending.close()


def test_an_error_in_place_of_what_the_server_has_done(proxied: Starting) -> None:
    """With forward the record is there already when the producer hears that it is not: its sequence finds that out."""
    topic = new_topic()
    running = proxied(parse_rule(f"api=Produce,nth=1,topic={topic},do=error,error=REQUEST_TIMED_OUT,forward=true"))
    sending = producer(running)
    sending.send(topic, b"once").get(timeout=20)
    sending.send(topic, b"twice").get(timeout=20)
    sending.close()
    assert consumed(running, topic, 2) == [b"once", b"twice"]


def test_an_error_in_a_fetch_of_a_session(proxied: Starting) -> None:
    topic = new_topic()
    rule = parse_rule(f"api=Fetch,topic={topic},nth=2-3,do=error,error=NOT_LEADER_OR_FOLLOWER")
    running = proxied(rule)
    sending = producer(running)
    for i in range(3):
        sending.send(topic, b"%d" % i).get(timeout=20)
    consumer = KafkaConsumer(
        topic, bootstrap_servers=running.address, auto_offset_reset="earliest", consumer_timeout_ms=20000,
        max_partition_fetch_bytes=80, fetch_max_wait_ms=50,
    )  # fmt: skip
    assert [next(consumer).value for _ in range(3)] == [b"0", b"1", b"2"]
    while rule.done < 2:
        consumer.poll(timeout_ms=50)
    sending.send(topic, b"3").get(timeout=20)
    assert next(consumer).value == b"3"
    consumer.close()
    sending.close()


def test_a_topic_that_metadata_does_not_know_for_a_while(proxied: Starting) -> None:
    topic = new_topic()
    rule = parse_rule(f"api=Metadata,topic={topic},times=3,do=error,error=UNKNOWN_TOPIC_OR_PARTITION")
    running = proxied(rule)
    sending = producer(running)
    assert sending.send(topic, b"x").get(timeout=20).offset == 0
    sending.close()
    assert rule.done == 3


def test_delay(proxied: Starting) -> None:
    with WireClient(proxied(parse_rule("api=ListGroups,nth=2,do=delay,ms=300")).address) as client:
        ask(client)
        began = time.monotonic()
        assert ask(client).error_code == 0
        assert time.monotonic() - began >= 0.3


def test_delay_of_the_request(proxied: Starting) -> None:
    running = proxied(parse_rule("api=ListGroups,do=delay,ms=200,side=request"))
    with WireClient(running.address) as client:
        ids = [client.send(LIST_GROUPS, 5), client.send(MetadataRequest(topics=[]), 12)]
        client.receive(ListGroupsResponse, 5, ids[0])
        client.receive(MetadataResponse, 12, ids[1])
    (line,) = [line for line in running.shown if "< ListGroups" in line]
    assert float(line.split()[9]) >= 200, line


def test_a_dropped_answer(proxied: Starting) -> None:
    running = proxied(parse_rule("api=ListGroups,do=drop"))
    with WireClient(running.address, timeout_s=0.3) as client, pytest.raises(TimeoutError):
        ask(client)
    assert "< ListGroups v5" in "".join(running.shown), "the server has answered"


def test_a_dropped_request(proxied: Starting) -> None:
    running = proxied(parse_rule("api=ListGroups,do=drop,side=request"))
    with WireClient(running.address, timeout_s=0.3) as client, pytest.raises(TimeoutError):
        ask(client)
    assert "< ListGroups v5" not in "".join(running.shown), "the server was not asked"


def test_a_dropped_answer_times_out_in_the_client(proxied: Starting) -> None:
    topic = new_topic()
    running = proxied(parse_rule("api=Produce,nth=1,do=drop"))
    sending = producer(running, request_timeout_ms=1000, delivery_timeout_ms=20000)
    sending.send(topic, b"once").get(timeout=20)
    sending.close()
    assert consumed(running, topic, 1) == [b"once"]


@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_closed_connection(proxied: Starting, side: str) -> None:
    """Before the request reaches the server, or after: the record is there once in both cases."""
    topic = new_topic()
    running = proxied(parse_rule(f"api=Produce,nth=1,do=close,side={side}"))
    sending = producer(running)
    sending.send(topic, b"once").get(timeout=20)
    sending.send(topic, b"twice").get(timeout=20)
    sending.close()
    assert consumed(running, topic, 2) == [b"once", b"twice"]
    assert "closed by the proxy" in "".join(running.shown)


def test_a_cut_answer(proxied: Starting) -> None:
    running = proxied(parse_rule("api=ListGroups,do=cut,bytes=6"))
    client = WireClient(running.address)
    client.send(LIST_GROUPS, 5)
    with client, pytest.raises(ConnectionResetError):
        client.receive(ListGroupsResponse, 5, 1)


def test_a_cut_answer_is_asked_for_again(proxied: Starting) -> None:
    topic = new_topic()
    running = proxied(parse_rule("api=Fetch,nth=1,do=cut,bytes=20"))
    sending = producer(running)
    sending.send(topic, b"x").get(timeout=20)
    sending.close()
    assert consumed(running, topic, 1) == [b"x"]


def test_garbled_bytes_are_the_same_for_a_seed(proxied: Starting) -> None:
    def garbled(seed: int) -> bytes:
        running = proxied(parse_rule("api=ListGroups,do=garble,bytes=3"), seed=seed)
        header = RequestHeader(request_api_key=16, request_api_version=5, correlation_id=1, client_id="c").encode(2)
        frame = header + LIST_GROUPS.encode(5)
        host, _, port = running.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection, connection.makefile("rb") as stream:
            connection.sendall(struct.pack(">i", len(frame)) + frame)
            return stream.read(struct.unpack(">i", stream.read(4))[0])

    first, again, other = garbled(7), garbled(7), garbled(8)
    assert first == again
    assert first != other
    assert first[:4] == other[:4] == struct.pack(">i", 1), "it is still the answer to that request"
    with pytest.raises(ProtocolError), WireClient(proxied(parse_rule("do=garble,bytes=400")).address) as client:
        while ask(client).error_code is not None:
            pass


def test_held_until_told(proxied: Starting) -> None:
    running = proxied(parse_rule("api=Produce,do=hold,nth=1,name=x"))
    sending, topic = producer(running), new_topic()
    future = sending.send(topic, b"x")
    with pytest.raises(KafkaTimeoutError):
        future.get(timeout=0.3)
    running.call(lambda: running.faults.release("another"))
    running.call(lambda: running.faults.release("x"))
    assert future.get(timeout=20).offset == 0
    sending.close()


def test_throttled_bytes(proxied: Starting) -> None:
    topic, value = new_topic(), bytes(20_000)
    running = proxied(parse_rule(f"api=Fetch,topic={topic},do=throttle,bytes_per_s=50000"))
    sending = producer(running)
    sending.send(topic, value).get(timeout=20)
    sending.close()
    began = time.monotonic()
    assert consumed(running, topic, 1) == [value]
    assert time.monotonic() - began >= 0.35


def test_probability_by_seed(proxied: Starting) -> None:
    def failed(seed: int) -> list[bool]:
        running = proxied(parse_rule("api=ListGroups,probability=0.5,do=error,error=NOT_COORDINATOR"), seed=seed)
        with WireClient(running.address) as client:
            return [ask(client).error_code == errors.NOT_COORDINATOR for _ in range(20)]

    first, again, other = failed(1), failed(1), failed(2)
    assert first == again
    assert first != other
    assert 3 < sum(first) < 17


def test_what_rules_have_done_is_told(proxied: Starting) -> None:
    running = proxied(parse_rule("api=ListGroups,nth=2,do=error,error=NOT_COORDINATOR"))
    with WireClient(running.address) as client:
        assert [ask(client).error_code for _ in range(3)] == [0, 16, 0]
    assert running.faults.told() == [
        "api=ListGroups nth=2 do=error error=NOT_COORDINATOR: 1 of 3 that fitted, NOT_COORDINATOR"
    ]

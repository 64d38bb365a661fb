"""Listeners: parsing, and Kafka's rules of which listener may stand where."""

from __future__ import annotations

import pytest

from klamm.server.config.broker_config import BrokerConfig
from klamm.server.config.listeners import Endpoint, Listeners, with_port
from klamm.server.config.properties import parse_properties
from klamm.server.config.values import ConfigError

COMBINED = "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=h:1\n"
CONTROLLER = (
    "process.roles=controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=h:1\ncontroller.listener.names=C\n"
)
BROKER = "process.roles=broker\nnode.id=1\ncontroller.quorum.bootstrap.servers=h:1\n"


def resolve(properties: str) -> Listeners:
    return BrokerConfig.load(properties=parse_properties(properties)).listeners


def test_a_combined_node() -> None:
    listeners = resolve(
        COMBINED + "controller.listener.names=CONTROLLER\n"
        "listeners=PLAINTEXT://0.0.0.0:9092,controller://[::1]:9093,ssl://h:9094\n"
        "advertised.listeners=PLAINTEXT://kafka:29092,SSL://kafka:29094\n"
        "listener.security.protocol.map=controller:plaintext, PLAINTEXT:PLAINTEXT,SSL:SSL\n"
    )
    assert listeners.broker == (
        Endpoint("PLAINTEXT", "0.0.0.0", 9092, "PLAINTEXT"),
        Endpoint("SSL", "h", 9094, "SSL"),
    )
    assert listeners.controller == (Endpoint("CONTROLLER", "::1", 9093, "PLAINTEXT"),)
    assert [str(endpoint) for endpoint in listeners.advertised_broker] == [
        "PLAINTEXT://kafka:29092",
        "SSL://kafka:29094",
    ]
    assert str(listeners.advertised_controller[0]) == "CONTROLLER://[::1]:9093"
    assert (listeners.inter_broker, listeners.inter_broker_security_protocol) == ("PLAINTEXT", "PLAINTEXT")


def test_listeners_are_advertised_as_they_are_by_default() -> None:
    listeners = resolve(COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://h:9092,C://h:9093")
    assert listeners.advertised_broker == listeners.broker
    assert listeners.advertised_controller == listeners.controller


@pytest.mark.parametrize("host", ["", "0.0.0.0"])
def test_the_voters_tell_where_a_controller_on_all_interfaces_is(host: str) -> None:
    base = COMBINED.replace("controller.quorum.bootstrap.servers=h:1", "controller.listener.names=C")
    text = f"{base}listeners=PLAINTEXT://h:9092,C://{host}:9093\ncontroller.quorum.voters=1@me:19093"
    assert resolve(text).advertised_controller == (Endpoint("C", "me", 19093, "PLAINTEXT"),)
    text = COMBINED + f"controller.listener.names=C\nlisteners=PLAINTEXT://h:9092,C://{host}:9093"
    assert resolve(text).advertised_controller == (Endpoint("C", "", 9093, "PLAINTEXT"),)


def test_a_controller_alone() -> None:
    listeners = resolve(CONTROLLER + "listeners=C://:9093\nadvertised.listeners=C://h:19093")
    assert listeners.broker == ()
    assert listeners.advertised_controller == (Endpoint("C", "h", 19093, "PLAINTEXT"),)


def test_a_broker_alone_knows_how_controllers_speak() -> None:
    listeners = resolve(BROKER + "controller.listener.names=CTL\nlisteners=PLAINTEXT://:9092")
    assert listeners.controller == ()
    assert listeners.security_protocols["CTL"] == "PLAINTEXT"


def test_inter_broker_listener_by_name() -> None:
    listeners = resolve(
        BROKER + "controller.listener.names=C\nlisteners=IN://:1,OUT://:2\ninter.broker.listener.name=in\n"
        "listener.security.protocol.map=IN:PLAINTEXT,OUT:SSL,C:SSL"
    )
    assert (listeners.inter_broker, listeners.inter_broker_security_protocol) == ("IN", "PLAINTEXT")


def test_inter_broker_listener_by_protocol() -> None:
    listeners = resolve(
        BROKER + "controller.listener.names=C\nlisteners=SSL://:1\nsecurity.inter.broker.protocol=SSL\n"
        "listener.security.protocol.map=SSL:SSL,C:SSL"
    )
    assert (listeners.inter_broker, listeners.inter_broker_security_protocol) == ("SSL", "SSL")


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT:9092,C://:1", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=://h:9092,C://:1", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://h:65536,C://:1", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://h h:1,C://:2", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=OTHER://h:1,C://:2", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,PLAINTEXT://:2,C://:3", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:1", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://127.0.0.1:1,C://127.0.0.2:1", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1", "controller.listener.names"),
        (COMBINED + "controller.listener.names=C\nlisteners=C://:1", "advertised.listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:2\n"
         "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,C:NONSENSE", "listener.security.protocol.map"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:2\n"
         "listener.security.protocol.map=PLAINTEXT", "listener.security.protocol.map"),
        (COMBINED + "controller.listener.names=C\nlisteners=SSL://:1,C://:2", "listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:2\n"
         "advertised.listeners=PLAINTEXT://0.0.0.0:1", "advertised.listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:2\n"
         "advertised.listeners=PLAINTEXT://h:1,SSL://h:3", "advertised.listeners"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:2\ninter.broker.listener.name=SSL",
         "inter.broker.listener.name"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:2\ninter.broker.listener.name=X",
         "inter.broker.listener.name"),
        (COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://:1,C://:2\n"
         "inter.broker.listener.name=PLAINTEXT\nsecurity.inter.broker.protocol=PLAINTEXT",
         "inter.broker.listener.name"),
        (CONTROLLER + "listeners=C://:1,PLAINTEXT://:2", "listeners"),
        (CONTROLLER + "listeners=PLAINTEXT://:2", "controller.listener.names"),
        (CONTROLLER + "listeners=C://:2\nlistener.security.protocol.map=C:PLAINTEXT\ninter.broker.listener.name=C",
         "controller.listener.names"),
        (BROKER + "controller.listener.names=PLAINTEXT\nlisteners=PLAINTEXT://:1", "controller.listener.names"),
        (BROKER + "controller.listener.names=C\nlisteners=PLAINTEXT://:1\n"
         "listener.security.protocol.map=PLAINTEXT:PLAINTEXT", "controller.listener.names"),
    ],
)  # fmt: skip
def test_refused(properties: str, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(properties)
    assert caught.value.name == name


def test_ipv4_and_ipv6_may_share_a_port_and_zero_is_any() -> None:
    resolve(COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://127.0.0.1:1,C://[::1]:1")
    resolve(COMBINED + "controller.listener.names=C\nlisteners=PLAINTEXT://127.0.0.1:0,C://127.0.0.1:0")


def test_with_port() -> None:
    text = "CONTROLLER://:9093, PLAINTEXT://[::1]:9092,SSL://:9094"
    assert with_port(text, 0, {"CONTROLLER"}) == "CONTROLLER://:9093,PLAINTEXT://[::1]:0,SSL://:9094"
    assert with_port("C://:1", 5, {"C"}) == "C://:1"

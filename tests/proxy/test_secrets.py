"""Neither what is shown nor what is recorded has secrets, unless they were asked for."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from klamm.kproto.apis import APIS
from klamm.kproto.catalog import message_class
from klamm.kproto.messages.header import RequestHeader
from klamm.proxy.exchange import Exchange, read_exchange
from klamm.proxy.recorded import RecordedLink
from klamm.proxy.show import Shower
from klamm.proxy.subjects import TopicNames
from klamm.proxy.trace import TraceWriter
from tests.clock import FakeClock

SECRET = "tr0ub4dor"
KEYS = {api.name: key for key, api in APIS.items()}


def config(cls: Any, name: str, **more: Any) -> Any:
    return cls(name=name, value=SECRET, **more)


def create_topics() -> Any:
    topic: Any = message_class("CreateTopicsRequest").CreatableTopic  # type: ignore[attr-defined]
    rows = [config(topic.CreatableTopicConfig, "ssl.keystore.password")]
    return message_class("CreateTopicsRequest")(
        topics=[topic(name="t", num_partitions=1, replication_factor=1, assignments=[], configs=rows)]
    )


def incremental_alter_configs() -> Any:
    resource: Any = message_class("IncrementalAlterConfigsRequest").AlterConfigsResource  # type: ignore[attr-defined]
    rows = [config(resource.AlterableConfig, name, config_operation=0)
            for name in ("sasl.jaas.config", "listener.name.x.ssl.key.password", "ssl.keystore.key")]  # fmt: skip
    return message_class("IncrementalAlterConfigsRequest")(
        resources=[resource(resource_type=4, resource_name="1", configs=rows)]
    )


def scram() -> Any:
    cls: Any = message_class("AlterUserScramCredentialsRequest")
    row = cls.ScramCredentialUpsertion(
        name="alice", mechanism=1, iterations=4096, salt=SECRET.encode(), salted_password=SECRET.encode()
    )
    return cls(deletions=[], upsertions=[row])


REQUESTS = {
    "SaslAuthenticate": lambda: message_class("SaslAuthenticateRequest")(auth_bytes=SECRET.encode()),
    "CreateTopics": create_topics,
    "IncrementalAlterConfigs": incremental_alter_configs,
    "AlterUserScramCredentials": scram,
    "RenewDelegationToken": lambda: message_class("RenewDelegationTokenRequest")(
        hmac=SECRET.encode(), renew_period_ms=1
    ),
}


def told(exchange: Exchange, *, has_secrets: bool = False) -> tuple[str, str]:
    """What is shown in full, and what is recorded."""
    shown: list[str] = []
    recorded: list[str] = []
    clock, link = FakeClock(), RecordedLink(1, ("broker", 9092))
    Shower(shown.append, clock, TopicNames(), form="full", is_json=True).asked(link, exchange)
    TraceWriter(recorded.append, clock, "broker:9092", has_secrets=has_secrets).asked(link, exchange)
    return "".join(shown), recorded[1]


def request_of(name: str, version: int | None = None, body: bytes | None = None) -> Exchange:
    api = APIS[KEYS[name]]
    version = api.high if version is None else version
    header = RequestHeader(
        request_api_key=api.key, request_api_version=version, correlation_id=1, client_id="c"
    ).encode(api.request_header_version(version))
    frame = header + (REQUESTS[name]().encode(version) if body is None else body)
    exchange = read_exchange(memoryview(frame))
    exchange.frame = frame
    return exchange


def bears_secret(text: str) -> bool:
    import base64

    forms = (SECRET, SECRET.encode().hex(), base64.b64encode(SECRET.encode()).decode().rstrip("="))
    return any(form in text for form in forms)


@pytest.mark.parametrize("name", REQUESTS)
def test_hidden(name: str) -> None:
    shown, recorded = told(request_of(name))
    assert not bears_secret(shown)
    assert not bears_secret(recorded)
    assert json.loads(recorded)["hidden"] is True
    again = read_exchange(memoryview(bytes.fromhex(json.loads(recorded)["hex"])))
    again.frame = bytes.fromhex(json.loads(recorded)["hex"])
    assert again.request(), "what is left is still a request"


@pytest.mark.parametrize("name", REQUESTS)
def test_recorded_when_asked_for(name: str) -> None:
    shown, recorded = told(request_of(name), has_secrets=True)
    assert not bears_secret(shown), "the screen is nobody's vault"
    assert bears_secret(recorded)


def test_what_cannot_be_read_is_left_out() -> None:
    for exchange in (
        request_of("SaslAuthenticate", 99, SECRET.encode()),
        request_of("CreateTopics", body=b"\x7f" + SECRET.encode()),
    ):
        shown, recorded = told(exchange)
        assert not bears_secret(shown)
        assert not bears_secret(recorded)
        assert "hex" not in json.loads(recorded)


def test_sasl_tokens_without_header() -> None:
    frame = b"\x00alice\x00" + SECRET.encode()
    exchange = read_exchange(memoryview(frame))
    exchange.frame = frame
    shown, recorded = told(exchange)
    assert not bears_secret(shown)
    assert not bears_secret(recorded)
    assert json.loads(recorded)["size_bytes"] == len(frame)


def test_answers_too() -> None:
    exchange = request_of("SaslAuthenticate")
    answer = message_class("SaslAuthenticateResponse")(error_code=0, auth_bytes=SECRET.encode())
    exchange.answer = struct.pack(">i", 1) + b"\x00" + answer.encode(2)
    recorded: list[str] = []
    link = RecordedLink(1, ("broker", 9092))
    TraceWriter(recorded.append, FakeClock(), "broker:9092").answered(link, exchange, 1.0)
    assert not bears_secret(recorded[1])


def test_other_settings_are_shown() -> None:
    topic: Any = message_class("CreateTopicsRequest").CreatableTopic  # type: ignore[attr-defined]
    row = topic.CreatableTopicConfig(name="cleanup.policy", value="compact")
    body = message_class("CreateTopicsRequest")(
        topics=[topic(name="t", num_partitions=1, replication_factor=1, assignments=[], configs=[row])]
    ).encode(7)
    shown, recorded = told(request_of("CreateTopics", 7, body))
    assert "compact" in shown
    assert "hidden" not in json.loads(recorded)

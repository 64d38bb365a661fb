"""Alterations of client quotas: what they write, and what is refused in which words (those of Kafka 4.3.1)."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest
from klamm.metadata.controller.client_quotas import ClientQuotaControl
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage

Row = AlterClientQuotasRequest.EntryData
Entity = dict[str, str | None]
PRODUCER, CONSUMER = "producer_byte_rate", "consumer_byte_rate"


def image(*quotas: tuple[Entity, str, float]) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    for entity, key, value in quotas:
        rows = [m.ClientQuotaRecord.EntityData(entity_type=k, entity_name=n) for k, n in entity.items()]
        delta.apply(m.ClientQuotaRecord(entity=rows, key=key, value=value, remove=False))
    return delta.build(1, 1)


def entry(entity: Entity, *ops: tuple[str, float | None]) -> Row:
    return Row(
        entity=[Row.EntityData(entity_type=k, entity_name=n) for k, n in entity.items()],
        ops=[Row.OpData(key=key, value=value or 0.0, remove=value is None) for key, value in ops],
    )


def decide(state: MetadataImage, *entries: Row, validate_only: bool = False) -> Any:
    request = AlterClientQuotasRequest(entries=list(entries), validate_only=validate_only)
    return ClientQuotaControl(lambda: state).alter(request)


def written(decision: Any) -> list[tuple[Any, str, float | None]]:
    return [
        ([(e.entity_type, e.entity_name) for e in r.entity], r.key, None if r.remove else r.value)
        for r in decision.records
    ]


def messages(decision: Any) -> list[str | None]:
    for row in decision.response.entries:
        assert row.error_code == (errors.INVALID_REQUEST if row.error_message else errors.NONE)
    return [row.error_message for row in decision.response.entries]


def test_set_change_remove() -> None:
    user: Entity = {"user": "a"}
    state = image((user, PRODUCER, 5.0), (user, CONSUMER, 6.0))
    decision = decide(state, entry(user, (PRODUCER, 5.0), (CONSUMER, None), ("request_percentage", 0.5)))
    assert messages(decision) == [None]
    assert written(decision) == [([("user", "a")], CONSUMER, None), ([("user", "a")], "request_percentage", 0.5)]
    assert written(decide(state, entry({"user": "b"}, (PRODUCER, None)))) == []
    assert written(decide(state, entry({"user": None}, (PRODUCER, 5.0)))) == [([("user", None)], PRODUCER, 5.0)]


def test_what_is_written_is_what_is_shown() -> None:
    both: Entity = {"user": None, "client-id": "c"}
    decision = decide(image(), entry(both, (PRODUCER, 7.0)))
    [row] = decision.response.entries
    assert [(e.entity_type, e.entity_name) for e in row.entity] == [("client-id", "c"), ("user", None)]
    delta = MetadataDelta(EMPTY)
    for record in decision.records:
        delta.apply(record)
    assert delta.build(1, 1).client_quotas == {(("client-id", "c"), ("user", None)): {PRODUCER: 7.0}}


def test_validate_only_answers_alike_and_writes_nothing() -> None:
    rows = entry({"user": "a"}, (PRODUCER, 1.0)), entry({"user": ""}, (PRODUCER, 1.0))
    checked = decide(image(), *rows, validate_only=True)
    assert checked.records == [] and checked.response == decide(image(), *rows).response


def test_an_entity_fails_alone_and_whole() -> None:
    good = entry({"user": "a"}, (PRODUCER, 1.0))
    bad = entry({"user": "b"}, (PRODUCER, 1.0), ("no.such", 1.0))
    decision = decide(image(), bad, good)
    assert messages(decision) == ["Invalid configuration key no.such", None]
    assert written(decision) == [([("user", "a")], PRODUCER, 1.0)]


def test_an_entity_twice() -> None:
    one: Entity = {"user": "a", "client-id": None}
    other: Entity = {"client-id": None, "user": "a"}
    decision = decide(image(), entry(one, (PRODUCER, 1.0)), entry(other, (CONSUMER, 1.0)))
    assert messages(decision) == ["Ignoring duplicate entity ClientQuotaEntity(entries={client-id=null, user=a})"]
    assert [key for _, key, _ in written(decision)] == [PRODUCER]


def test_a_key_twice() -> None:
    decision = decide(image(), entry({"user": "a"}, (PRODUCER, 1.0), (PRODUCER, 2.0)))
    assert messages(decision) == ["Ignoring duplicate entity ClientQuotaEntity(entries={user=a})"]
    assert not decision.records


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        ({}, "Invalid empty client quota entity"),
        ({"topic": "a"}, "Unhandled client quota entity type: topic"),
        ({"user": ""}, "Empty user not supported"),
        ({"client-id": ""}, "Empty client-id not supported"),
        ({"ip": ""}, "Empty ip not supported"),
        (
            {"ip": "1.2.3.4", "user": "a"},
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ),
        ({"ip": "not an address"}, "not an address is not a valid IP or resolvable host."),
        ({"ip": "300.1.1.1"}, "300.1.1.1 is not a valid IP or resolvable host."),
        ({"ip": "a-.b"}, "a-.b is not a valid IP or resolvable host."),
        ({"ip": "1.2.3.4"}, "Invalid configuration key producer_byte_rate"),
    ],
)
def test_entities_that_are_none(entity: Entity, message: str) -> None:
    assert messages(decide(image(), entry(entity, (PRODUCER, 1.0)))) == [message]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "host-1.example.com", "a_b.", None])
def test_addresses(address: str | None) -> None:
    assert messages(decide(image(), entry({"ip": address}, ("connection_creation_rate", 3.0)))) == [None]


@pytest.mark.parametrize(
    ("entity", "key", "value", "message"),
    [
        ("user", PRODUCER, 0.0, "Quota producer_byte_rate must be greater than 0"),
        ("user", "request_percentage", -1.0, "Quota request_percentage must be greater than 0"),
        ("user", PRODUCER, 1.5, "producer_byte_rate cannot be a fractional value."),
        ("user", PRODUCER, 1.0000001, None),
        ("user", PRODUCER, 1e19, "Proposed value for producer_byte_rate is too large for a LONG."),
        ("user", "controller_mutation_rate", 1e300, None),
        ("client-id", "connection_creation_rate", 1.0, "Invalid configuration key connection_creation_rate"),
        ("ip", "connection_creation_rate", 2147483647.0, None),
        (
            "ip",
            "connection_creation_rate",
            2147483648.0,
            "Proposed value for connection_creation_rate is too large for an INT.",
        ),
        ("ip", "connection_creation_rate", 0.5, "connection_creation_rate cannot be a fractional value."),
    ],
)
def test_values(entity: str, key: str, value: float, message: str | None) -> None:
    assert messages(decide(image(), entry({entity: "1.2.3.4"}, (key, value)))) == [message]


def test_no_entries() -> None:
    assert decide(image()).response.entries == []

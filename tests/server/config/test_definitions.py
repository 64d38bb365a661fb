"""Every key, type, default, range and update mode against Kafka 4.3.1's own tables (tests/data/configs.json)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from klamm.server.config import definitions as defs
from klamm.server.config.definitions import Kind
from klamm.server.config.keys import LIST, PASSWORD, READ_ONLY, REQUIRED
from klamm.server.config.values import BITS, ConfigError, parse, render

DATA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "configs.json").read_text())
TABLES: dict[Kind, list[dict[str, Any]]] = {
    "broker": DATA["broker"],
    "topic": DATA["topic"],
    "group": DATA["group"],
    "client-metrics": DATA["client-metrics"],
    "broker-quota": DATA["quota"]["broker"],
    "client-quota": DATA["quota"]["user-and-client"],
    "user-quota": DATA["quota"]["user-scram-and-quota"],
    "ip-quota": DATA["quota"]["ip"],
}
ROWS = [(kind, row) for kind, rows in TABLES.items() for row in rows]


def keys_where(wanted: Callable[[dict[str, Any]], bool] = lambda row: True) -> pytest.MarkDecorator:
    """Run the test for every key whose row is wanted."""
    rows = [(kind, row) for kind, row in ROWS if wanted(row)]
    return pytest.mark.parametrize(("kind", "row"), rows, ids=[f"{kind}:{row['name']}" for kind, row in rows])


@pytest.mark.parametrize("kind", TABLES)
def test_the_same_names(kind: Kind) -> None:
    assert sorted(defs.definitions(kind)) == sorted(row["name"] for row in TABLES[kind])


@keys_where()
def test_type_default_importance_and_mode(kind: Kind, row: dict[str, Any]) -> None:
    key = defs.definitions(kind)[row["name"]]
    assert (key.type, key.importance, key.internal) == (row["type"], row["importance"], row.get("internal", False))
    assert key.update_mode == row.get("dynamicUpdateMode", READ_ONLY)
    assert (key.default is REQUIRED) == row["required"]
    if key.default is not REQUIRED:
        default = row["default"]
        assert key.default == (tuple(default) if isinstance(default, list) else default)
        assert type(key.default) in (type(default), tuple)
    assert key.synonyms == tuple(row.get("brokerSynonyms", [row[k] for k in ("brokerSynonym",) if k in row]))
    assert key.is_sensitive == (row["type"] == "PASSWORD")


@keys_where(lambda row: not row["required"])
def test_default_is_shown_as_kafka_shows_it(kind: Kind, row: dict[str, Any]) -> None:
    key = defs.definitions(kind)[row["name"]]
    assert render(key.default, key.type) == row["default_string"]  # type: ignore[arg-type]


@keys_where(lambda row: row.get("default_string") is not None)
def test_default_reads_back(kind: Kind, row: dict[str, Any]) -> None:
    key = defs.definitions(kind)[row["name"]]
    assert parse(key, row["default_string"]) == key.default


def bounds(row: dict[str, Any]) -> tuple[float | None, float | None]:
    match = re.fullmatch(r"\[(.*?),\.\.\.(?:,(.*))?\]", row["validValues"])
    assert match is not None
    number = float if row["type"] == "DOUBLE" else int
    return number(match[1]), number(match[2]) if match[2] else None


@keys_where(lambda row: row.get("validator") == "Range")
def test_range_ends_where_kafkas_does(kind: Kind, row: dict[str, Any]) -> None:
    key = defs.definitions(kind)[row["name"]]
    low, high = bounds(row)
    step = 0.001 if row["type"] == "DOUBLE" else 1
    assert low is not None
    assert parse(key, str(low)) == low
    with pytest.raises(ConfigError):
        parse(key, str(low - step))
    top = high if high is not None else (1 << BITS.get(row["type"], 1000) - 1) - 1
    if row["type"] != "DOUBLE" or high is not None:
        assert parse(key, str(top)) == top
        with pytest.raises(ConfigError):
            parse(key, str(top + step))


@keys_where(lambda row: row["type"] in BITS and row.get("validator") is None)
def test_without_a_range_the_type_is_the_bound(kind: Kind, row: dict[str, Any]) -> None:
    key = defs.definitions(kind)[row["name"]]
    top = (1 << BITS[row["type"]] - 1) - 1
    assert (parse(key, str(top)), parse(key, str(-top - 1))) == (top, -top - 1)
    for beyond in (top + 1, -top - 2):
        with pytest.raises(ConfigError):
            parse(key, str(beyond))


def has_listed_values(row: dict[str, Any]) -> bool:
    return row.get("validator") in ("ValidString", "CaseInsensitiveValidString", "ValidList") and "validValues" in row


@keys_where(has_listed_values)
def test_listed_values_and_no_others(kind: Kind, row: dict[str, Any]) -> None:
    key = defs.definitions(kind)[row["name"]]
    match = re.fullmatch(r"(\(case insensitive\) )?\[(.*)\]", row["validValues"])
    assert match is not None
    for option in match[2].split(", "):
        assert parse(key, option) == ((option,) if key.type == LIST else option)
        swapped = option.swapcase()
        if match[1]:
            assert parse(key, swapped) == swapped
        else:
            with pytest.raises(ConfigError):
                parse(key, swapped)
    with pytest.raises(ConfigError) as caught:
        parse(key, "nonsense")
    assert all(option in str(caught.value) for option in match[2].split(", "))


@keys_where(lambda row: row.get("validator") == "ValidList" and not row.get("validValues"))
def test_lists_drop_repeats_where_kafka_does(kind: Kind, row: dict[str, Any]) -> None:
    key = defs.definitions(kind)[row["name"]]
    assert parse(key, " b , a,b ") == ("b", "a")
    with pytest.raises(ConfigError):
        parse(key, "a,,b")


@keys_where(lambda row: row["type"] in (*BITS, "DOUBLE", "BOOLEAN"))
def test_nonsense_is_refused(kind: Kind, row: dict[str, Any]) -> None:
    key = defs.definitions(kind)[row["name"]]
    for text in ("", "x", "1_0", "0x1", "1,2", "²", "true1", "1 2"):
        with pytest.raises(ConfigError) as caught:
            parse(key, text)
        assert caught.value.name == key.name
        assert key.name in str(caught.value)
        assert repr(text) in str(caught.value)


@keys_where()
def test_documented_in_a_sentence(kind: Kind, row: dict[str, Any]) -> None:
    text = defs.documentation(kind, row["name"])
    assert text[0].isupper() or text.startswith("min.insync.replicas")
    assert text.endswith(".")
    assert len(text) < 200


@pytest.mark.parametrize("kind", TABLES)
def test_no_documentation_without_a_key(kind: Kind) -> None:
    assert set(defs._documentation(kind)) == set(defs.definitions(kind))


def test_dynamic_keys_are_kafkas() -> None:
    names = set(defs.definitions("broker")) | set(defs.definitions("broker-quota"))
    assert {name for name in names if defs.is_dynamic(name)} == set(DATA["allDynamicBrokerConfigs"])
    assert not defs.is_dynamic("no.such.key")


def test_parse_by_kind() -> None:
    assert defs.parse("topic", "retention.ms", "-1") == -1
    with pytest.raises(ConfigError, match=r"retention.ms: '-2' is not valid; expected a 64-bit integer of at least -1"):
        defs.parse("topic", "retention.ms", "-2")
    with pytest.raises(defs.UnknownConfigError, match=r"there is no such topic setting; did you mean retention.ms"):
        defs.parse("topic", "retention.m", "1")
    with pytest.raises(defs.UnknownConfigError) as caught:
        defs.parse("topic", "xyzzy", "1")
    assert caught.value.similar == ()


def test_listener_prefixes() -> None:
    key = defs.broker_key("listener.name.internal.ssl.keystore.password")
    assert key is not None
    assert (key.name, key.type) == ("ssl.keystore.password", PASSWORD)
    key = defs.broker_key("listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config")
    assert key is not None
    assert key.name == "sasl.jaas.config"
    assert defs.broker_key("listener.name.internal.no.such.key") is None
    assert defs.broker_key("follower.replication.throttled.rate") is not None
    assert defs.broker_key("num.io.threads") is defs.definitions("broker")["num.io.threads"]
    assert defs.listener_base_name("num.io.threads") is None

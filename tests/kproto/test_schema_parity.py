"""Every field of every message against Kafka's schemas: name, order, type, versions, nullability, tag, default."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto.apis import APIS, BROKER, CONTROLLER
from klamm.kproto.catalog import message_class
from klamm.kproto.json_form import json_name
from klamm.kproto.schema import MISSING, Field, Range, Struct, parse_range
from klamm.kproto.uuids import ZERO

DATA = Path(__file__).parents[1] / "data"


def load(name: str) -> Any:
    return json.loads(gzip.decompress((DATA / name).read_bytes()))


SCHEMAS = load("schemas.json.gz")["messages"]


def meet(a: Range, b: Range) -> Range:
    both = max(a[0], b[0]), min(a[1], b[1])
    return both if both[0] <= both[1] else (1, 0)


def expected_default(kind: str, text: str | None, array: bool) -> Any:
    if text == "null":
        return None
    if array:
        return []
    if kind[0].isupper():
        return MISSING
    if text is None:
        return {"bool": False, "string": "", "bytes": b"", "records": b"", "uuid": ZERO, "float64": 0.0}.get(kind, 0)
    if kind == "bool":
        return text == "true"
    return text if kind == "string" else int(text, 0)


def check_struct(
    cls: type[Struct], fields: list[dict[str, Any]], commons: dict[str, Any], valid: Range, flex: Range
) -> None:
    ours = cls.__schema__.fields
    assert [json_name(f.name) for f in ours] == [f["name"][0].lower() + f["name"][1:] for f in fields]
    for field, schema in zip(ours, fields, strict=True):
        check_field(field, schema, commons, valid, flex)


def check_field(field: Field, schema: dict[str, Any], commons: dict[str, Any], valid: Range, flex: Range) -> None:
    kind = schema["type"]
    assert field.array == kind.startswith("[]")
    kind = kind.removeprefix("[]")
    there = meet(parse_range(schema["versions"]), valid)
    assert meet(field.versions, valid) == there, field.name
    nullable = parse_range(schema.get("nullableVersions", "none"))
    assert meet(meet(field.nullable, valid), there) == meet(meet(nullable, valid), there), field.name
    assert field.ignorable == schema.get("ignorable", False)
    assert field.tag == schema.get("tag", -1)
    assert meet(field.tagged, valid) == meet(parse_range(schema.get("taggedVersions", "none")), valid)
    assert field.flexible == (schema.get("flexibleVersions") != "none")
    assert field.default == expected_default(kind, schema.get("default"), field.array), field.name
    if kind[0].isupper():
        assert field.struct is not None
        assert field.struct.__name__ == kind
        inner = schema.get("fields") or commons[kind]
        if there != (1, 0):
            check_struct(field.struct, inner, commons, there, flex)
    else:
        assert field.type.replace("RecordBytes", "records") == kind


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda s: s["name"])
def test_message_is_declared_as_in_kafka(schema: dict[str, Any]) -> None:
    cls = message_class(schema["name"])
    ours = cls.__schema__
    valid = parse_range(schema["validVersions"])
    assert ours.versions == valid
    assert meet(ours.flexible, valid) == meet(parse_range(schema.get("flexibleVersions", "none")), valid)
    assert ours.key == (-1 if schema.get("apiKey") is None else schema["apiKey"])
    commons = {c["name"]: c["fields"] for c in schema.get("commonStructs", [])}
    check_struct(cls, schema["fields"], commons, valid, ours.flexible)


def test_the_api_table_is_kafkas() -> None:
    keys = load("apikeys.json.gz")
    live = {row["id"]: row for row in keys["apis"] if row["hasValidVersion"]}
    assert set(APIS) == set(live)
    for key, api in APIS.items():
        row = live[key]
        assert (api.name, api.low, api.high) == (row["name"], row["minVersion"], row["latestStableVersion"])
        assert bool(api.listeners & BROKER) == ("broker" in row["listeners"])
        assert bool(api.listeners & CONTROLLER) == ("controller" in row["listeners"])
        assert api.forwardable == row["forwardable"]
        for version in range(api.low, api.high + 1):
            assert api.request_header_version(version) == row["requestHeaderVersion"][str(version)]
            assert api.response_header_version(version) == row["responseHeaderVersion"][str(version)]


def test_every_class_of_an_api_stands_in_its_module() -> None:
    for api in APIS.values():
        snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", api.name).lower()
        assert message_class(f"{api.name}Request").__module__ == f"klamm.kproto.messages.{snake}"

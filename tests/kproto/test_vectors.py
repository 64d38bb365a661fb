"""The codecs against bytes that Kafka's own classes wrote, both ways, for every message and version."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto.catalog import message_class, message_names
from klamm.kproto.errors import ProtocolError
from klamm.kproto.json_form import add_unknown_tags, from_json, to_json, unknown_tags

DATA = Path(__file__).parents[1] / "data"
VECTORS = sorted((DATA / "vectors").glob("*.jsonl.gz"))


def lines(path: Path) -> list[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.name.removesuffix(".jsonl.gz"))
def test_every_vector_both_ways(path: Path) -> None:
    for line in lines(path):
        cls, version, raw = message_class(line["name"]), line["version"], bytes.fromhex(line["hex"])
        flexible = cls.__schema__.is_flexible(version)
        assert flexible == line["flexible"]
        message, end = cls.decode_from(raw, 0, version)
        assert end == len(raw)
        assert to_json(message, version, flexible) == line["json"]
        assert unknown_tags(message) == line.get("unknown_tags", [])
        assert message.encode(version) == raw
        built = from_json(cls, line["json"], version, flexible)
        add_unknown_tags(built, line.get("unknown_tags", []))
        assert built.encode(version) == raw
        assert built == cls.decode(memoryview(raw), version)


def test_the_vectors_are_all_there() -> None:
    assert len(VECTORS) == 272
    assert sum(len(lines(path)) for path in VECTORS) == 8736


@pytest.mark.parametrize("line", lines(DATA / "odd.jsonl"), ids=lambda line: f"{line['name']}-{line['case']}")
def test_odd_bytes_get_kafkas_verdict(line: dict[str, Any]) -> None:
    cls, version, raw = message_class(line["name"]), line["version"], bytes.fromhex(line["hex"])
    if not line["accepted"]:
        with pytest.raises(ProtocolError):
            cls.decode(raw, version)
        return
    message, end = cls.decode_from(raw, 0, version)
    assert len(raw) - end == line["bytes_left"]
    assert to_json(message, version, cls.__schema__.is_flexible(version)) == line["json"]
    assert unknown_tags(message) == line.get("unknown_tags", [])
    if "written_again_hex" in line:
        assert message.encode(version).hex() == line["written_again_hex"]
    else:
        with pytest.raises(ProtocolError):
            message.encode(version)


def test_truncated_messages_are_refused() -> None:
    """Every strict prefix of a message is refused or leaves a default; it never gives another exception."""
    for name in ("FetchRequest", "MetadataResponse", "JoinGroupRequest", "ConsumerGroupHeartbeatResponse"):
        for line in lines(DATA / "vectors" / f"{name}.jsonl.gz")[::7]:
            cls, raw = message_class(name), bytes.fromhex(line["hex"])
            for end in range(min(len(raw), 200)):
                with pytest.raises(ProtocolError):
                    cls.decode(raw[:end], line["version"])


def test_every_message_has_a_class() -> None:
    names = message_names()
    assert len(names) == 281
    for name in names:
        assert message_class(name).__name__ == name
    with pytest.raises(KeyError):
        message_class("NoSuchRequest")

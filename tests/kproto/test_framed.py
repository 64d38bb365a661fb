"""Log records in their frames, byte for byte as Kafka frames them, read and written by those who keep the logs."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import (
    group_records,
    share_group_records,
    share_state_records,
    streams_group_records,
    transaction_records,
)
from klamm.kproto.catalog import message_class
from klamm.kproto.errors import ProtocolError
from klamm.kproto.json_form import from_json
from klamm.kproto.schema import Message
from klamm.metadata import record_codec
from klamm.server.coordinators.coordinator_record import CoordinatorRecord, RecordTypes, decode_record, record_types

DATA = Path(__file__).parents[1] / "data" / "framed.jsonl.gz"
LINES = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]
LOGS = (group_records, share_group_records, share_state_records, streams_group_records, transaction_records)


def those(framing: str) -> list[Any]:
    found = [line for line in LINES if line["framing"].startswith(framing)]
    assert found
    return [pytest.param(line, id=f"{line['name']}-v{line['version']}-{i}") for i, line in enumerate(found)]


def message(line: dict[str, Any]) -> Message:
    cls = message_class(line["name"])
    built = from_json(cls, line["json"], line["version"], cls.__schema__.is_flexible(line["version"]))
    assert isinstance(built, Message)
    assert built.encode(line["version"]).hex() == line["body_hex"]
    return built


def types_of(name: str) -> RecordTypes:
    """Keys and values of the log in which a record of that name stands."""
    module = next(log for log in LOGS if hasattr(log, name))
    keys = [getattr(module, found) for found in dir(module) if found.endswith("Key") and found != "Key"]
    return record_types((key, getattr(module, key.__name__[:-3] + "Value")) for key in keys)


def test_every_line_is_covered() -> None:
    framings = ("metadata", "coordinator-key", "coordinator-value", "version-prefixed")
    assert sum(len(those(framing)) for framing in framings) == len(LINES) == 218


@pytest.mark.parametrize("line", those("metadata"))
def test_metadata_records(line: dict[str, Any]) -> None:
    """Those of __remote_log_metadata have the same frame, and types of their own."""
    record = message(line)
    assert record_codec.encode_record(record, line["version"]).hex() == line["hex"]
    if type(record).__module__ == "klamm.kproto.metadata_records":
        assert record_codec.decode_record(bytes.fromhex(line["hex"])) == (record, line["version"])


@pytest.mark.parametrize("line", those("coordinator-key"))
def test_coordinator_keys(line: dict[str, Any]) -> None:
    key = message(line)
    assert CoordinatorRecord(key, None).encode_key().hex() == line["hex"]
    assert decode_record(types_of(line["name"]), bytes.fromhex(line["hex"]), None) == CoordinatorRecord(key, None)


@pytest.mark.parametrize("line", those("coordinator-value"))
def test_coordinator_values(line: dict[str, Any]) -> None:
    value, types = message(line), types_of(line["name"])
    key = types[line["api_key"]][0]()
    record = CoordinatorRecord(key, value, line["version"])
    assert record.encode_value() == bytes.fromhex(line["hex"])
    assert decode_record(types, record.encode_key(), bytes.fromhex(line["hex"])) == record


@pytest.mark.parametrize("line", those("version-prefixed"))
def test_versions_in_front(line: dict[str, Any]) -> None:
    """The consumer protocol, whose bytes the coordinator passes on, and forwarded principals."""
    raw = bytes.fromhex(line["hex"])
    assert struct.pack(">h", line["version"]) + message(line).encode(line["version"]) == raw
    (version,) = struct.unpack_from(">h", raw)
    assert message_class(line["name"]).decode_from(raw, 2, version) == (message(line), len(raw))


@pytest.mark.parametrize("line", those("metadata")[::9] + those("coordinator")[::9])
def test_cut_frames_are_refused(line: dict[str, Any]) -> None:
    raw = bytes.fromhex(line["hex"])
    head = 3 if line["type"] == "metadata" else 2
    for end in range(head):
        with pytest.raises(ProtocolError):
            if line["type"] == "metadata":
                record_codec.decode_record(raw[:end])
            elif line["type"] == "coordinator-key":
                decode_record(types_of(line["name"]), raw[:end], None)
            else:
                types = types_of(line["name"])
                decode_record(types, CoordinatorRecord(types[line["api_key"]][0](), None).encode_key(), raw[:end])

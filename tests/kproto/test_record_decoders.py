"""Records of the internal topics as JSON: Kafka's own vectors inside log records, and what cannot be read."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import catalog, record_decoders
from klamm.kproto.consumer_protocol import ConsumerProtocolSubscription
from klamm.kproto.control_records import EndTxnMarker, LeaderChangeMessage
from klamm.kproto.group_records import GroupMetadataKey, GroupMetadataValue
from klamm.kproto.record_decoders import DECODER_NAMES, decode_control, decoder_of_topic, record_decoder, type_name
from klamm.kproto.records import CONTROL_COMMIT, CONTROL_LEADER_CHANGE, Record, control_key

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
COORDINATORS = {
    "offsets": ("group_records", "share_group_records", "streams_group_records"),
    "transaction-log": ("transaction_records",),
    "share-group-state": ("share_state_records",),
}
FRAMED = {"cluster-metadata": "metadata_records", "remote-log-metadata": "remote_log_records"}


def vectors(name: str) -> list[dict[str, Any]]:
    lines = gzip.decompress((VECTORS / f"{name}.jsonl.gz").read_bytes()).splitlines()
    return [row for row in map(json.loads, lines) if "unknown_tags" not in row]


@pytest.mark.parametrize("decoder", COORDINATORS)
def test_coordinator_records(decoder: str) -> None:
    decode, count = record_decoder(decoder), 0
    for module in COORDINATORS[decoder]:
        for name in catalog.names_in(module):
            if not name.endswith("Key"):
                continue
            stem, key_type = name.removesuffix("Key"), catalog.message_class(name).__schema__.key
            key_row = vectors(name)[0]
            key = struct.pack(">h", key_type) + bytes.fromhex(key_row["hex"])
            for row in vectors(f"{stem}Value"):
                value = struct.pack(">h", row["version"]) + bytes.fromhex(row["hex"])
                decoded = decode(Record(0, 0, key, value))
                assert decoded.error is None
                assert decoded.key == {"type": key_type, "name": stem, "data": key_row["json"]}
                if stem != "GroupMetadata":
                    assert decoded.value == {"version": row["version"], "data": row["json"]}
                count += 1
            assert decode(Record(0, 0, key, None)).value is None
    assert count >= 20


@pytest.mark.parametrize("decoder", FRAMED)
def test_framed_records(decoder: str) -> None:
    decode, count = record_decoder(decoder), 0
    for name in catalog.names_in(FRAMED[decoder]):
        cls = catalog.message_class(name)
        for row in vectors(name):
            value = bytes((1, cls.__schema__.key, row["version"])) + bytes.fromhex(row["hex"])
            decoded = decode(Record(0, 0, None, value))
            assert decoded.error is None
            assert decoded.value == {"type": type_name(cls), "version": row["version"], "data": row["json"]}
            count += 1
            assert decode(Record(0, 0, None, value + b"\0")).error == f"1 bytes are left behind a {name}"
    assert count >= 20


def test_type_names_are_kafkas() -> None:
    names = {type_name(catalog.message_class(name)) for name in catalog.names_in("metadata_records")}
    assert {"REGISTER_BROKER_RECORD", "NO_OP_RECORD", "CLEAR_ELR_RECORD", "ZK_MIGRATION_STATE_RECORD"} <= names


def test_members_of_a_classic_consumer_group_are_opened() -> None:
    subscription = ConsumerProtocolSubscription(topics=["t"], owned_partitions=[])
    member = GroupMetadataValue.__schema__.fields[-1].struct
    assert member is not None
    rows = [
        member(member_id=m, client_id="c", client_host="h", session_timeout=1, subscription=data, assignment=b"")
        for m, data in (("good", struct.pack(">h", 1) + subscription.encode(1)), ("odd", b"\0\x63\0"))
    ]
    value = GroupMetadataValue(
        protocol_type="consumer", generation=1, protocol="range", leader="good", members=rows
    )  # fmt: skip
    key = struct.pack(">h", 2) + GroupMetadataKey(group="g").encode(0)
    decoded = record_decoder("offsets")(Record(0, 0, key, struct.pack(">h", 3) + value.encode(3)))
    good, odd = decoded.value["data"]["members"]
    assert good["subscription"]["topics"] == ["t"]
    assert odd["subscription"] == "AGMA" and good["assignment"] == "", "what is no message stays as it is"


@pytest.mark.parametrize(
    ("decoder", "key", "value", "error"),
    [
        ("offsets", None, b"", "the record has no key"),
        ("offsets", b"\0", b"", "1 bytes where a version or a type was expected"),
        ("offsets", b"\0\x63", b"", "unknown record type 99"),
        ("offsets", b"\0\2\0\1g", b"\0\x09", "GroupMetadataValue in version 9, known are 0 to 4"),
        ("cluster-metadata", None, b"", "the record has no value"),
        ("cluster-metadata", None, b"\2\0\0", "unknown frame version 2"),
        ("cluster-metadata", None, b"\1\x7f\0", "unknown record type 127"),
        ("cluster-metadata", None, b"\1\x02\x7f", "TopicRecord in version 127, known are 0 to 0"),
    ],
)
def test_what_cannot_be_read_is_described(decoder: str, key: bytes | None, value: bytes, error: str) -> None:
    assert record_decoder(decoder)(Record(0, 0, key, value)).error == error


@pytest.mark.parametrize("name", DECODER_NAMES)
def test_no_bytes_make_a_decoder_raise(name: str) -> None:
    import random

    chance, decode = random.Random(5), record_decoder(name)
    for _ in range(3000):
        head = bytes((1, chance.randrange(30), chance.randrange(4)))
        key = struct.pack(">h", chance.randrange(-1, 25)) + chance.randbytes(chance.randrange(30))
        value = chance.choice((head, struct.pack(">h", chance.randrange(5)))) + chance.randbytes(chance.randrange(40))
        decoded = decode(Record(0, 0, key, value))
        json.dumps(decoded)
    assert decode(Record(0, 0, None, None)) is not None


def test_control_records() -> None:
    marker = struct.pack(">h", 0) + EndTxnMarker(coordinator_epoch=7).encode(0)
    decoded = decode_control(Record(0, 0, control_key(CONTROL_COMMIT), marker))
    assert decoded == {"control_type": "COMMIT", "control": {"coordinatorEpoch": 7}}
    change = LeaderChangeMessage(version=0, leader_id=3, voters=[], granting_voters=[]).encode(0)
    decoded = decode_control(Record(0, 0, control_key(CONTROL_LEADER_CHANGE), change))
    assert decoded["control"] == {"version": 0, "leaderId": 3, "voters": [], "grantingVoters": []}
    assert decode_control(Record(0, 0, control_key(77), b""))["control_type_id"] == 77
    assert "error" in decode_control(Record(0, 0, b"\0", b""))
    assert "error" in decode_control(Record(0, 0, control_key(CONTROL_COMMIT), b""))


def test_which_topic_has_which() -> None:
    assert decoder_of_topic("__consumer_offsets") == "offsets"
    assert decoder_of_topic("orders") is None
    assert set(record_decoders._TOPICS.values()) | {"string"} == set(DECODER_NAMES)

"""Frames of metadata records, and which version a level writes."""

from __future__ import annotations

import pytest

from klamm.kproto import metadata_records as m
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message
from klamm.metadata.record_codec import TYPES, decode_record, encode_record, record_version


def test_frame() -> None:
    value = encode_record(m.FeatureLevelRecord(name="a", feature_level=3), 0)
    assert value.hex() == "010c00" + "0261" + "0003" + "00"
    record, version = decode_record(value)
    assert record == m.FeatureLevelRecord(name="a", feature_level=3) and version == 0


def test_longer_varints_are_read() -> None:
    assert type(decode_record(b"\x81\x00\x94\x00\x80\x00\x00")[0]) is m.NoOpRecord


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (None, "without a value"),
        (b"", "without a value"),
        (b"\x01\x0c", "ends within its frame"),
        (b"\x02\x0c\x00\x00", "frame version 2"),
        (b"\x01\x1d\x00\x00", "unknown type 29"),
        (b"\x01\x06\x00\x00", "unknown type 6"),
        (b"\x01\x0c\x01\x00", "FeatureLevelRecord in version 1"),
        (b"\x81\x80\x80\x80\x80\x00", "more than five bytes"),
    ],
)
def test_damaged_frames(value: bytes | None, what: str) -> None:
    with pytest.raises(ProtocolError, match=what):
        decode_record(value)


def test_every_type_of_kafka_is_known() -> None:
    assert sorted(TYPES) == [i for i in range(29) if i not in (6, 13, 16)]


@pytest.mark.parametrize(
    ("record", "versions"),
    [
        (m.RegisterBrokerRecord(broker_id=1, incarnation_id=bytes(16), broker_epoch=1), {17: 3, 22: 3, 29: 3, 30: 4}),
        (m.PartitionRecord(), {17: 1, 22: 1, 23: 2, 30: 2}),
        (m.PartitionChangeRecord(), {17: 1, 22: 1, 23: 2, 30: 2}),
        (m.TopicRecord(name="a"), {17: 0, 30: 0}),
        (m.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, fenced=1), {22: 0, 30: 0}),
        (m.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, in_controlled_shutdown=1), {22: 1, 30: 1}),
        (m.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, log_dirs=[bytes(16)]), {22: 2, 30: 2}),
        (m.BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, cordoned_log_dirs=[]), {30: 3}),
    ],
)
def test_versions_by_level(record: Message, versions: dict[int, int]) -> None:
    assert {level: record_version(record, level) for level in versions} == versions


def test_body_that_is_cut() -> None:
    with pytest.raises(ProtocolError):
        decode_record(b"\x01\x0c\x00\x05a")

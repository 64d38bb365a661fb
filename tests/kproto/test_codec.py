"""The codec's rules: versions that lack a field, nulls, limits, tagged fields, prepared structs, defaults."""

from __future__ import annotations

import gzip
import json
import linecache
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import codec
from klamm.kproto.catalog import message_class, message_names
from klamm.kproto.codec import UnsupportedField, encode_struct
from klamm.kproto.errors import ProtocolError
from klamm.kproto.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest
from klamm.kproto.messages.heartbeat import HeartbeatRequest
from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.kproto.messages.produce import ProduceRequest
from klamm.kproto.messages.sasl_handshake import SaslHandshakeRequest
from klamm.kproto.metadata_records import ClientQuotaRecord, RegisterBrokerRecord
from klamm.kproto.schema import MISSING, Field, Message, Struct

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
NAMES = sorted(path.name.removesuffix(".jsonl.gz") for path in VECTORS.glob("*.jsonl.gz"))


def templates(name: str) -> Iterator[tuple[int, Message]]:
    """A message in each of its versions, with one element in each array."""
    cls = message_class(name)
    for text in gzip.decompress((VECTORS / f"{name}.jsonl.gz").read_bytes()).splitlines():
        line = json.loads(text)
        if line["kind"] == "default-nested":
            yield line["version"], cls.decode(bytes.fromhex(line["hex"]), line["version"])


def structs(struct: Struct) -> Iterator[Struct]:
    """The struct and all below it; a shared default (of a tagged struct) is not among them."""
    yield struct
    for field in struct.__schema__.fields:
        value = getattr(struct, field.name)
        if field.struct is None or not value or field.tag >= 0:
            continue
        for item in value if field.array else [value]:
            yield from structs(item)


def some_value(field: Field) -> Any:
    """A value that is not the field's default."""
    one = {"string": "s", "bytes": b"b", "RecordBytes": b"r", "uuid": bytes(range(16)), "float64": 2.5}
    if field.struct is not None:
        value: Any = field.struct()
        if not field.array:
            first = field.struct.__schema__.fields[0]
            setattr(value, first.name, some_value(first))
    elif field.type == "bool":
        value = field.default is not True
    else:
        value = one.get(field.type, 77)
    return [value] if field.array else value


@pytest.mark.parametrize("name", NAMES)
def test_a_value_without_a_place_is_dropped_or_refused(name: str) -> None:
    """Kafka: `ignorable` fields vanish, the others are refused unless they hold their default."""
    for version, message in templates(name):
        plain = message.encode(version)
        for struct in structs(message):
            for field in struct.__schema__.fields:
                if field.exists_in(version) or field.tagged_in(version):
                    continue
                before = getattr(struct, field.name)
                setattr(struct, field.name, some_value(field))
                if field.ignorable:
                    assert message.encode(version) == plain
                else:
                    with pytest.raises(UnsupportedField, match=f"{field.name} .*version {version}"):
                        message.encode(version)
                setattr(struct, field.name, before)
        assert message.encode(version) == plain


@pytest.mark.parametrize("name", NAMES)
def test_null_only_where_it_may_be(name: str) -> None:
    for version, message in templates(name):
        flexible = message.__schema__.is_flexible(version)
        for struct in structs(message):
            for field in struct.__schema__.fields:
                there = field.exists_in(version) or (flexible and field.tagged_in(version))
                if not there or not (field.array or field.type in ("string", "bytes", "RecordBytes", "struct")):
                    continue
                before = getattr(struct, field.name)
                setattr(struct, field.name, None)
                if field.nullable_in(version):
                    raw = message.encode(version)
                    assert type(message).decode_from(raw, 0, version) == (message, len(raw))
                else:
                    with pytest.raises(ProtocolError, match="null"):
                        message.encode(version)
                setattr(struct, field.name, before)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_tagged_fields_stay(name: str) -> None:
    tags = [(1000, b"a"), (70000, b""), (0x7FFFFFFE, b"x" * 200)]
    for version, message in templates(name):
        for struct in structs(message):
            struct.unknown_tagged_fields = tags
            if message.__schema__.is_flexible(version):
                raw = message.encode(version)
                assert type(message).decode_from(raw, 0, version) == (message, len(raw))
            else:
                with pytest.raises(UnsupportedField):
                    message.encode(version)
            struct.unknown_tagged_fields = None


def test_tags_are_written_in_ascending_order() -> None:
    request = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
    for tags in ([(5, b""), (4, b"")], [(5, b""), (5, b"")], [(-1, b"")], [(0x7FFFFFFF, b"")]):
        request.unknown_tagged_fields = tags
        with pytest.raises(ProtocolError, match="tag"):
            request.encode(4)
    fetch = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[], cluster_id="c")
    fetch.unknown_tagged_fields = [(0, b"")]
    with pytest.raises(ProtocolError, match="tag 0 after tag 0"):
        fetch.encode(17)


def test_a_tag_of_a_later_version_is_refused() -> None:
    """FetchRequest.ReplicaState is tag 1 from version 15 on; in 14, Kafka refuses it instead of keeping it."""
    raw = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[]).encode(14)
    assert raw.endswith(b"\x00")
    with pytest.raises(ProtocolError, match="not valid for version 14"):
        FetchRequest.decode(raw[:-1] + b"\x01\x01\x01\x00", 14)


def test_of_a_repeated_tag_the_last_counts() -> None:
    raw = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[]).encode(17)
    request = FetchRequest.decode(raw[:-1] + b"\x02" + b"\x00\x02\x02a" + b"\x00\x02\x02b", 17)
    assert request.cluster_id == "b"


@pytest.mark.parametrize("version", [0, 3])
def test_a_string_has_at_most_32767_bytes(version: int) -> None:
    for text in ("x" * 32767, "é" * 16383):
        raw = FindCoordinatorRequest(key=text).encode(version)
        assert FindCoordinatorRequest.decode(raw, version).key == text
    for text in ("x" * 32768, "é" * 16384):
        with pytest.raises(ProtocolError):
            FindCoordinatorRequest(key=text).encode(version)


def test_a_longer_string_is_refused_by_the_reader() -> None:
    length = 32768
    data = codec.write_uvarint(length + 1) + b"x" * length + b"\x00\x00"
    with pytest.raises(ProtocolError, match="32768"):
        FindCoordinatorRequest.decode(data, 3)
    data = codec.write_uvarint(length) + b"x" * (length - 1) + b"\x00\x00"
    assert len(FindCoordinatorRequest.decode(data, 3).key) == 32767


def test_other_things_may_be_longer_than_strings() -> None:
    heartbeat = ConsumerGroupHeartbeatRequest(
        group_id="g", member_id="m", member_epoch=0, subscribed_topic_names=["t"] * 40000
    )
    assert ConsumerGroupHeartbeatRequest.decode(heartbeat.encode(1), 1) == heartbeat


def test_lengths_at_the_edge_of_int32() -> None:
    """A compact length is one less: 0 is null, and 2^31 is not, because the difference wraps to the greatest int32."""
    for length, error in ((b"\x00", "null"), (b"\xff\xff\xff\xff\x0f", "null"), (b"\x80\x80\x80\x80\x08", "length")):
        with pytest.raises(ProtocolError, match=error):
            FindCoordinatorRequest.decode(length + b"\x00\x00", 3)
    assert MetadataRequest.decode(b"\xff\xff\xff\xff\x0f\x00\x00\x00", 12).topics is None
    with pytest.raises(ProtocolError, match="length"):
        MetadataRequest.decode(b"\x80\x80\x80\x80\x08\x00\x00\x00", 12)


@pytest.mark.parametrize(
    "raw, text",
    [
        (b"\xed\xa0\x80", "\ufffd"),  # a surrogate is one malformed part to Java, and three to Python
        (b"\xed\xa0\x80\xed\xb0\x80", "\ufffd\ufffd"),
        (b"\xed\xbf\xff", "\ufffd\ufffd"),
        (b"\xed\xa0", "\ufffd"),
        (b"\xed", "\ufffd"),
        (b"\xed\x9f\xbf", "\ud7ff"),
        (b"\xff\xc0\x80", "\ufffd\ufffd\ufffd"),
        (b"a\xf0\x9f\x98", "a\ufffd"),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else "",
)
def test_malformed_utf8_is_replaced_as_java_does(raw: bytes, text: str) -> None:
    assert SaslHandshakeRequest.decode(len(raw).to_bytes(2) + raw, 1).mechanism == text


@pytest.mark.parametrize("version", range(14))
def test_structs_that_were_encoded_before(version: int) -> None:
    topic_class = MetadataResponse.MetadataResponseTopic
    topics = [
        topic_class(
            error_code=0,
            name=f"topic-{i}",
            partitions=[
                topic_class.MetadataResponsePartition(
                    error_code=0, partition_index=p, leader_id=1, replica_nodes=[1, 2], isr_nodes=[1]
                )
                for p in range(i)
            ],
        )
        for i in range(3)
    ]
    prepared: list[Any] = [encode_struct(MetadataResponse, topics[0], version), topics[1]]
    prepared.append(encode_struct(MetadataResponse, topics[2], version))
    whole = MetadataResponse(brokers=[], topics=topics).encode(version)
    assert MetadataResponse(brokers=[], topics=prepared).encode(version) == whole
    assert MetadataResponse.decode(whole, version).topics == topics


def test_prepared_structs_are_checked_when_they_are_made() -> None:
    topic = MetadataResponse.MetadataResponseTopic(error_code=0, name=None, partitions=[])
    assert encode_struct(MetadataResponse, topic, 12)
    with pytest.raises(ProtocolError, match="name is null"):
        encode_struct(MetadataResponse, topic, 11)
    with pytest.raises(ProtocolError, match="no version 14"):
        encode_struct(MetadataResponse, topic, 14)


def test_prepared_structs_stand_only_where_they_are_declared() -> None:
    with pytest.raises(ProtocolError):
        CreateTopicsRequest(topics=[b"\x00"]).encode(7)


def tagged_structs(cls: type[Struct]) -> Iterator[Field]:
    for field in cls.__schema__.fields:
        if field.struct is not None:
            yield from tagged_structs(field.struct)
            if field.tag >= 0 and field.default is MISSING and not field.array:
                yield field


def test_decoding_leaves_the_shared_defaults_alone() -> None:
    """A tagged struct that is not sent is one object for all messages: whatever is read, it stays as it was."""
    seen = 0
    for name in NAMES:
        cls = message_class(name)
        fields = list(tagged_structs(cls))
        if not fields:
            continue
        for text in gzip.decompress((VECTORS / f"{name}.jsonl.gz").read_bytes()).splitlines():
            line = json.loads(text)
            cls.decode(bytes.fromhex(line["hex"]), line["version"])
        for field in fields:
            assert field.struct is not None
            assert field.new_default() is field.new_default()
            assert field.new_default() == field.struct()
            seen += 1
    assert seen == 8


def test_lists_are_never_shared() -> None:
    first, second = RegisterBrokerRecord(), RegisterBrokerRecord()
    first.log_dirs.append(bytes(16))
    assert second.log_dirs == []
    raw = second.encode(3)
    first, second = RegisterBrokerRecord.decode(raw, 3), RegisterBrokerRecord.decode(raw, 3)
    first.log_dirs.append(bytes(16))
    assert second.log_dirs == [] and RegisterBrokerRecord.decode(raw, 3).log_dirs == []


def test_records_are_views_of_the_frame() -> None:
    topic = ProduceRequest.TopicProduceData
    data = topic.PartitionProduceData(index=0, records=b"batch")
    request = ProduceRequest(acks=1, timeout_ms=0, topic_data=[topic(name="t", partition_data=[data])])
    for version in (8, 9):
        frame = bytearray(request.encode(version))
        records = ProduceRequest.decode(frame, version).topic_data[0].partition_data[0].records
        assert isinstance(records, memoryview) and records == b"batch"
        frame[frame.index(b"batch")] = ord("B")
        assert records == b"Batch"


def test_records_are_written_without_a_copy() -> None:
    topic = FetchResponse.FetchableTopicResponse
    records = memoryview(b"a long batch")
    partition = topic.PartitionData(partition_index=0, error_code=0, high_watermark=1, records=records)
    parts: list[Any] = []
    FetchResponse(responses=[topic(topic="t", partitions=[partition])]).encode_to(parts, 12)
    assert any(part is records for part in parts)


@pytest.mark.parametrize(
    "message, version",
    [
        (HeartbeatRequest(group_id=b"g", generation_id=1, member_id="m"), 4),
        (HeartbeatRequest(group_id="g", generation_id="1", member_id="m"), 4),
        (HeartbeatRequest(group_id="g", generation_id=1 << 31, member_id="m"), 0),
        (HeartbeatRequest(group_id="\ud800", generation_id=1, member_id="m"), 4),
        (SaslHandshakeRequest(mechanism=7), 1),
        (CreateTopicsRequest(topics=[None]), 7),
        (CreateTopicsRequest(topics=5), 7),
        (ClientQuotaRecord(entity=[], key="k", value=10**400, remove=False), 0),
        (RegisterBrokerRecord(log_dirs=[b"short"]), 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Message) else str(value),
)
def test_what_cannot_be_written_is_refused(message: Message, version: int) -> None:
    with pytest.raises(ProtocolError):
        message.encode(version)


def test_versions_that_there_are_not() -> None:
    for version in (-1, 5, 32767):
        with pytest.raises(ProtocolError, match=f"no version {version}"):
            HeartbeatRequest().encode(version)
        with pytest.raises(ProtocolError, match=f"no version {version}"):
            HeartbeatRequest.decode(b"", version)
    gone = [name for name in message_names() if message_class(name).__schema__.versions == (1, 0)]
    assert len(gone) == 8
    for name in gone:
        with pytest.raises(ProtocolError):
            message_class(name).decode(b"", 0)


def test_every_message_says_what_it_is_for() -> None:
    for name in message_names():
        assert len((message_class(name).__doc__ or "").strip()) > 3, name


def test_tracebacks_show_the_generated_code() -> None:
    with pytest.raises(ProtocolError) as caught:
        HeartbeatRequest.decode(b"\x00", 4)
    shown = "".join(traceback.format_exception(caught.value))
    assert "<klamm decode klamm.kproto.messages.heartbeat.HeartbeatRequest v4>" in shown
    assert "bad_null('group_id')" in shown
    assert linecache.getline("<klamm decode klamm.kproto.messages.heartbeat.HeartbeatRequest v4>", 1).startswith("def")

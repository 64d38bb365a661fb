"""Any bytes give a message or a ProtocolError, in bounded time and memory; any message survives a round trip.

Everything here is repeatable: seeded generators, and hypothesis without its randomness.
"""

from __future__ import annotations

import gzip
import json
import random
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klamm.kproto.catalog import message_class, message_names
from klamm.kproto.codec_source import Source
from klamm.kproto.codec_writer import write_uvarint
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Field, Message, Struct

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
NAMES = [name for name in message_names() if message_class(name).__schema__.versions != (1, 0)]
CASES = [
    (name, version)
    for name in NAMES
    for version in range(message_class(name).__schema__.versions[0], message_class(name).__schema__.versions[1] + 1)
]
MEMORY_FACTOR = 80
"""Bytes of memory that a byte of input may cost at most. Measured: 60, for structs of two empty lists in four bytes."""


def vectors(name: str) -> list[dict[str, Any]]:
    path = VECTORS / f"{name}.jsonl.gz"
    if not path.exists():
        return []
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def seeds(name: str) -> dict[int, list[bytes]]:
    """Kafka's own bytes of a message by version, the short ones."""
    found: dict[int, list[bytes]] = {}
    for line in vectors(name):
        if len(line["hex"]) < 4000:
            found.setdefault(line["version"], []).append(bytes.fromhex(line["hex"]))
    return found


def decode_any(cls: type[Message], data: bytes, version: int) -> None:
    """Decode; what can be decoded and written is read again as the same."""
    try:
        message, end = cls.decode_from(data, 0, version)
    except ProtocolError:
        return
    assert 0 <= end <= len(data)
    try:
        written = message.encode(version)
    except ProtocolError:
        return  # disorder among unknown tags is read but not written
    again, end = cls.decode_from(written, 0, version)
    assert end == len(written)
    assert again.encode(version) == written


# Random bytes ---------------------------------------------------------------------------------------------------------

CLAIMS = [b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08", b"\x7f\xff\xff\xff", b"\xff" * 6]


def damaged(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0 if at < len(out):
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                del out[at:]
            case 2:
                out[at:at] = rng.randbytes(rng.randint(1, 4))
            case 3:
                claim = rng.choice(CLAIMS)
                out[at : at + rng.choice((0, 1, len(claim)))] = claim
            case 4:
                del out[at : at + rng.randint(1, 8)]
            case _:
                out[at:at] = out[at : at + rng.randint(1, 30)]
    return bytes(out)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_messages(name: str) -> None:
    cls, rng = message_class(name), random.Random(f"damage {name}")
    by_version = seeds(name)
    low, high = cls.__schema__.versions
    for version in range(low, high + 1):
        known = by_version.get(version, [cls().encode(version)])
        for _ in range(40):
            decode_any(cls, damaged(rng, rng.choice(known)), version)
        for size in (0, 1, 7, 60):
            decode_any(cls, rng.randbytes(size), version)
            decode_any(cls, bytes(rng.choice((0, 1, 2, 127, 255)) for _ in range(size)), version)


@given(st.sampled_from(CASES), st.binary(max_size=300))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_any_bytes(case: tuple[str, int], data: bytes) -> None:
    decode_any(message_class(case[0]), data, case[1])


# Round trips ----------------------------------------------------------------------------------------------------------

BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64}
TEXTS = ["", "a", "é", "\x00", "😀", "x" * 127, "y" * 128, "topic-1"]


def random_value(rng: random.Random, field: Field, version: int, flexible: bool) -> Any:
    if field.nullable_in(version) and rng.random() < 0.25:
        return None
    if field.array:
        return [random_element(rng, field, version, flexible) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    return random_element(rng, field, version, flexible)


def random_element(rng: random.Random, field: Field, version: int, flexible: bool) -> Any:
    if field.struct is not None:
        return random_struct(rng, field.struct, version, flexible)
    kind = field.type
    if kind in BITS:
        top = 1 << BITS[kind] - 1
        return rng.choice((0, 1, -1, top - 1, -top, rng.randrange(-top, top)))
    if kind in ("uint16", "uint32"):
        return rng.randrange(1 << int(kind[4:]))
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "float64":
        return rng.choice((0.0, -1.5, 1e300, float("inf"), rng.random()))
    if kind == "string":
        return rng.choice(TEXTS)
    if kind == "uuid":
        return rng.choice((bytes(16), rng.randbytes(16)))
    return rng.randbytes(rng.choice((0, 1, 126, 127, 128, 300)))


def random_struct(rng: random.Random, cls: type[Struct], version: int, flexible: bool) -> Struct:
    values = {}
    for field in cls.__schema__.fields:
        tagged = flexible and field.tagged_in(version)
        if (field.exists_in(version) or tagged) and not (tagged and rng.random() < 0.4):
            values[field.name] = random_value(rng, field, version, flexible)
    made = cls(**values)
    if flexible and rng.random() < 0.2:
        made.unknown_tagged_fields = [(tag, rng.randbytes(tag % 7)) for tag in (90, 127, 128, 2147483646)]
    return made


@pytest.mark.parametrize("name", NAMES)
def test_random_messages_survive_a_round_trip(name: str) -> None:
    cls, rng = message_class(name), random.Random(f"round trip {name}")
    low, high = cls.__schema__.versions
    for version in range(low, high + 1):
        for _ in range(6):
            message = random_struct(rng, cls, version, cls.__schema__.is_flexible(version))
            assert isinstance(message, Message)
            raw = message.encode(version)
            assert cls.decode_from(raw, 0, version) == (message, len(raw))
            inside = memoryview(b"before" + raw + b"behind")
            assert cls.decode_from(inside, 6, version) == (message, 6 + len(raw))
            assert cls.decode(raw, version).encode(version) == raw


# Bounds ---------------------------------------------------------------------------------------------------------------


def arrays(struct: Struct, version: int, flexible: bool) -> Iterator[tuple[Struct, Field]]:
    """Every array that the version has, at any depth, with the struct that it stands in."""
    for field in struct.__schema__.fields:
        if not (field.exists_in(version) or (flexible and field.tagged_in(version))):
            continue
        value = getattr(struct, field.name)
        if field.array:
            yield struct, field
            if value and field.struct is not None:
                yield from arrays(value[0], version, flexible)
        elif field.struct is not None and value is not None:
            yield from arrays(value, version, flexible)


def densest(field: Field, version: int) -> Iterator[Any]:
    """Elements that take few bytes and much memory."""
    if field.struct is None:
        yield {"string": "", "bytes": b"", "uuid": bytes(range(16)), "bool": True}.get(field.type, 100)
        return
    yield field.struct()
    full = field.struct()
    for inner in field.struct.__schema__.fields:
        if inner.exists_in(version) and inner.array and inner.tag < 0:
            setattr(full, inner.name, [next(densest(inner, version))])
    yield full


def assert_memory_of_decoding(cls: type[Message], raw: bytes, version: int, limit: int) -> None:
    """Less than `limit` bytes at any time. What other threads of this process allocate meanwhile counts, too: so a
    peak above it is measured again, and what is the decoder's own is there each time.
    """
    peaks = []
    while not peaks or (peaks[-1] >= limit and len(peaks) < 5):
        peaks.append(_peak_of_decoding(cls, raw, version))
    assert min(peaks) < limit


def _peak_of_decoding(cls: type[Message], raw: bytes, version: int) -> int:
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        message = cls.decode(raw, version)
    except ProtocolError:
        message = None
    peak = tracemalloc.get_traced_memory()[1] - before
    del message
    return peak


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("traced")
def test_memory_is_bounded_by_the_input(name: str) -> None:
    """Full arrays of what is smallest on the wire, and lengths that claim more than there is."""
    cls = message_class(name)
    version = cls.__schema__.versions[1]
    cls.decode(cls().encode(version), version)  # compiles both
    flexible = cls.__schema__.is_flexible(version)
    nested = [line["hex"] for line in vectors(name) if (line["version"], line["kind"]) == (version, "default-nested")]
    template = cls.decode(bytes.fromhex(nested[0]), version) if nested else cls()
    for struct, field in arrays(template, version, flexible):
        kept = getattr(struct, field.name)
        for element in densest(field, version):
            setattr(struct, field.name, [element] * 150)
            raw = template.encode(version)
            assert_memory_of_decoding(cls, raw, version, 8000 + MEMORY_FACTOR * len(raw))
        setattr(struct, field.name, kept)
    raw = template.encode(version)
    for at in range(min(len(raw), 60)):
        for claim in CLAIMS:
            data = raw[:at] + claim + raw[at + 1 :]
            assert_memory_of_decoding(cls, data, version, 8000 + MEMORY_FACTOR * len(data))


@pytest.mark.usefixtures("traced")
def test_floods_of_tags_and_false_counts() -> None:
    cls, version = message_class("FetchResponse"), 17
    body = cls().encode(version)[:-1]
    small = 5000
    endpoints = b"\x00\x01\x01"  # tag 0, size 1, no endpoints: a known tag, again and again
    for count, tag in ((small, b"\x50\x00"), (small, b"\xff\xff\xff\xff\x07\x00"), (small, endpoints)):
        raw = body + write_uvarint(count) + tag * count
        assert_memory_of_decoding(cls, raw, version, MEMORY_FACTOR * len(raw))
    for claim in CLAIMS[:2]:
        decode_any(cls, body + claim, version)
        assert_memory_of_decoding(cls, body + claim + b"\x50\x00" * 100, version, 40000)
    # Arrays of fixed width that claim as many elements as there are bytes, which is always too many.
    for name, head in (
        ("LeaderChangeMessage", b"\0\0\0\0\0\1"),
        ("BrokerHeartbeatRequest", bytes(22) + b"\x01\x00\x01"),
    ):
        data = head + write_uvarint(100_001) + bytes(100_000)
        assert_memory_of_decoding(message_class(name), data, 0, MEMORY_FACTOR * len(data))
    for known in Source._arrays.values():
        assert len(known) <= 64


def decoding_time(cls: type[Message], raw: bytes, version: int) -> float:
    best = 1e9
    for _ in range(5):
        start = time.process_time()
        decode_any(cls, raw, version)
        best = min(best, time.process_time() - start)
    return best


def test_time_grows_with_the_input_and_not_faster() -> None:
    """Sixteen times as much takes about sixteen times as long; a quadratic decoder would take 256 times."""
    cls, version = message_class("FetchResponse"), 17
    body = cls().encode(version)[:-1]
    topic = bytes(16) + b"\x01\x00"
    for small, large in (
        [body + write_uvarint(n) + b"\x50\x00" * n for n in (1000, 16000)],
        [body[:-1] + write_uvarint(n + 1) + topic * n + b"\x00" for n in (1000, 16000)],
    ):
        assert decoding_time(cls, large, version) < 80 * max(decoding_time(cls, small, version), 1e-4)


def test_every_element_of_an_array_takes_a_byte() -> None:
    """The bound on counts rests on it: no struct in an array is empty in a version that is not flexible."""
    checked = 0
    for name, version in CASES:
        cls = message_class(name)
        if cls.__schema__.is_flexible(version):
            continue
        for line in vectors(name):
            if (line["version"], line["kind"]) == (version, "default-nested"):
                template = cls.decode(bytes.fromhex(line["hex"]), version)
                for struct, field in arrays(template, version, False):
                    before = len(template.encode(version))
                    setattr(struct, field.name, getattr(struct, field.name) * 2)
                    assert len(template.encode(version)) > before
                    checked += 1
    assert checked > 300

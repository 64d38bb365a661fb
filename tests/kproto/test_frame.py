"""Frames and headers: any split of a stream gives the same frames, broken headers are refused, sizes are claims."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from klamm.kproto.apis import API_VERSIONS, APIS, FETCH, PRODUCE, SASL_HANDSHAKE
from klamm.kproto.errors import ProtocolError
from klamm.kproto.frame import SCRATCH_BYTES, FrameReader, SpareBuffers, read_api, read_request_header, response_prefix
from klamm.kproto.messages.header import RequestHeader, ResponseHeader

VECTORS = Path(__file__).parents[1] / "data" / "vectors"
LIMIT = 1 << 20


def framed(frames: list[bytes]) -> bytes:
    return b"".join(struct.pack(">i", len(frame)) + frame for frame in frames)


def feed(reader: FrameReader, data: bytes) -> list[bytes]:
    """Hand over bytes as a transport does: as many at a time as the reader's buffer takes."""
    found: list[bytes] = []
    while data:
        buffer = reader.buffer()
        count = min(len(buffer), len(data))
        assert count > 0
        buffer[:count] = data[:count]
        data = data[count:]
        found += [bytes(frame) for frame in reader.received(count)]
        if reader.error is not None:
            break
    return found


def reader(scratch_bytes: int = SCRATCH_BYTES, size_max: int = LIMIT) -> FrameReader:
    return FrameReader(memoryview(bytearray(scratch_bytes)), size_max)


frames_lists = st.lists(
    st.binary(max_size=40) | st.integers(0, 300).map(lambda n: bytes(i & 255 for i in range(n))), max_size=8
)
cuts = st.lists(st.integers(1, 200), min_size=1, max_size=30)


@given(frames_lists, cuts)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_split_gives_the_same_frames(frames: list[bytes], sizes: list[int]) -> None:
    stream, found, at, turn = framed(frames), [], 0, 0
    under_test = reader(scratch_bytes=64)
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += feed(under_test, stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == frames
    assert under_test.pending_bytes == 0 and under_test.error is None


@given(frames_lists, frames_lists, cuts)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_connections_share_one_scratch_buffer(first: list[bytes], second: list[bytes], sizes: list[int]) -> None:
    scratch = memoryview(bytearray(64))
    readers = [FrameReader(scratch, LIMIT), FrameReader(scratch, LIMIT)]
    streams, found = [framed(first), framed(second)], [list[bytes](), list[bytes]()]
    turn = 0
    while streams[0] or streams[1]:
        size, which = sizes[turn % len(sizes)], turn % 2
        found[which] += feed(readers[which], streams[which][:size])
        streams[which] = streams[which][size:]
        turn += 1
    assert found == [first, second]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_frame_cut_in_two_is_counted_as_pending(cut: int) -> None:
    stream = framed([b"12345678"])
    under_test = reader()
    assert feed(under_test, stream[:cut]) == []
    assert under_test.pending_bytes == cut
    assert feed(under_test, stream[cut:]) == [b"12345678"]
    assert under_test.pending_bytes == 0


@pytest.mark.parametrize("size", [SCRATCH_BYTES - 4, SCRATCH_BYTES - 3, SCRATCH_BYTES, 131072, 131073, 700_000])
def test_big_frames_have_a_buffer_of_their_own(size: int) -> None:
    frame = bytes(i * 7 & 255 for i in range(size))
    under_test = reader()
    stream = framed([b"before"]) + struct.pack(">i", size) + frame
    views: list[memoryview] = []
    at = 0
    while at < len(stream):
        buffer = under_test.buffer()
        count = min(len(buffer), 30_000, len(stream) - at)
        buffer[:count] = stream[at : at + count]
        views += under_test.received(count)
        at += count
    assert views[-1] == frame
    assert under_test.owned == (size + 4 > SCRATCH_BYTES)
    assert feed(under_test, framed([b"behind"])) == [b"behind"]
    assert not under_test.owned
    if size + 4 > SCRATCH_BYTES:
        assert views[-1] == frame  # it stands on its own: later bytes do not touch it


def test_a_claimed_size_takes_little_memory() -> None:
    """100 MiB are announced: the buffer holds no more than four times what came, or the first 128 KiB."""
    under_test = reader(size_max=100 << 20)
    assert feed(under_test, struct.pack(">i", 100 << 20)) == []
    arrived = 0
    for _ in range(60):
        buffer = under_test.buffer()
        assert len(buffer.obj) <= max(131072, 4 * arrived)
        count = min(len(buffer), 65536)
        arrived += count
        assert under_test.received(count) == []
        assert under_test.pending_bytes == arrived


def test_sizes_out_of_bounds_end_the_stream_after_the_frames_before() -> None:
    for size in (-1, -(1 << 31), LIMIT + 1, 0x7FFFFFFF):
        under_test = reader()
        assert feed(under_test, framed([b"good", b""]) + struct.pack(">i", size) + b"rest") == [b"good", b""]
        assert isinstance(under_test.error, ProtocolError) and str(size) in str(under_test.error)
    under_test = reader(size_max=8)
    assert feed(under_test, framed([b"12345678"])) == [b"12345678"]
    assert under_test.error is None


# Headers --------------------------------------------------------------------------------------------------------------


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((VECTORS / f"{name}.jsonl.gz").read_bytes()).splitlines()]


@pytest.mark.parametrize("line", lines("RequestHeader"), ids=lambda line: f"{line['kind']}-v{line['version']}")
def test_kafkas_request_headers(line: dict[str, Any]) -> None:
    raw = bytearray.fromhex(line["hex"])
    expected = RequestHeader.decode(raw, line["version"])
    # The vector's key and version are any: give it ones that go with its header version.
    key, version = (FETCH, 12) if line["version"] == 2 else (FETCH, 11)
    raw[:4] = struct.pack(">hh", key, version)
    header = read_request_header(memoryview(raw + b"body"))
    assert header == (key, version, expected.correlation_id, expected.client_id, len(raw))
    assert read_api(memoryview(raw)) == (key, version, expected.correlation_id)


@pytest.mark.parametrize("api", APIS.values(), ids=lambda api: api.name)
def test_the_header_version_follows_from_api_and_version(api: Any) -> None:
    for version in range(api.low, api.high + 1):
        header_version = api.request_header_version(version)
        written = RequestHeader(
            request_api_key=api.key, request_api_version=version, correlation_id=9, client_id="me"
        ).encode(header_version)
        assert read_request_header(memoryview(written + b"\x00\x01")) == (api.key, version, 9, "me", len(written))


@given(
    st.sampled_from([PRODUCE, FETCH, SASL_HANDSHAKE, API_VERSIONS, 7, 999]), st.integers(-1, 20), st.binary(max_size=60)
)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_any_bytes_are_a_header_or_refused(key: int, version: int, rest: bytes) -> None:
    frame = memoryview(struct.pack(">hh", key, version) + rest)
    try:
        header = read_request_header(frame)
    except ProtocolError:
        return
    assert 10 <= header.body <= len(frame)
    api = APIS[key]
    ours = RequestHeader.decode_from(frame, 0, api.request_header_version(version))
    assert (ours[0].correlation_id, ours[0].client_id, ours[1]) == (
        header.correlation_id,
        header.client_id,
        header.body,
    )


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00\x01\x00\x0c\x00\x00\x00",
        b"\x00\x01\x00\x0c\x00\x00\x00\x01\x00",
        b"\x00\x01\x00\x0c\x00\x00\x00\x01\x00\x05abcd",  # a client id of five bytes, four of them there
        b"\x00\x01\x00\x0c\x00\x00\x00\x01\xff\xff",  # no tag section
        b"\x00\x01\x00\x0c\x00\x00\x00\x01\xff\xff\x01\x00\x05abcd",  # a tag of five bytes
        b"\x00\x01\x00\x0c\x00\x00\x00\x01\xff\xff\x02\x00\x00",  # one tag of two
        b"\x00\x01\x00\x0c\x00\x00\x00\x01\xff\xff" + b"\xff" * 6,
        b"\x03\xe7\x00\x00\x00\x00\x00\x01\xff\xff",  # API 999
        b"\x00\x07\x00\x00\x00\x00\x00\x01\xff\xff",  # ControlledShutdown, which has no version left
    ],
    ids=lambda frame: frame.hex(),
)
def test_broken_headers(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_request_header(memoryview(frame))


def test_tags_of_a_header_are_passed_over() -> None:
    """As Kafka's reader does, in whatever order they come."""
    head = struct.pack(">hhihc", FETCH, 12, 5, 1, b"x")
    frame = memoryview(head + b"\x02" + b"\x09\x02ab" + b"\x01\x00" + b"body")
    header = read_request_header(frame)
    assert header.client_id == "x" and bytes(frame[header.body :]) == b"body"


def test_a_frame_without_api_is_refused() -> None:
    with pytest.raises(ProtocolError):
        read_api(memoryview(b"\x00" * 7))


@pytest.mark.parametrize("version", [0, 1])
def test_response_prefixes(version: int) -> None:
    header = ResponseHeader(correlation_id=-77).encode(version)
    assert response_prefix(1000, -77, version) == struct.pack(">i", 1000 + len(header)) + header


def test_api_versions_answers_in_header_0() -> None:
    api = APIS[API_VERSIONS]
    assert [api.response_header_version(v) for v in range(5)] == [0] * 5
    assert [api.request_header_version(v) for v in range(5)] == [1, 1, 1, 2, 2]


def big(size: int, spares: SpareBuffers, fill: int = 7) -> memoryview:
    """A frame of `size` bytes that a new connection read."""
    under_test = FrameReader(memoryview(bytearray(SCRATCH_BYTES)), 1 << 30, spares)
    stream = struct.pack(">i", size) + bytes([fill]) * size
    at = 0
    while True:
        buffer = under_test.buffer()
        count = min(len(buffer), len(stream) - at)
        buffer[:count] = stream[at : at + count]
        at += count
        del buffer
        if found := under_test.received(count):
            assert at == len(stream) and found[0] == stream[4:]
            return found[0]


def test_the_buffer_of_a_big_frame_is_used_again_when_nobody_looks_at_it() -> None:
    spares = SpareBuffers()
    first = big(900_000, spares)
    held, whose = first[1000:2000], first.obj
    del first
    second = big(900_001, spares, fill=8)
    assert second.obj is not whose and held == bytes([7]) * 1000
    del held
    third = big(100_000, spares, fill=9)
    assert third.obj is whose, "a smaller frame may stand in it, too"
    assert big(900_002, spares).obj not in (whose, second.obj)


def test_a_buffer_that_is_being_read_into_is_nobody_elses() -> None:
    spares = SpareBuffers()
    whose = big(900_000, spares).obj
    half = FrameReader(memoryview(bytearray(SCRATCH_BYTES)), 1 << 30, spares)
    assert feed(half, struct.pack(">i", 900_000) + b"half") == []
    assert half.buffer().obj is whose
    assert big(900_000, spares).obj is not whose


def test_spare_buffers_are_bounded() -> None:
    spares = SpareBuffers()
    seen = [big(1_000_000, spares) for _ in range(40)]
    kept = sum(spares.take(1) is not None for _ in range(40))
    assert kept == 0, "all are looked at"
    seen.clear()
    kept = 0
    while spares.take(1) is not None:
        kept += 1
    assert 1 < kept <= 16
    big(40_000_000, spares)
    assert spares.take(1) is None, "too large to keep"

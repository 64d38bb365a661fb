"""Codecs: Kafka's forms, everything its readers take, and bounds that no input gets past."""

from __future__ import annotations

import gzip
import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cramjam
import lz4.frame
import pytest
import zstandard

import klamm
from klamm.kproto import compression, errors
from klamm.kproto.compression import (
    GZIP,
    LZ4,
    SNAPPY,
    ZSTD,
    CompressionError,
    DecompressedTooLarge,
    compress,
    decompress,
)

CODECS = [GZIP, SNAPPY, LZ4, ZSTD]
TEXT = b"".join(b"value-%d " % random.Random(4).randrange(1 << 20) for _ in range(20_000))
SAMPLES = [b"", b"a", b"a" * 100_000, TEXT, random.Random(5).randbytes(200_000)]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", SAMPLES, ids=len)
def test_round_trip(codec: int, data: bytes) -> None:
    packed = compress(codec, data)
    assert decompress(codec, packed) == data
    assert decompress(codec, memoryview(bytearray(packed)), len(data)) == data
    assert len(packed) <= len(data) + len(data) // 100 + 60


@pytest.mark.parametrize(
    ("codec", "level"),
    [(GZIP, 1), (GZIP, 9), (GZIP, -1), (LZ4, 1), (LZ4, 9), (LZ4, 17), (ZSTD, -131072), (ZSTD, -5), (ZSTD, 22)],
)
def test_every_level_of_kafkas_settings(codec: int, level: int) -> None:
    assert decompress(codec, compress(codec, TEXT, level)) == TEXT


def test_names() -> None:
    assert [compression.codec_id(name) for name in ("none", "gzip", "snappy", "lz4", "zstd")] == [0, 1, 2, 3, 4]
    for call in (lambda: compression.codec_id("brotli"), lambda: compress(5, b""), lambda: decompress(7, b"")):
        with pytest.raises(compression.UnknownCompression):
            call()


def test_none_is_bounded_too() -> None:
    assert decompress(0, b"abc", 3) == compress(0, b"abc") == b"abc"
    with pytest.raises(DecompressedTooLarge):
        decompress(0, b"abcd", 3)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", SAMPLES[1:], ids=len)
def test_a_limit_one_byte_short(codec: int, data: bytes) -> None:
    with pytest.raises(DecompressedTooLarge) as caught:
        decompress(codec, compress(codec, data), len(data) - 1)
    assert caught.value.code == errors.UNKNOWN_SERVER_ERROR


@pytest.mark.parametrize("codec", CODECS)
def test_truncation_is_an_error_at_every_byte(codec: int) -> None:
    packed = compress(codec, TEXT[:500] + os.urandom(40))
    for size in range(1, len(packed)):
        try:
            cut = decompress(codec, packed[:size])
        except CompressionError:
            continue
        # A stream of blocks without an end mark cannot tell, nor can snappy-java; the record count then can.
        assert codec == SNAPPY
        assert size in (16, 17, 18, 19)
        assert cut == b""


@pytest.mark.parametrize("codec", CODECS)
def test_damage_never_raises_anything_else(codec: int) -> None:
    chance = random.Random(codec)
    packed = compress(codec, TEXT[:5000])
    for _ in range(3000):
        damaged = bytearray(packed)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        try:
            assert len(decompress(codec, damaged, 20_000)) <= 20_000
        except CompressionError:
            pass


def test_gzip_members_and_what_follows() -> None:
    assert decompress(GZIP, gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")) == b"one two"
    assert decompress(GZIP, gzip.compress(b"one") + b"not a member") == b"one"
    assert decompress(GZIP, gzip.compress(TEXT) * 20) == TEXT * 20
    with pytest.raises(CompressionError):
        decompress(GZIP, zlib.compress(b"zlib, not gzip"))
    with pytest.raises(CompressionError):
        decompress(GZIP, gzip.compress(b"one")[:-1] + b"?")


def test_snappy_forms() -> None:
    packed = compress(SNAPPY, TEXT)
    assert packed.startswith(bytes.fromhex("82534e415050590000000001000000 01".replace(" ", "")))
    assert bytes(cramjam.snappy.decompress_raw_len(packed[20:]).to_bytes(2, "big")) == b"\x80\x00"  # blocks of 32 KB
    raw = bytes(cramjam.snappy.compress_raw(TEXT))
    assert decompress(SNAPPY, raw) == TEXT
    assert decompress(SNAPPY, packed + packed) == TEXT + TEXT
    assert decompress(SNAPPY, packed + b"\x00\x00") == TEXT
    for damaged in (
        b"\xff\xff\xff\xff\x0f",
        packed[:16] + struct.pack(">i", -1) + packed[20:],
        packed[:16] + struct.pack(">i", 2**31 - 1) + packed[20:],
    ):
        with pytest.raises(CompressionError):
            decompress(SNAPPY, damaged)


def test_lz4_forms() -> None:
    packed = compress(LZ4, TEXT)
    assert packed[:6] == bytes.fromhex("04224d186040")
    assert decompress(LZ4, packed + b"what follows a frame is ignored") == TEXT
    for keywords in (
        {"block_linked": False, "content_checksum": True, "block_checksum": True, "store_size": True},
        {"block_linked": False, "block_size": lz4.frame.BLOCKSIZE_MAX4MB},
    ):
        frame = lz4.frame.compress(TEXT, **keywords)
        assert decompress(LZ4, frame) == TEXT
        at = 14 if frame[4] & 8 else 6
        wrong = frame[:at] + bytes((frame[at] ^ 0x9A,)) + frame[at + 1 :]
        assert decompress(LZ4, wrong, ignore_lz4_header_checksum=True) == TEXT
        with pytest.raises(CompressionError):
            decompress(LZ4, wrong)
    for refused in (lz4.frame.compress(TEXT, block_linked=True), b"\x50\x2a\x4d\x18\x60\x00\x00\x00", b"", b"\x04"):
        for ignore in (False, True):
            with pytest.raises(CompressionError):
                decompress(LZ4, refused, ignore_lz4_header_checksum=ignore)
    with pytest.raises(CompressionError):
        decompress(LZ4, packed[:5] + b"\x10" + packed[6:], ignore_lz4_header_checksum=True)


def test_zstd_frames_without_a_size_and_one_after_another() -> None:
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    frame = stream.compress(TEXT) + stream.flush()
    assert zstandard.get_frame_parameters(frame).content_size in (0, zstandard.CONTENTSIZE_UNKNOWN)
    assert decompress(ZSTD, frame) == TEXT
    assert decompress(ZSTD, frame + frame, 2 * len(TEXT)) == TEXT + TEXT
    assert decompress(ZSTD, b"") == b""
    with pytest.raises(CompressionError):
        decompress(ZSTD, frame + b"no frame")
    with pytest.raises(CompressionError):
        decompress(ZSTD, frame + frame[:-1])


BOMBS = """
import gzip, resource, struct
import cramjam, lz4.frame, zstandard
from klamm.kproto import compression as c
SIZE = 400 << 20
def zstd():
    stream = zstandard.ZstdCompressor().compressobj()
    parts = [stream.compress(bytes(1 << 20)) for _ in range(400)]
    return b"".join(parts) + stream.flush()
def gz():
    import zlib
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [stream.compress(bytes(1 << 20)) for _ in range(400)]
    return b"".join(parts) + stream.flush()
def frame():
    stream = lz4.frame.LZ4FrameCompressor(block_size=7, block_linked=False)
    parts = [stream.begin()] + [stream.compress(bytes(1 << 20)) for _ in range(400)]
    return b"".join(parts) + stream.flush()
def snappy():
    block = bytes(cramjam.snappy.compress_raw(bytes(1 << 20)))
    return b"\\x82SNAPPY\\x00" + struct.pack(">ii", 1, 1) + (struct.pack(">i", len(block)) + block) * 400
def claim():
    return b"\\xff\\xff\\xff\\xff\\x0f" + bytes(1 << 20)
bombs = [(c.GZIP, gz()), (c.SNAPPY, snappy()), (c.SNAPPY, claim()), (c.LZ4, frame()), (c.ZSTD, zstd())]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for codec, data in bombs:
    assert len(data) < 25 << 20
    try:
        c.decompress(codec, data, 4 << 20)
    except c.CompressionError:
        pass
    else:
        raise SystemExit(f"codec {codec} opened a bomb")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KB on Linux only")
def test_bombs_take_no_more_memory_than_the_limit_allows() -> None:
    """Five times 400 MB in at most 20 MB, opened with a limit of 4 MB."""
    root = Path(klamm.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", BOMBS], cwd=root, check=True, capture_output=True, text=True)
    grown_kb = int(done.stdout)
    assert grown_kb < 48 * 1024

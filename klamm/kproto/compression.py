"""The compression codecs of record batches: gzip, snappy, lz4 and zstd in the forms Kafka writes and reads.

Codec libraries are imported on first use. Decompression is bounded: output beyond `size_bytes_max` is an error before
it is held in memory, and a size that the data claims is believed only as far as the format can keep the claim.
"""

from __future__ import annotations

import struct
from typing import Final

from klamm.kproto import errors

NONE: Final = 0
GZIP: Final = 1
SNAPPY: Final = 2
LZ4: Final = 3
ZSTD: Final = 4
NAMES: Final = ("none", "gzip", "snappy", "lz4", "zstd")
"""Kafka's names of the codecs by id, as in `compression.type`."""

DECOMPRESSED_SIZE_BYTES_MAX: Final = 256 * 1024 * 1024
"""The limit for a batch where the caller knows no better one. Kafka streams and has none."""

_Bytes = bytes | bytearray | memoryview

_GZIP_WINDOW: Final = 31  # zlib's wbits: 15 for the window and 16 for gzip's header and trailer
_GZIP_PIECE: Final = 16 * 1024
_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = _XERIAL_MAGIC + struct.pack(">ii", 1, 1)
_XERIAL_BLOCK: Final = 32 * 1024  # the block size of snappy-java's stream
_LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
_ZSTD_BLOCK_MAX: Final = 128 * 1024
_INT32: Final = struct.Struct(">i")


class CompressionError(errors.ProtocolError, errors.KafkaError):
    """Compressed bytes that cannot be opened, or not within the limit.

    Kafka raises a plain KafkaException here, which a client sees as UNKNOWN_SERVER_ERROR.
    """

    stage = "records"

    def __init__(self, message: str) -> None:
        errors.KafkaError.__init__(self, errors.UNKNOWN_SERVER_ERROR, message)


class UnknownCompression(CompressionError):
    """A codec id that Kafka does not define (5 to 7)."""


class DecompressedTooLarge(CompressionError):
    """The data opens to more than the limit."""


def codec_id(name: str) -> int:
    """The id of a codec by Kafka's name. Raises UnknownCompression."""
    try:
        return NAMES.index(name)
    except ValueError:
        raise UnknownCompression(f"unknown compression type {name!r}") from None


def compress(codec: int, data: _Bytes, level: int | None = None) -> bytes:
    """`data` compressed as Kafka's producers do; `level` None is Kafka's default level of the codec."""
    if codec == NONE:
        return bytes(data)
    if codec == GZIP:
        import zlib

        stream = zlib.compressobj(-1 if level is None else level, zlib.DEFLATED, _GZIP_WINDOW)
        return stream.compress(data) + stream.flush()
    if codec == SNAPPY:
        return _compress_snappy(memoryview(data))
    if codec == LZ4:
        import lz4.frame

        # 9 is Kafka's default and there means the fast compressor; every other level is the high-compression one.
        fast = level is None or level == 9
        packed: bytes = lz4.frame.compress(
            data,
            compression_level=0 if fast or level is None else max(level, lz4.frame.COMPRESSIONLEVEL_MINHC),
            block_size=lz4.frame.BLOCKSIZE_MAX64KB,
            block_linked=False,
            content_checksum=False,
            store_size=False,
        )
        return packed
    if codec == ZSTD:
        import zstandard

        return zstandard.ZstdCompressor(level=3 if level is None else level).compress(data)
    raise UnknownCompression(f"unknown compression type id {codec}")


def decompress(
    codec: int,
    data: _Bytes,
    size_bytes_max: int = DECOMPRESSED_SIZE_BYTES_MAX,
    *,
    ignore_lz4_header_checksum: bool = False,
) -> bytes:
    """The bytes that `data` opens to, at most `size_bytes_max`. Raises CompressionError.

    `ignore_lz4_header_checksum` is for message sets of version 0, whose writers computed that checksum wrongly.
    """
    if codec == NONE:
        if len(data) > size_bytes_max:
            raise _too_large(size_bytes_max)
        return bytes(data)
    if codec == GZIP:
        return _decompress_gzip(memoryview(data), size_bytes_max)
    if codec == SNAPPY:
        return _decompress_snappy(memoryview(data), size_bytes_max)
    if codec == LZ4:
        return _decompress_lz4(bytes(data), size_bytes_max, ignore_lz4_header_checksum)
    if codec == ZSTD:
        return _decompress_zstd(memoryview(data), size_bytes_max)
    raise UnknownCompression(f"unknown compression type id {codec}")


def _too_large(size_bytes_max: int) -> DecompressedTooLarge:
    return DecompressedTooLarge(f"the data opens to more than the {size_bytes_max} bytes that are allowed")


def _decompress_gzip(data: memoryview, size_bytes_max: int) -> bytes:
    """Members one after another are read as one; what follows a member and is no member is ignored, as in Java."""
    import zlib

    parts: list[bytes] = []
    room = size_bytes_max
    position = 0
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        while position < len(data):
            if stream.eof:
                if bytes(data[position : position + 2]) != b"\x1f\x8b":
                    break
                stream = zlib.decompressobj(_GZIP_WINDOW)
            piece = data[position : position + _GZIP_PIECE]
            position += len(piece)
            part = stream.decompress(piece, room + 1)
            if len(part) > room:
                raise _too_large(size_bytes_max)
            room -= len(part)
            parts.append(part)
            position -= len(stream.unused_data)
    except zlib.error as error:
        raise CompressionError(f"damaged gzip data: {error}") from None
    if not stream.eof:
        raise CompressionError("the gzip data ends in the middle")
    return b"".join(parts)


def _compress_snappy(data: memoryview) -> bytes:
    import cramjam

    parts = [_XERIAL_HEADER]
    for start in range(0, len(data), _XERIAL_BLOCK):
        block = bytes(cramjam.snappy.compress_raw(data[start : start + _XERIAL_BLOCK]))
        parts.append(_INT32.pack(len(block)))
        parts.append(block)
    return b"".join(parts)


def _decompress_snappy(data: memoryview, size_bytes_max: int) -> bytes:
    """The xerial stream, or one raw block: librdkafka and Go clients write that and Kafka's reader takes it.

    The version numbers of the stream's header are not looked at, as snappy-java does not either.
    """
    if len(data) < len(_XERIAL_HEADER) or bytes(data[:8]) != _XERIAL_MAGIC:
        return _snappy_block(data, size_bytes_max, size_bytes_max)
    parts: list[bytes] = []
    room = size_bytes_max
    position = len(_XERIAL_HEADER)
    while len(data) - position >= 4:  # fewer bytes at the end are ignored, as snappy-java does
        if bytes(data[position : position + 8]) == _XERIAL_MAGIC:
            position += len(_XERIAL_HEADER)  # streams one after another
            continue
        size: int = _INT32.unpack_from(data, position)[0]
        position += 4
        if not 0 <= size <= len(data) - position:
            raise CompressionError(f"a snappy block of {size} bytes where {len(data) - position} are left")
        part = _snappy_block(data[position : position + size], room, size_bytes_max)
        room -= len(part)
        parts.append(part)
        position += size
    return b"".join(parts)


def _snappy_block(block: memoryview, room: int, size_bytes_max: int) -> bytes:
    import cramjam

    try:
        size = cramjam.snappy.decompress_raw_len(block)
        if size > 22 * len(block):  # the densest element is a three-byte copy of 64 bytes
            raise CompressionError(f"a snappy block of {len(block)} bytes claims to hold {size}")
        if size > room:
            raise _too_large(size_bytes_max)
        return bytes(cramjam.snappy.decompress_raw(block))
    except cramjam.DecompressionError as error:
        raise CompressionError(f"damaged snappy data: {error}") from None


def _decompress_lz4(data: bytes, size_bytes_max: int, ignore_header_checksum: bool) -> bytes:
    """One frame; bytes after it are ignored. Kafka's reader takes independent blocks and no dictionary."""
    import lz4.frame

    if len(data) < 7 or data[:4] != _LZ4_MAGIC or data[4] & 0xE3 != 0x60:
        raise CompressionError("no lz4 frame of independent blocks")
    if ignore_header_checksum:
        data = _with_lz4_header_checksum(data)
    stream = lz4.frame.LZ4FrameDecompressor()
    parts: list[bytes] = []
    room = size_bytes_max
    step = max(64 * 1024, 8 * len(data))  # the library allocates as much as it is allowed: begin small
    try:
        part: bytes = stream.decompress(data, min(room + 1, step))
        while True:
            if len(part) > room:
                raise _too_large(size_bytes_max)
            room -= len(part)
            parts.append(part)
            if stream.eof:
                return b"".join(parts)
            if stream.needs_input:
                raise CompressionError("the lz4 frame ends in the middle")
            part = stream.decompress(b"", min(room + 1, step))
    except (RuntimeError, EOFError) as error:
        raise CompressionError(f"damaged lz4 data: {error}") from None


def _with_lz4_header_checksum(data: bytes) -> bytes:
    """The frame behind a header with the right checksum, made by the library; the content size is left out."""
    import lz4.frame

    flags = data[4]
    if data[5] & 0x8F or data[5] < 0x40:
        raise CompressionError("an lz4 frame of an unknown block size")
    header: bytes = lz4.frame.LZ4FrameCompressor(
        block_size=data[5] >> 4, block_linked=False, content_checksum=bool(flags & 4), block_checksum=bool(flags & 16)
    ).begin()
    return header + data[15 if flags & 8 else 7 :]


def _decompress_zstd(data: memoryview, size_bytes_max: int) -> bytes:
    """Frames one after another. Truncation shows only in `eof`, and only `decompressobj` has that.

    It gives all output of a call at once, so it is fed pieces whose output fits even if every four bytes are a
    repeat block of 128 KB, the densest form there is.
    """
    import zstandard

    if not data:  # no frame at all is no bytes, as for Kafka's stream
        return b""
    context = zstandard.ZstdDecompressor()
    stream = context.decompressobj()
    parts: list[bytes] = []
    room = size_bytes_max
    position = 0
    try:
        while position < len(data):
            if stream.eof:
                stream = context.decompressobj()
            piece = data[position : position + max(64, 4 * (room // _ZSTD_BLOCK_MAX))]
            position += len(piece)
            part = stream.decompress(piece)
            if len(part) > room:
                raise _too_large(size_bytes_max)
            room -= len(part)
            parts.append(part)
            if stream.eof:
                position -= len(stream.unused_data)
    except zstandard.ZstdError as error:
        raise CompressionError(f"damaged zstd data: {error}") from None
    if not stream.eof:
        raise CompressionError("the zstd data ends in the middle")
    return b"".join(parts)

"""Bytes that are no proper request: closed or answered alike."""

from __future__ import annotations

import struct

from compat.differential.cases import case
from compat.differential.run import Run


def frame(body: bytes, size: int | None = None) -> bytes:
    return struct.pack(">i", len(body) if size is None else size) + body


def header(key: int, version: int, client_id: bytes | None = b"odd", flexible: bool = False) -> bytes:
    name = struct.pack(">h", -1) if client_id is None else struct.pack(">h", len(client_id)) + client_id
    return struct.pack(">hhi", key, version, 7) + name + (b"\0" if flexible else b"")


API_VERSIONS_0 = header(18, 0)


@case
def unknown_apis(run: Run) -> None:
    for note, key, version in (
        ("key 9999", 9999, 0), ("key -5", -5, 0), ("LeaderAndIsr", 4, 7), ("StopReplica", 5, 4),
        ("UpdateMetadata", 6, 8), ("ControlledShutdown", 7, 3), ("Vote on a broker listener", 52, 0),
        ("Produce v0", 0, 0), ("Produce v2", 0, 2),
        ("Fetch v3", 1, 3), ("Metadata v99", 3, 99), ("Metadata v-1", 3, -1), ("ListOffsets v0", 2, 0),
        ("OffsetCommit v1", 8, 1), ("OffsetFetch v0", 9, 0), ("CreateTopics v1", 19, 1), ("DeleteTopics v0", 20, 0),
        ("DescribeConfigs v0", 32, 0), ("Envelope", 58, 0), ("FetchSnapshot", 59, 0), ("BrokerRegistration", 62, 0),
    ):  # fmt: skip
        for flexible in (False, True):
            run.raw(
                f"{note}, {'flexible' if flexible else 'plain'} header", frame(header(key, version, flexible=flexible))
            )


@case
def api_versions_99(run: Run) -> None:
    for version in (5, 99, 32767, -1):
        for flexible in (False, True):
            body = header(18, version, flexible=flexible) + b"\x02a\x02b\0"
            note = f"version {version}, {'flexible' if flexible else 'plain'} header"
            run.raw(note, frame(body) + frame(header(17, 1) + b"\0\4NONE"), half_close=True)


@case
def sizes(run: Run) -> None:
    for size in (0, -1, 1, 3, 7, -(2**31), 2**31 - 1, 104857601):
        run.raw(f"length {size}", frame(b"abcdefgh"[: max(0, min(size, 8))], size))
    run.raw("an HTTP request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    run.raw("a TLS hello", bytes.fromhex("1603010200010001fc0303") + b"\0" * 40)
    run.raw("the largest length, not sent", frame(b"abc", 104857600), wait_s=0.3)
    run.raw("half a frame", frame(API_VERSIONS_0, 40), wait_s=0.3)
    run.raw("half a frame, then the end", frame(API_VERSIONS_0, 40), half_close=True)


@case
def headers(run: Run) -> None:
    sasl = b"\0\4NONE"
    run.raw("null client id", frame(header(17, 1, None) + sasl))
    run.raw("empty client id", frame(header(17, 1, b"") + sasl))
    run.raw("client id longer than the frame", frame(struct.pack(">hhih", 17, 1, 7, 500) + b"abc"))
    run.raw("client id of length -2", frame(struct.pack(">hhih", 17, 1, 7, -2) + sasl))
    run.raw("invalid UTF-8 in the client id", frame(header(17, 1, b"\xff\xfe") + sasl))
    tags = struct.pack(">hhih", 60, 0, 7, 3) + b"odd"
    run.raw("no tag section", frame(tags))
    run.raw("unknown header tag", frame(struct.pack(">hhih", 42, 2, 7, 3) + b"odd" + b"\1\x09\2ab" + b"\1\0"))
    run.raw("header tag twice", frame(struct.pack(">hhih", 42, 2, 7, 3) + b"odd" + b"\2\x09\2ab\x09\2ab" + b"\1\0"))
    run.raw("overlong varint", frame(struct.pack(">hhih", 36, 2, 7, 3) + b"odd" + b"\x80" * 6 + b"\0"))
    run.raw("header tags that claim too much", frame(struct.pack(">hhih", 36, 2, 7, 3) + b"odd" + b"\1\x09\x7fab"))


@case
def bodies(run: Run) -> None:
    handshake = header(17, 1)
    run.raw("no body", frame(handshake))
    run.raw("half a body", frame(handshake + b"\0\4NO"))
    run.raw("junk behind the body", frame(handshake + b"\0\4NONE" + b"junk"))
    run.raw("null string", frame(handshake + b"\xff\xff"))
    run.raw("string of length -2", frame(handshake + b"\xff\xfe"))
    run.raw("invalid UTF-8", frame(handshake + b"\0\2\xff\xfe"))
    sasl = header(36, 2, flexible=True)
    run.raw("compact bytes, null", frame(sasl + b"\0\0"))
    run.raw("varint of 5 bytes, too large", frame(sasl + b"\xff\xff\xff\xff\x0f\0"))
    run.raw("overlong varint", frame(sasl + b"\xff\xff\xff\xff\xff\1\0"))
    run.raw("unknown body tag", frame(header(42, 2, flexible=True) + b"\1\1\x30\3abc"))
    run.raw("array of 2**31-1", frame(header(15, 0) + struct.pack(">i", 2**31 - 1)))
    run.raw("array of -2", frame(header(42, 0) + struct.pack(">i", -2)))
    run.raw("array of -1 that may not be null", frame(header(42, 0) + struct.pack(">i", -1)))
    run.raw("compact array of 2**32-1", frame(header(42, 2, flexible=True) + b"\xff\xff\xff\xff\x0f\0"))
    run.raw("bool of 2", frame(header(42, 0) + struct.pack(">i", 0) + b"\2"))


@case
def pipelining(run: Run) -> None:
    one = frame(header(17, 1) + b"\0\4NONE")
    run.raw("two at once", one + one, half_close=True)
    run.raw("ten at once", one * 10, half_close=True)
    run.raw("good, then bad", one + frame(header(9999, 0)))
    run.raw("good, bad, good", one + frame(header(9999, 0)) + one)

"""Single records of version 2 batches, read and written, and the errors that damaged batches raise.

These are the only loops of kproto that run once a record: they keep to local names and look one-byte varints up in
line. `records.py` hands all of this on; import it from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from klamm.kproto import errors
from klamm.kproto.varint import ONE_BYTE, read_varint, read_varlong, write_varint

NO_SEQUENCE = -1
NO_TIMESTAMP = -1

Headers = tuple[tuple[str, bytes | None], ...]

_INT64_MAX = (1 << 63) - 1


class CorruptBatch(errors.ProtocolError, errors.KafkaError):
    """A batch whose frame is damaged: size, magic or CRC. A Produce request answers CORRUPT_MESSAGE for it.

    `stage` is "batches" when the buffer cannot be split there, "ensure-valid" when the batch stands but is damaged,
    "records" when the damage shows on reading records.
    """

    code_of_class: int = errors.CORRUPT_MESSAGE

    def __init__(self, message: str, stage: str = "ensure-valid") -> None:
        errors.KafkaError.__init__(self, self.code_of_class, message)
        self.stage = stage


class InvalidRecord(CorruptBatch):
    """A batch with a sound frame whose content breaks the rules. A Produce request answers INVALID_RECORD for it."""

    code_of_class = errors.INVALID_RECORD

    def __init__(self, message: str, stage: str = "records") -> None:
        super().__init__(message, stage)


class Record(NamedTuple):
    """One record. `offset` is absolute, `timestamp` in ms; header values, key and value may be null."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    sequence: int = NO_SEQUENCE


_new = tuple.__new__  # a third of the price of the class's own constructor


def wrap(value: int) -> int:
    """Into int64, as Java's arithmetic does."""
    return ((value + _INT64_MAX + 1) & 0xFFFFFFFFFFFFFFFF) - _INT64_MAX - 1


def decode_records(
    data: bytes, count: int, base_offset: int, base_timestamp: int, append_time: int | None, base_sequence: int
) -> Iterator[Record]:
    """The `count` records that fill `data`; `append_time`, where given, is the time of all. Raises InvalidRecord."""
    one = ONE_BYTE
    size = len(data)
    sequence = NO_SEQUENCE
    headers: Headers
    p = 0
    try:
        for left in range(count - 1, -1, -1):
            if (n := data[p]) < 128:
                p += 1
                end = p + one[n]
            else:
                n, p = read_varint(data, p)
                end = p + n
            if end > size:
                raise InvalidRecord(f"a record that ends at {end} of {size} bytes")
            p += 1  # the attributes of a record have no meaning yet
            if (n := data[p]) < 128:
                timestamp = base_timestamp + one[n]
                p += 1
            else:
                n, p = read_varlong(data, p)
                timestamp = wrap(base_timestamp + n)
            if append_time is not None:
                timestamp = append_time
            if (n := data[p]) < 128:
                delta = one[n]
                p += 1
            else:
                delta, p = read_varint(data, p)
            if base_sequence >= 0:
                sequence = (base_sequence + delta) & 0x7FFFFFFF
            key = value = None
            if (n := data[p]) < 128:
                n = one[n]
                p += 1
            else:
                n, p = read_varint(data, p)
            if n >= 0:
                key = data[p : p + n]
                p += n
            if (n := data[p]) < 128:
                n = one[n]
                p += 1
            else:
                n, p = read_varint(data, p)
            if n >= 0:
                value = data[p : p + n]
                p += n
            if data[p]:
                headers, p = _decode_headers(data, p, end)
            else:
                headers = ()
                p += 1
            if p != end:
                raise InvalidRecord(f"a record whose fields end at {p} and whose length ends at {end}")
            if not left and p != size:
                raise InvalidRecord(f"{size - p} bytes after the last of {count} records")
            yield _new(Record, (base_offset + delta, timestamp, key, value, headers, sequence))
    except (IndexError, ValueError) as error:
        raise InvalidRecord(f"the records end in the middle or hold a wrong number: {error}") from None


def _decode_headers(data: bytes, p: int, end: int) -> tuple[Headers, int]:
    count, p = read_varint(data, p)
    if not 0 <= count <= end - p:  # a header takes two bytes at least; Kafka asks for one
        raise InvalidRecord(f"{count} headers in a record with {end - p} bytes left")
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        n, p = (ONE_BYTE[n], p + 1) if (n := data[p]) < 128 else read_varint(data, p)
        if n < 0:
            raise InvalidRecord("a header without a key")
        key = str(data[p : p + n], "utf-8", "replace")
        p += n
        n, p = (ONE_BYTE[n], p + 1) if (n := data[p]) < 128 else read_varint(data, p)
        if n < 0:
            headers.append((key, None))
        else:
            headers.append((key, data[p : p + n]))
            p += n
        if p > end:
            raise InvalidRecord("a header that ends after its record")
    return tuple(headers), p


def encode_records(rows: list[Record], base_offset: int, base_timestamp: int) -> bytes:
    parts: list[bytes] = []
    varint = write_varint
    before = base_offset - 1
    for offset, timestamp, key, value, headers, _ in rows:
        if offset <= before:
            raise ValueError(f"offset {offset} after {before}")
        if timestamp < NO_TIMESTAMP:
            raise ValueError(f"timestamp {timestamp}")
        before = offset
        fields = [b"\x00", varint(timestamp - base_timestamp), varint(offset - base_offset)]
        for field in (key, value):
            if field is None:
                fields.append(b"\x01")
            else:
                fields.append(varint(len(field)))
                fields.append(field)
        fields.append(varint(len(headers)))
        for name, content in headers:
            encoded = name.encode()
            fields.append(varint(len(encoded)))
            fields.append(encoded)
            if content is None:
                fields.append(b"\x01")
            else:
                fields.append(varint(len(content)))
                fields.append(content)
        record = b"".join(fields)
        parts.append(varint(len(record)))
        parts.append(record)
    return b"".join(parts)

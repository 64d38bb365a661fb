"""Zigzag varints, as records of version 2 use them for lengths, deltas and counts.

Readers take any indexable bytes and give (value, next position). They raise IndexError at the end of the data and
ValueError for a form that is too long: loops over many numbers catch both once, outside. The unsigned varints of
flexible messages are in `codec.py`.
"""

from __future__ import annotations

from klamm.kproto.schema import RecordBytes

ONE_BYTE: tuple[int, ...] = tuple((n >> 1) ^ -(n & 1) for n in range(128))
"""The value of each one-byte form: hot loops look it up and call a reader for longer forms only."""
_FORMS: tuple[bytes, ...] = tuple(bytes((n,)) for n in range(128))


def read_varint(data: RecordBytes, position: int) -> tuple[int, int]:
    """A 32-bit number of at most five bytes; surplus high bits are dropped, as Kafka's reader drops them."""
    value = data[position]
    if value > 127 and (byte := data[position + 1]) < 128:  # two bytes: what most calls of the record loop are for
        value += (byte << 7) - 128
        return (value >> 1) ^ -(value & 1), position + 2
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            value &= 0xFFFFFFFF
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 28:
            raise ValueError("a varint of more than five bytes")


def read_varlong(data: RecordBytes, position: int) -> tuple[int, int]:
    """A 64-bit number of at most ten bytes; surplus high bits are dropped."""
    value = data[position]
    if value > 127 and (byte := data[position + 1]) < 128:
        value += (byte << 7) - 128
        return (value >> 1) ^ -(value & 1), position + 2
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            value &= 0xFFFFFFFFFFFFFFFF
            return (value >> 1) ^ -(value & 1), position
        shift += 7
        if shift > 63:
            raise ValueError("a varlong of more than ten bytes")


def write_varint(value: int) -> bytes:
    """A signed number of up to 64 bits; 32-bit numbers take at most five bytes."""
    value = (value << 1) ^ (value >> 63)
    if value < 128:
        return _FORMS[value]
    if value < 16384:
        return bytes((value & 127 | 128, value >> 7))
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)

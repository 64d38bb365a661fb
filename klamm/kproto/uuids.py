"""UUIDs as Kafka shows them: 16 bytes in messages, URL-safe base64 without padding in text."""

from __future__ import annotations

import binascii

ZERO = bytes(16)
METADATA_TOPIC_ID = bytes(15) + b"\x01"
"""The topic id of `__cluster_metadata`."""
MIGRATING_DIR = ZERO
UNASSIGNED_DIR = bytes(15) + b"\x01"
LOST_DIR = bytes(15) + b"\x02"
"""The directory ids that stand for no directory (KIP-858)."""


def uuid_text(value: bytes) -> str:
    """The 22-character text form."""
    return binascii.b2a_base64(value, newline=False).rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_").decode()


def uuid_bytes(text: str) -> bytes:
    """The 16 bytes of a text form. Raises ValueError."""
    try:
        raw = binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(f"{text!r} is no UUID: {error}") from None
    if len(raw) != 16:
        raise ValueError(f"{text!r} is no UUID: {len(raw)} bytes")
    return raw

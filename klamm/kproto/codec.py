"""Encoders and decoders of messages, compiled from their schemas into straight-line Python on first use.

One function a message class and version, remembered in its schema. The bytes are Kafka's (flexible form: KIP-482).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from klamm.kproto.codec_reader import Decoder, read_uvarint
from klamm.kproto.codec_writer import Encoder, UnsupportedField, write_uvarint
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message, RecordBytes, Struct

__all__ = ["UnsupportedField", "compile_decoder", "compile_encoder", "encode_struct", "read_uvarint", "write_uvarint"]


def _check_version(cls: type[Message], version: int) -> None:
    low, high = cls.__schema__.versions
    if not low <= version <= high:
        raise ProtocolError(f"{cls.__name__} has no version {version} (only {low} to {high})")


def compile_decoder(cls: type[Message], version: int) -> Callable[..., Any]:
    """The decoder of `cls` at `version`, compiled and remembered. Raises ProtocolError for a version it lacks."""
    _check_version(cls, version)
    decoder = cls.__schema__.decoders[version] = Decoder(cls, version).compile()
    return decoder


def compile_encoder(cls: type[Message], version: int) -> Callable[..., Any]:
    """The encoder of `cls` at `version`, compiled and remembered. Raises ProtocolError for a version it lacks."""
    _check_version(cls, version)
    encoder = cls.__schema__.encoders[version] = Encoder(cls, version).compile(cls)
    return encoder


_struct_encoders: dict[tuple[type[Message], type[Struct], int], Callable[..., Any]] = {}


def encode_struct(message: type[Message], struct_: Struct, version: int) -> bytes:
    """The bytes of one struct as it stands in `message` at `version`, for a field declared with `encoded=True`."""
    key = message, type(struct_), version
    encoder = _struct_encoders.get(key)
    if encoder is None:
        _check_version(message, version)
        encoder = _struct_encoders[key] = Encoder(message, version).compile(type(struct_))
    parts: list[RecordBytes] = []
    encoder(struct_, parts)
    return b"".join(parts)

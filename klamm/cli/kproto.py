"""`klamm kproto decode|encode|batches`: messages and record batches as JSON lines, one answer a line.

A line that fails gives {"error": ...}; an `id` is handed through. Output is flushed when no further input waits.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from klamm.kproto.errors import ProtocolError

_EPILOG = """\
decode   {"name": "FetchRequest", "version": 12, "hex": "..."} -> {"json": ..., "unknown_tags": [...]}
encode   {"name", "version", "json", "unknown_tags"}           -> {"hex": "..."}
batches  {"hex": "..."}                                        -> batch headers and records

`name` is a message's name in Kafka's schemas, `hex` its body without size and header."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("direction", choices=sorted(_DIRECTIONS), help="what to do with each line")


def run(args: argparse.Namespace) -> int:
    convert = _DIRECTIONS[args.direction]
    for lines in _arrivals(sys.stdin.fileno()):
        answers = [json.dumps(_answer(convert, line), separators=(",", ":")) for line in lines if line.strip()]
        if answers:
            sys.stdout.write("\n".join(answers) + "\n")
            sys.stdout.flush()
    return 0


def _arrivals(source: int) -> Iterator[list[bytes]]:
    """The lines of a file descriptor, as many at a time as have arrived."""
    rest = b""
    while data := os.read(source, 1 << 20):
        *lines, rest = (rest + data).split(b"\n")
        yield lines
    yield [rest]


def _answer(convert: Callable[[dict[str, Any]], dict[str, Any]], line: bytes) -> dict[str, Any]:
    out: dict[str, Any] = {}
    try:
        question = json.loads(line)
        if not isinstance(question, dict):
            raise ProtocolError("a JSON object was expected")
        out.update({k: question[k] for k in ("id", "name", "version") if k in question})
        out.update(convert(question))
    except (ProtocolError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        out["error"] = f"{type(error).__name__}: {error}"
    return out


def _message(question: dict[str, Any]) -> tuple[Any, int, bool]:
    from klamm.kproto.catalog import message_class

    try:
        cls = message_class(question["name"])
    except KeyError:
        raise ProtocolError(f"there is no message {question.get('name')!r}") from None
    version = question["version"]
    if not isinstance(version, int):
        raise ProtocolError(f"{version!r} is no version")
    return cls, version, cls.__schema__.is_flexible(version)


def _decode(question: dict[str, Any]) -> dict[str, Any]:
    from klamm.kproto.json_form import to_json, unknown_tags

    cls, version, flexible = _message(question)
    raw = bytes.fromhex(question["hex"])
    message, end = cls.decode_from(raw, 0, version)
    out: dict[str, Any] = {"json": to_json(message, version, flexible)}
    tags = unknown_tags(message)
    if tags:
        out["unknown_tags"] = tags
    if end < len(raw):
        out["bytes_left"] = len(raw) - end
    try:
        out["reencoded_equal"] = message.encode(version) == raw
    except ProtocolError:
        out["reencoded_equal"] = False
    return out


def _encode(question: dict[str, Any]) -> dict[str, Any]:
    from klamm.kproto.json_form import add_unknown_tags, from_json

    cls, version, flexible = _message(question)
    message = from_json(cls, question["json"], version, flexible)
    add_unknown_tags(message, question.get("unknown_tags") or [])
    return {"hex": message.encode(version).hex()}


def _batches(question: dict[str, Any]) -> dict[str, Any]:
    from klamm.kproto.batch_json import describe

    return describe(bytes.fromhex(question["hex"]))


_DIRECTIONS = {"decode": _decode, "encode": _encode, "batches": _batches}

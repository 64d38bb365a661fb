"""Writes the decoder of one message version: adjacent fixed-width fields are one `struct` call, arrays are loops.

Counts and lengths are claims until the bytes are there: nothing is allocated for them beforehand, and every element
takes at least one byte, so time and memory stay within a factor of the input's size.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import Any

from klamm.kproto.codec_source import FIXED, STRING_LIMIT, Source
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import MISSING, Field, Message, RecordBytes, Struct, UnknownTags


def _replace_malformed(error: UnicodeError) -> tuple[str, int]:
    """U+FFFD for every malformed part of a string; a surrogate in UTF-8 is one part to Java and three to Python."""
    assert isinstance(error, UnicodeDecodeError)
    data, start = error.object, error.start
    if data[start] != 0xED or not 0xA0 <= int.from_bytes(data[start + 1 : start + 2]) <= 0xBF:
        return "\ufffd", error.end
    return "\ufffd", start + (3 if 0x80 <= int.from_bytes(data[start + 2 : start + 3]) <= 0xBF else 2)


codecs.register_error("kafka", _replace_malformed)


def _raw_uvarint(data: RecordBytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            return value & 0xFFFFFFFF, position
        shift += 7
        if shift > 28:
            raise ProtocolError("a varint of more than five bytes")


def read_uvarint(data: RecordBytes, position: int) -> tuple[int, int]:
    """An unsigned varint of at most five bytes, as Kafka's reader wraps it into a signed 32-bit number."""
    value, position = _raw_uvarint(data, position)
    return (value - (1 << 32) if value >> 31 else value), position


def _read_length(data: RecordBytes, position: int) -> tuple[int, int]:
    """A compact length plus one; anything that Kafka's reader takes for null gives a number below 1."""
    value, position = _raw_uvarint(data, position)
    # 2^31 is no null: taking one from the least int32 gives the greatest.
    return (value - (1 << 32) if value > 1 << 31 else value), position


def _read_unknown_tag(data: RecordBytes, position: int, tag: int, size: int, found: UnknownTags | None) -> UnknownTags:
    if size < 0 or position + size > len(data):
        raise _short()
    found = [] if found is None else found
    found.append((tag, bytes(data[position : position + size])))
    return found


def _read_tags(data: RecordBytes, position: int, count: int) -> tuple[UnknownTags | None, int]:
    """A tag section in which no tag is known; `count` has been read, unless it takes more than one byte."""
    if count > 127:
        count, position = read_uvarint(data, position - 1)
    found: UnknownTags | None = None
    for _ in range(count):
        tag, position = read_uvarint(data, position)
        size, position = read_uvarint(data, position)
        found = _read_unknown_tag(data, position, tag, size, found)
        position += size
    return found, position


def _short() -> ProtocolError:
    return ProtocolError("the message ends before its fields do")


_SCOPE: dict[str, Any] = {
    "uvarint": read_uvarint,
    "length": _read_length,
    "unknown_tag": _read_unknown_tag,
    "read_tags": _read_tags,
    "short": _short,
    "new": object.__new__,
}


class Decoder(Source):
    """Writes `decode(b, p) -> (message, position)`."""

    method = "unpack_from"

    def __init__(self, cls: type[Message], version: int) -> None:
        super().__init__(cls, version, _SCOPE)

    def compile(self) -> Callable[..., Any]:
        self.line("e = len(b)")
        self.line("m = memoryview(b)")
        self.struct_body(self.cls, "o")
        self.flush()
        self.line("return o, p")
        if not any("m[p:q]" in line for line in self.lines):
            del self.lines[1]
        return self.finish("def decode(b, p):", "except (struct_error, IndexError): raise short() from None")

    def flush(self) -> None:
        if self.pending:
            name, size = self.layout([f for f, _ in self.pending])
            targets = ", ".join(t for _, t in self.pending) + ("," if len(self.pending) == 1 else "")
            self.line(f"{targets} = {name}(b, p)")
            self.line(f"p += {size}")
            self.pending = []

    def byte(self, target: str) -> None:
        if self.pending:
            self.pending.append(("B", target))
            self.flush()
        else:
            self.line(f"{target} = b[p]")
            self.line("p += 1")

    def length(self, wide: str, limit: str = "") -> tuple[str, str]:
        """Emit the read of a length into `n`; gives the test for null and the length itself. `limit`: a check of it."""
        if self.flexible:
            self.byte("n")
            self.line("if n > 127:")
            self.line("    n, p = length(b, p - 1)")
            if limit:
                self.line(f"    if n - 1 > {limit}")
            return "n < 1", "n - 1"
        self.pending.append((wide, "n"))
        self.flush()  # an int16 cannot exceed the limit of a string
        return "n < 0", "n"

    def struct_body(self, cls: type[Struct], obj: str) -> None:
        self.line(f"{obj} = new({self.constant('C', cls)})")
        tagged = []
        for field in cls.__schema__.fields:
            target = f"{obj}.{field.name}"
            if field.tagged_in(self.version) and self.flexible:
                tagged.append(field)
            elif field.exists_in(self.version):
                self.field(field, target)
            else:
                self.default(field, target)
        if self.flexible:
            self.tag_section(cls, tagged, obj)
        else:
            self.line(f"{obj}.unknown_tagged_fields = None")

    def default(self, field: Field, target: str) -> None:
        if type(field.default) is list:
            self.line(f"{target} = []")
        elif field.default is MISSING and field.tag >= 0:
            self.line(f"{target} = {self.constant('D', field.shared_default)}")
        elif field.default is MISSING:
            self.line(f"{target} = {self.constant('C', field.struct)}()")
        else:
            self.line(f"{target} = {self.constant('D', field.default)}")

    def tag_section(self, cls: type[Struct], tagged: list[Field], obj: str) -> None:
        for field in tagged:
            self.default(field, f"{obj}.{field.name}")
        later = [f for f in cls.__schema__.fields if f.tag >= 0 and f not in tagged]
        self.byte("k")
        self.line("if k:")
        self.depth += 1
        if tagged or later:
            self.known_tags(tagged, later, f"{obj}.unknown_tagged_fields")
        else:
            self.line(f"{obj}.unknown_tagged_fields, p = read_tags(b, p, k)")
        self.depth -= 1
        self.line(f"else: {obj}.unknown_tagged_fields = None")

    def known_tags(self, tagged: list[Field], later: list[Field], unknown: str) -> None:
        obj = unknown.rpartition(".")[0]
        self.line("if k > 127: k, p = uvarint(b, p - 1)")
        self.line(f"{unknown} = None")
        self.line("for _ in range(k):")
        self.depth += 1
        self.line("t, p = uvarint(b, p)")
        self.line("z, p = uvarint(b, p)")
        word = "if"
        for field in tagged:
            self.line(f"{word} t == {field.tag}:")
            self.depth += 1
            self.field(field, f"{obj}.{field.name}", tagged=True)
            self.flush()
            self.depth -= 1
            word = "elif"
        for field in later:
            self.line(f"{word} t == {field.tag}:")
            self.line(f"    raise ProtocolError('tag {field.tag} is not valid for version {self.version}')")
            word = "elif"
        self.line("else:")
        self.line(f"    {unknown} = unknown_tag(b, p, t, z, {unknown})")
        self.line("    p += z")
        self.depth -= 1

    def field(self, field: Field, target: str, tagged: bool = False) -> None:
        if field.array:
            self.array(field, target)
        elif field.type == "struct":
            self.inline_struct(field, target, tagged)
        elif field.type in FIXED:
            self.pending.append((FIXED[field.type], target))
        else:
            self.blob(field, target)

    def open_null_case(self, field: Field, target: str, test: str) -> int:
        """Emit the branch for a null value and open the branch for one that is not; gives the levels it opened."""
        if not field.nullable_in(self.version):
            self.line(f"if {test}: raise bad_null({field.name!r})")
            return 0
        self.line(f"if {test}: {target} = None")
        self.line("else:")
        self.depth += 1
        return 1

    def blob(self, field: Field, target: str) -> None:
        flexible, self.flexible = self.flexible, self.flexible and field.flexible
        if field.type == "string":
            test, length = self.length("h", f"{STRING_LIMIT}: raise bad_length({field.name!r}, n - 1)")
        else:
            test, length = self.length("i")
        self.flexible = flexible
        opened = self.open_null_case(field, target, test)
        self.line(f"q = p + {length}")
        self.line("if q > e: raise short()")
        if field.type == "string":
            self.line(f"{target} = str(b[p:q], 'utf-8', 'kafka')")
        elif field.type == "bytes":
            self.line(f"{target} = bytes(b[p:q])")
        else:
            self.line(f"{target} = m[p:q]")
        self.line("p = q")
        self.depth -= opened

    def array(self, field: Field, target: str) -> None:
        test, length = self.length("i")
        opened = self.open_null_case(field, target, test)
        if length != "n":
            self.line(f"n = {length}")
        self.line(f"if n > e - p: raise bad_length({field.name!r}, n)")
        if field.type == "uuid":
            self.line("q = p + n * 16")
            self.line("if q > e: raise short()")
            self.line(f"{target} = [bytes(b[i:i + 16]) for i in range(p, q, 16)]")
            self.line("p = q")
        elif field.type in FIXED:
            code = FIXED[field.type]
            self.line(f"{target} = list({self.array_layouts(code)}[n](b, p)) if n else []")
            self.line(f"p += n * {struct.calcsize('>' + code)}")
        else:
            out, item = self.fresh("a"), self.fresh("o")
            self.line(f"{target} = {out} = []")
            self.line("for _ in range(n):")
            self.depth += 1
            if field.struct is not None:
                self.struct_body(field.struct, item)
                self.flush()
            else:
                self.blob(field.element(), item)
            self.line(f"{out}.append({item})")
            self.depth -= 1
        self.depth -= opened

    def inline_struct(self, field: Field, target: str, tagged: bool) -> None:
        assert field.struct is not None
        opened = 0
        if field.nullable_in(self.version):
            if tagged:
                self.byte("n")
                self.line("if n > 127: n, p = uvarint(b, p - 1)")
                opened = self.open_null_case(field, target, "n == 0")
            else:
                self.pending.append(("b", "n"))
                self.flush()
                opened = self.open_null_case(field, target, "n < 0")
        item = self.fresh("o")
        self.struct_body(field.struct, item)
        self.line(f"{target} = {item}")
        if opened:
            self.flush()
            self.depth -= opened

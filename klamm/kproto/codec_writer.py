"""Writes the encoder of one message version: adjacent fixed-width fields are one `struct` call, arrays are loops.

A value that the version has no place for is refused unless it is the field's default or the field is ignorable, as
Kafka does; so is anything that is not of the field's type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from klamm.kproto.codec_source import FIXED, STRING_LIMIT, Source
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Field, Message, RecordBytes, Struct, UnknownTags

_BYTES = [bytes((i,)) for i in range(128)]


class UnsupportedField(ProtocolError):
    """A value that the version has no place for."""


def write_uvarint(value: int) -> bytes:
    """`value` (0 to 2^32-1) as an unsigned varint."""
    if value < 128:
        return _BYTES[value]
    out = bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _write_tags(known: list[tuple[int, list[RecordBytes]]] | None, unknown: UnknownTags | None) -> bytes:
    """A tag section: known and unknown tagged fields, which must come out in ascending order."""
    both = list(known or ())
    for tag, data in unknown or ():
        both.append((tag, [data]))
    parts: list[RecordBytes] = [write_uvarint(len(both))]
    last = -1
    for tag, chunks in both:
        if tag <= last or tag >= 0x7FFFFFFF:
            raise ProtocolError(f"tag {tag} after tag {last}: tags are written in ascending order, below 2147483647")
        last = tag
        parts.append(write_uvarint(tag) + write_uvarint(sum(len(c) for c in chunks)))
        parts.extend(chunks)
    return b"".join(parts)


def _write_uuids(name: str, uuids: list[bytes]) -> bytes:
    data = b"".join(uuids)
    if len(data) != 16 * len(uuids):
        raise ProtocolError(f"{name} has a UUID that is not of 16 bytes")
    return data


def _no_place(name: str, version: int) -> UnsupportedField:
    return UnsupportedField(f"{name} has a value, but version {version} has no place for it")


def _unwritable(message: Struct, cause: Exception) -> ProtocolError:
    return ProtocolError(f"{type(message).__name__} cannot be written: {cause}")


_SCOPE: dict[str, Any] = {
    "B": _BYTES,
    "uvarint": write_uvarint,
    "write_tags": _write_tags,
    "write_uuids": _write_uuids,
    "no_place": _no_place,
    "unwritable": _unwritable,
}


class Encoder(Source):
    """Writes `encode(o, parts)`; `w` appends a chunk to the innermost list of parts."""

    method = "pack"

    def __init__(self, cls: type[Message], version: int) -> None:
        super().__init__(cls, version, _SCOPE)

    def compile(self, struct_: type[Struct]) -> Callable[..., Any]:
        """The encoder of the message, or of one struct of it."""
        self.line("w = parts.append")
        self.struct_body(struct_, "o")
        self.flush()
        refused = "(struct_error, UnicodeEncodeError, TypeError, AttributeError, OverflowError)"
        return self.finish("def encode(o, parts):", f"except {refused} as x: raise unwritable(o, x) from x")

    def flush(self, pad: bool = False) -> None:
        """Emit the pending fields; `pad` adds a byte of zero."""
        if pad and not self.pending:
            self.line("w(b'\\0')")
        elif self.pending:
            name, _ = self.layout([f for f, _ in self.pending] + (["x"] if pad else []))
            self.line(f"w({name}({', '.join(x for _, x in self.pending)}))")
            self.pending = []

    def varint(self, value: str, refuse_above: str = "") -> None:
        """Emit pending fields and an unsigned varint, mostly one byte. `refuse_above`: a limit and its error."""
        saved = self.pending
        self.line(f"if {value} < 128:")
        self.depth += 1
        if saved:
            self.pending = [*saved, ("B", value)]
            self.flush()
        else:
            self.line(f"w(B[{value}])")
        self.depth -= 1
        self.line("else:")
        self.depth += 1
        if refuse_above:
            self.line(f"if {value} > {refuse_above}")
        self.pending = saved
        self.flush()
        self.line(f"w(uvarint({value}))")
        self.depth -= 1

    def length(self, wide: str, of: str, refuse_above: str = "") -> None:
        if self.flexible:
            self.line(f"n = len({of}) + 1")
            self.varint("n", refuse_above)
        else:
            self.pending.append((wide, f"len({of})"))  # a string that is too long does not fit an int16
            self.flush()

    def null_length(self, wide: str) -> None:
        if self.flexible:
            self.flush(pad=True)
        else:
            self.pending = [*self.pending, (wide, "-1")]
            self.flush()

    def struct_body(self, cls: type[Struct], obj: str) -> None:
        tagged = []
        for field in cls.__schema__.fields:
            source = f"{obj}.{field.name}"
            if field.tagged_in(self.version) and self.flexible:
                tagged.append(field)
            elif field.exists_in(self.version):
                self.field(field, source)
            elif not field.ignorable:
                test = self.is_default(field, source)
                self.line(f"if not ({test}): raise no_place({field.name!r}, {self.version})")
        if not self.flexible:
            self.line(f"if {obj}.unknown_tagged_fields: raise no_place('a tagged field', {self.version})")
        else:
            self.tag_section(tagged, obj)

    def is_default(self, field: Field, source: str) -> str:
        if type(field.default) is list:
            return f"{source} == []"
        if field.default is None:
            return f"{source} is None"
        if field.type == "struct" and not field.array:
            assert field.struct is not None
            parts = [self.is_default(f, f"{source}.{f.name}") for f in field.struct.__schema__.fields]
            equal = " and ".join([f"{source} is not None", *parts, f"not {source}.unknown_tagged_fields"])
            return f"{source} is {self.constant('D', field.shared_default)} or {equal}" if field.tag >= 0 else equal
        return f"{source} == {self.constant('D', field.default)}"

    def tag_section(self, tagged: list[Field], obj: str) -> None:
        saved, self.pending = self.pending, []
        tags = self.fresh("t") if tagged else "None"
        if tagged:
            self.line(f"{tags} = None")
        for field in sorted(tagged, key=lambda f: f.tag):
            source = f"{obj}.{field.name}"
            self.line(f"if not ({self.is_default(field, source)}):")
            self.depth += 1
            outer, inner = self.fresh("w"), self.fresh("c")
            self.line(f"{outer} = w; {inner} = []; w = {inner}.append")
            self.field(field, source, tagged=True)
            self.flush()
            self.line(f"if {tags} is None: {tags} = []")
            self.line(f"{tags}.append(({field.tag}, {inner}))")
            self.line(f"w = {outer}")
            self.depth -= 1
        self.line(f"if {tags} or {obj}.unknown_tagged_fields:" if tagged else f"if {obj}.unknown_tagged_fields:")
        self.depth += 1
        self.pending = list(saved)
        self.flush()
        self.line(f"w(write_tags({tags}, {obj}.unknown_tagged_fields))")
        self.depth -= 1
        self.line("else:")
        self.depth += 1
        self.pending = saved
        self.flush(pad=True)
        self.depth -= 1

    def field(self, field: Field, source: str, tagged: bool = False) -> None:
        if field.array:
            self.array(field, source)
        elif field.type == "struct":
            self.inline_struct(field, source, tagged)
        elif field.type in FIXED:
            self.pending.append((FIXED[field.type], source))
        else:
            self.blob(field, source)

    def open_null_case(self, field: Field, value: str, wide: str) -> int:
        """Emit the branch for a null value and open the branch for one that is not; gives the levels it opened."""
        if not field.nullable_in(self.version):
            self.line(f"if {value} is None: raise bad_null({field.name!r})")
            return 0
        saved = self.pending
        self.line(f"if {value} is None:")
        self.depth += 1
        self.pending = list(saved)
        self.null_length(wide)
        self.depth -= 1
        self.pending = saved
        self.line("else:")
        self.depth += 1
        return 1

    def blob(self, field: Field, source: str) -> None:
        flexible, self.flexible = self.flexible, self.flexible and field.flexible
        wide = "h" if field.type == "string" else "i"
        self.line(f"s = {source}")
        opened = self.open_null_case(field, "s", wide)
        if field.type == "string":
            self.line("s = s.encode()")
            self.length(wide, "s", f"{STRING_LIMIT + 1}: raise bad_length({field.name!r}, n - 1)")
        else:
            self.length(wide, "s")
        self.line("w(s)")
        self.depth -= opened
        self.flexible = flexible

    def array(self, field: Field, source: str) -> None:
        items = self.fresh("a")
        self.line(f"{items} = {source}")
        opened = self.open_null_case(field, items, "i")
        self.length("i", items)
        if field.type == "uuid":
            self.line(f"w(write_uuids({field.name!r}, {items}))")
        elif field.type in FIXED:
            self.line(f"w({self.array_layouts(FIXED[field.type])}[len({items})](*{items}))")
        else:
            self.loop(field, items)
        self.depth -= opened

    def loop(self, field: Field, items: str) -> None:
        item = self.fresh("o")
        self.line(f"for {item} in {items}:")
        self.depth += 1
        if field.encoded:
            self.line(f"if type({item}) is bytes:")
            self.line(f"    w({item})")
            self.line("    continue")
        if field.struct is not None:
            self.struct_body(field.struct, item)
        else:
            self.blob(field.element(), item)
        self.flush()
        self.depth -= 1

    def inline_struct(self, field: Field, source: str, tagged: bool) -> None:
        assert field.struct is not None
        item = self.fresh("o")
        self.line(f"{item} = {source}")
        if not field.nullable_in(self.version):
            self.line(f"if {item} is None: raise bad_null({field.name!r})")
            self.struct_body(field.struct, item)
            return
        saved = self.pending
        self.line(f"if {item} is None:")
        self.depth += 1
        self.pending = [*saved, ("b", "0" if tagged else "-1")]
        self.flush()
        self.depth -= 1
        self.line("else:")
        self.depth += 1
        self.pending = [*saved, ("b", "1")]
        self.struct_body(field.struct, item)
        self.flush()
        self.depth -= 1

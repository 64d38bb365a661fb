"""Compiles the encoder and the decoder of one message version into straight-line Python.

Adjacent fixed-width fields become one `struct` call; arrays of structs become loops in the same function. The source
goes into `linecache`, so tracebacks and debuggers show it. The bytes are Kafka's: KIP-482 for the flexible form.
"""

from __future__ import annotations

import linecache
import struct
from collections.abc import Callable
from typing import Any

from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import MISSING, Field, Message, RecordBytes, Struct

FIXED = {
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint16": "H",
    "uint32": "I",
    "float64": "d",
    "uuid": "16s",
}
READ_BLOB = {"string": "str(b[p:q], 'utf-8', 'replace')", "bytes": "bytes(b[p:q])", "RecordBytes": "m[p:q]"}
STRING_LIMIT = 32767


class UnsupportedField(ProtocolError):
    """A value that the version has no place for."""


def read_uvarint(data: RecordBytes, position: int) -> tuple[int, int]:
    """An unsigned varint of at most five bytes, as Kafka's reader wraps it into a signed 32-bit number."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 28:
            raise ProtocolError("a varint of more than five bytes")
    value &= 0xFFFFFFFF
    return (value - (1 << 32) if value >> 31 else value), position


def write_uvarint(value: int) -> bytes:
    """`value` (0 to 2^32-1) as an unsigned varint."""
    out = bytearray()
    while value > 127:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_tags(
    parts: list[RecordBytes], known: list[tuple[int, list[RecordBytes]]], unknown: list[tuple[int, bytes]] | None
) -> None:
    """A tag section: known and unknown tagged fields, which must come out in ascending order."""
    both = list(known)
    for tag, data in unknown or ():
        both.append((tag, [data]))
    parts.append(write_uvarint(len(both)))
    last = -1
    for tag, chunks in both:
        if tag <= last or tag >= 0x7FFFFFFF:
            raise ProtocolError(f"tag {tag} after tag {last}: tags are written in ascending order, below 2147483647")
        last = tag
        parts.append(write_uvarint(tag) + write_uvarint(sum(len(c) for c in chunks)))
        parts.extend(chunks)


def short() -> ProtocolError:
    return ProtocolError("the message ends before its fields do")


def bad_null(name: str) -> ProtocolError:
    return ProtocolError(f"{name} is null, which it may not be")


def bad_length(name: str, length: int) -> ProtocolError:
    return ProtocolError(f"{name} has length {length}, which is more than there can be")


def no_place(name: str, version: int) -> UnsupportedField:
    return UnsupportedField(f"{name} has a value, but version {version} has no place for it")


def unwritable(message: Struct, cause: Exception) -> ProtocolError:
    return ProtocolError(f"{type(message).__name__} cannot be written: {cause}")


class _Source:
    """Source text under construction, with the constants that it refers to."""

    def __init__(self, cls: type[Message], version: int) -> None:
        self.cls, self.version = cls, version
        self.flexible = cls.__schema__.is_flexible(version)
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {
            "ProtocolError": ProtocolError,
            "uvarint": read_uvarint,
            "write_uvarint": write_uvarint,
            "write_tags": write_tags,
            "short": short,
            "bad_null": bad_null,
            "bad_length": bad_length,
            "no_place": no_place,
            "unwritable": unwritable,
            "struct_error": struct.error,
            "unpack_from": struct.unpack_from,
            "pack": struct.pack,
            "memoryview": memoryview,
            "new": object.__new__,
        }
        self.depth = 1
        self.pending: list[tuple[str, str]] = []  # (struct format, target or expression)
        self.names = 0

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def fresh(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def constant(self, prefix: str, value: Any) -> str:
        for name, known in self.scope.items():
            if known is value and name.startswith(prefix):
                return name
        name = self.fresh(prefix)
        self.scope[name] = value
        return name

    def packer(self, kind: str, formats: list[str]) -> tuple[str, int]:
        layout = struct.Struct(">" + "".join(formats))
        name = f"{kind}_{''.join(formats)}".replace("?", "B_")
        self.scope[name] = layout.unpack_from if kind == "unpack" else layout.pack
        return name, layout.size

    def finish(self, kind: str, header: str) -> Callable[..., Any]:
        version, name = self.version, self.cls.__name__
        source = "\n".join([header, *self.lines, ""])
        file = f"<klamm {kind} {self.cls.__module__}.{name} v{version}>"
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        exec(compile(source, file, "exec"), self.scope)
        return self.scope[kind]  # type: ignore[no-any-return]


class _Decoder(_Source):
    """Writes `decode(b, p) -> (message, position)`; `e` is the end of the data."""

    def flush(self) -> None:
        if self.pending:
            name, size = self.packer("unpack", [f for f, _ in self.pending])
            targets = ", ".join(t for _, t in self.pending) + ("," if len(self.pending) == 1 else "")
            self.line(f"{targets} = {name}(b, p)")
            self.line(f"p += {size}")
            self.pending = []

    def length(self, wide: str) -> str:
        """Emit the read of a length; `n` afterwards holds it, negative for null."""
        if not self.flexible:
            self.pending.append((wide, "n"))
            self.flush()
            return "n < 0"
        self.varint("n")
        self.line("n -= 1")
        return "n < 0"

    def varint(self, target: str) -> None:
        self.pending.append(("B", target))
        self.flush()
        self.line(f"if {target} > 127: {target}, p = uvarint(b, p - 1)")

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
        count, unknown = self.fresh("k"), self.fresh("u")
        self.varint(count)
        self.line(f"{unknown} = None")
        self.line(f"for _ in range({count}):")
        self.depth += 1
        self.line("t, p = uvarint(b, p)")
        self.line("z, p = uvarint(b, p)")
        later = [f for f in cls.__schema__.fields if f.tag >= 0 and f not in tagged]
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
        body = f"if {unknown} is None: {unknown} = []"
        if tagged or later:
            self.line("else:")
            self.depth += 1
        self.line(body)
        self.line("q = p + z")
        self.line("if z < 0 or q > e: raise short()")
        self.line(f"{unknown}.append((t, bytes(b[p:q])))")
        self.line("p = q")
        self.depth -= 2 if tagged or later else 1
        self.line(f"{obj}.unknown_tagged_fields = {unknown}")

    def field(self, field: Field, target: str, tagged: bool = False) -> None:
        if field.array:
            self.array(field, target)
        elif field.type == "struct":
            self.inline_struct(field, target, tagged)
        elif field.type in FIXED:
            self.pending.append((FIXED[field.type], target))
        else:
            self.blob(field, target)

    def null_case(self, field: Field, target: str, test: str) -> None:
        """Emit the branch for a null length."""
        if field.nullable_in(self.version):
            self.line(f"if {test}: {target} = None")
        else:
            self.line(f"if {test}: raise bad_null({field.name!r})")

    def blob(self, field: Field, target: str) -> None:
        flexible, self.flexible = self.flexible, self.flexible and field.flexible
        test = self.length("h" if field.type == "string" else "i")
        self.flexible = flexible
        self.null_case(field, target, test)
        self.line("else:")
        self.depth += 1
        if field.type == "string":
            self.line(f"if n > {STRING_LIMIT}: raise bad_length({field.name!r}, n)")
        self.line("q = p + n")
        self.line("if q > e: raise short()")
        value = {"string": "str(b[p:q], 'utf-8', 'replace')", "bytes": "bytes(b[p:q])", "RecordBytes": "m[p:q]"}[
            field.type
        ]
        self.line(f"{target} = {value}")
        self.line("p = q")
        self.depth -= 1

    def array(self, field: Field, target: str) -> None:
        self.null_case(field, target, self.length("i"))
        self.line("else:")
        self.depth += 1
        self.line(f"if n > e - p: raise bad_length({field.name!r}, n)")
        if field.type in FIXED:
            code = FIXED[field.type]
            size = struct.calcsize(">" + code)
            layout = "f'>{n}" + code + "'" if code != "16s" else "'>' + '16s' * n"
            self.line(f"{target} = list(unpack_from({layout}, b, p))")
            self.line(f"p += n * {size}")
        else:
            out, item = self.fresh("a"), self.fresh("o")
            self.line(f"{target} = {out} = []")
            self.line("for _ in range(n):")
            self.depth += 1
            if field.struct is not None:
                self.struct_body(field.struct, item)
                self.flush()
                self.line(f"{out}.append({item})")
            else:
                self.blob(field.element(), item)
                self.line(f"{out}.append({item})")
            self.depth -= 1
        self.depth -= 1

    def inline_struct(self, field: Field, target: str, tagged: bool) -> None:
        assert field.struct is not None
        item = self.fresh("o")
        nullable = field.nullable_in(self.version)
        if nullable:
            if tagged:
                self.varint("n")
                self.line(f"if n == 0: {target} = None")
            else:
                self.pending.append(("b", "n"))
                self.flush()
                self.line(f"if n < 0: {target} = None")
            self.line("else:")
            self.depth += 1
        self.struct_body(field.struct, item)
        self.line(f"{target} = {item}")
        if nullable:
            self.flush()
            self.depth -= 1


class _Encoder(_Source):
    """Writes `encode(o, parts)`; `w` appends a chunk to the innermost list of parts."""

    def flush(self, pad: bool = False) -> None:
        if pad and not self.pending:
            self.line("w(b'\\0')")
        elif self.pending:
            name, _ = self.packer("pack", [f for f, _ in self.pending] + (["x"] if pad else []))
            self.line(f"w({name}({', '.join(x for _, x in self.pending)}))")
            self.pending = []

    def varint(self, value: str) -> None:
        """Emit pending fields and an unsigned varint; one call to pack when it takes one byte."""
        saved = self.pending
        self.pending = [*saved, ("B", value)]
        self.line(f"if {value} < 128:")
        self.depth += 1
        self.flush()
        self.depth -= 1
        self.pending = saved
        self.line("else:")
        self.depth += 1
        self.flush()
        self.line(f"w(write_uvarint({value}))")
        self.depth -= 1

    def length(self, wide: str) -> None:
        """Emit a length; `n` holds it, and the value is not null."""
        if self.flexible:
            self.line("n += 1")
            self.varint("n")
        else:
            self.pending.append((wide, "n"))
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
                self.refuse(field, source)
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

    def refuse(self, field: Field, source: str) -> None:
        self.flush()
        self.line(f"if not ({self.is_default(field, source)}): raise no_place({field.name!r}, {self.version})")

    def tag_section(self, tagged: list[Field], obj: str) -> None:
        tags = ""
        if tagged:
            self.flush()
            tags = self.fresh("t")
            self.line(f"{tags} = []")
        for field in sorted(tagged, key=lambda f: f.tag):
            source = f"{obj}.{field.name}"
            self.line(f"if not ({self.is_default(field, source)}):")
            self.depth += 1
            outer, inner = self.fresh("w"), self.fresh("c")
            self.line(f"{outer} = w; {inner} = []; w = {inner}.append")
            self.field(field, source, tagged=True)
            self.flush()
            self.line(f"{tags}.append(({field.tag}, {inner}))")
            self.line(f"w = {outer}")
            self.depth -= 1
        test = f"{tags} or {obj}.unknown_tagged_fields" if tagged else f"{obj}.unknown_tagged_fields"
        saved = self.pending
        self.line(f"if {test}:")
        self.depth += 1
        self.flush()
        self.line(f"k = []; write_tags(k, {tags or '[]'}, {obj}.unknown_tagged_fields); w(b''.join(k))")
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
            self.line("n = len(s)")
            self.line(f"if n > {STRING_LIMIT}: raise bad_length({field.name!r}, n)")
        else:
            self.line("n = len(s)")
        self.length(wide)
        self.line("w(s)")
        self.depth -= opened
        self.flexible = flexible

    def array(self, field: Field, source: str) -> None:
        items = self.fresh("a")
        self.line(f"{items} = {source}")
        opened = self.open_null_case(field, items, "i")
        self.line(f"n = len({items})")
        self.length("i")
        if field.type in FIXED:
            code = FIXED[field.type]
            layout = "f'>{len(" + items + ")}" + code + "'" if code != "16s" else f"'>' + '16s' * len({items})"
            self.line(f"w(pack({layout}, *{items}))")
        else:
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
        self.depth -= opened

    def inline_struct(self, field: Field, source: str, tagged: bool) -> None:
        assert field.struct is not None
        item = self.fresh("o")
        self.line(f"{item} = {source}")
        if field.nullable_in(self.version):
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
        else:
            self.line(f"if {item} is None: raise bad_null({field.name!r})")
            self.struct_body(field.struct, item)


def _check_version(cls: type[Message], version: int) -> None:
    low, high = cls.__schema__.versions
    if not low <= version <= high:
        raise ProtocolError(f"{cls.__name__} has no version {version} (only {low} to {high})")


def compile_decoder(cls: type[Message], version: int) -> Callable[..., Any]:
    """The decoder of `cls` at `version`, compiled and remembered. Raises ProtocolError for a version it lacks."""
    _check_version(cls, version)
    source = _Decoder(cls, version)
    source.depth = 2
    source.line("e = len(b)")
    source.line("m = memoryview(b)")
    source.struct_body(cls, "o")
    source.flush()
    source.line("return o, p")
    source.depth = 1
    source.line("except (struct_error, IndexError): raise short() from None")
    decoder = source.finish("decode", "def decode(b, p):\n    try:")
    cls.__schema__.decoders[version] = decoder
    return decoder


def compile_encoder(cls: type[Message], version: int) -> Callable[..., Any]:
    """The encoder of `cls` at `version`, compiled and remembered. Raises ProtocolError for a version it lacks."""
    encoder = _encoder(cls, cls, version)
    cls.__schema__.encoders[version] = encoder
    return encoder


def _encoder(message: type[Message], cls: type[Struct], version: int) -> Callable[..., Any]:
    _check_version(message, version)
    source = _Encoder(message, version)
    source.depth = 2
    source.line("w = parts.append")
    source.struct_body(cls, "o")
    source.flush()
    source.depth = 1
    source.line(
        "except (struct_error, UnicodeEncodeError, TypeError, AttributeError) as x: raise unwritable(o, x) from x"
    )
    return source.finish("encode", "def encode(o, parts):\n    try:")


_struct_encoders: dict[tuple[type[Message], type[Struct], int], Callable[..., Any]] = {}


def encode_struct(message: type[Message], struct_: Struct, version: int) -> bytes:
    """The bytes of one struct as it stands in `message` at `version`, for a field declared with `encoded=True`."""
    key = message, type(struct_), version
    encoder = _struct_encoders.get(key)
    if encoder is None:
        encoder = _struct_encoders[key] = _encoder(*key)
    parts: list[RecordBytes] = []
    encoder(struct_, parts)
    return b"".join(parts)

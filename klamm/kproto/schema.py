"""The schema language: a class body declares a message for all of its versions.

The annotations stay strings; a metaclass turns them into slots and a `Schema`. Codecs are compiled from the
schema on first use (`codec.py`), so declaring a message costs microseconds. Nothing here reads or writes bytes.

    class ProduceRequest(Message, key=0, versions="3-13", flexible="9+"):
        transactional_id: string | None = v(default=None)
        acks: int16
        topic_data: list[TopicProduceData]

A field with no default is required by type checkers; at run time an omitted field takes the default that Kafka's
schemas give its type (0, "", empty, false, the zero UUID). `| None` alone makes a field nullable in all versions.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias, dataclass_transform

int8: TypeAlias = int
int16: TypeAlias = int
int32: TypeAlias = int
int64: TypeAlias = int
uint16: TypeAlias = int
uint32: TypeAlias = int
float64: TypeAlias = float
string: TypeAlias = str
uuid: TypeAlias = bytes
"""16 bytes; text form in `uuids.py`."""
RecordBytes: TypeAlias = bytes | bytearray | memoryview
"""A `records` field: record batches as they stand in the message; a decoder gives a view of the frame, never a copy."""

ZERO_UUID = bytes(16)
MISSING: Any = type("MISSING", (), {"__repr__": lambda self: "MISSING"})()
MAX_VERSION = 32767
Range: TypeAlias = tuple[int, int]
UnknownTags: TypeAlias = list[tuple[int, bytes]]

PRIMITIVES = {
    "bool": False,
    "int8": 0,
    "int16": 0,
    "int32": 0,
    "int64": 0,
    "uint16": 0,
    "uint32": 0,
    "float64": 0.0,
    "string": "",
    "bytes": b"",
    "RecordBytes": b"",
    "uuid": ZERO_UUID,
}


def parse_range(text: str) -> Range:
    """'3+' -> (3, 32767), '3-5' -> (3, 5), '4' -> (4, 4), 'none' -> (1, 0), an empty range."""
    if text == "none":
        return 1, 0
    if text.endswith("+"):
        return int(text[:-1]), MAX_VERSION
    low, _, high = text.partition("-")
    return int(low), int(high or low)


class FieldSpec(NamedTuple):
    """What `v` was called with."""

    versions: str
    default: Any
    nullable: str
    tag: int
    tagged: str
    ignorable: bool
    flexible: bool
    encoded: bool


def v(
    versions: str = "0+",
    *,
    default: Any = MISSING,
    nullable: str = "",
    tag: int = -1,
    tagged: str = "",
    ignorable: bool = False,
    flexible: bool = True,
    encoded: bool = False,
) -> Any:
    """Declare a field beyond its type.

    `versions`: where it exists. `nullable`: where it may be null, if that is narrower than where it exists.
    `tag` with `tagged`: its tag and the versions in which it is tagged (`versions` unless told).
    `ignorable`: dropped silently when a version lacks it; otherwise a value other than the default is refused.
    `flexible=False`: never in the compact form (the client id of the request header).
    `encoded=True`: an element of this array of structs may also be bytes that `encode_struct` made before at the same
    version (a cache of what many answers share).
    """
    return FieldSpec(versions, default, nullable, tag, tagged, ignorable, flexible, encoded)


_PLAIN = FieldSpec("0+", MISSING, "", -1, "", False, True, False)


def _no_struct(name: str) -> type[Struct]:
    raise TypeError(name)


class Field:
    """One field of a struct, for all versions."""

    __slots__ = (
        "_shared",
        "array",
        "default",
        "encoded",
        "flexible",
        "ignorable",
        "name",
        "nullable",
        "struct",
        "tag",
        "tagged",
        "type",
        "versions",
    )

    def __init__(self, name: str, annotation: str, spec: FieldSpec, scope: Callable[[str], type[Struct]]) -> None:
        self.name = name
        self.versions = parse_range(spec.versions)
        kind = annotation.strip()
        optional = kind.endswith("| None")
        if optional:
            kind = kind[:-6].rstrip()
        self._shared: Struct | None = None
        self.array = kind.startswith("list[")
        if self.array:
            kind = kind[5:-1]
        self.struct: type[Struct] | None = None if kind in PRIMITIVES else scope(kind)
        self.type: str = "struct" if self.struct is not None else kind
        self.nullable: Range = (
            parse_range(spec.nullable) if spec.nullable else ((0, MAX_VERSION) if optional else (1, 0))
        )
        self.tag = spec.tag
        self.tagged: Range = (1, 0) if spec.tag < 0 else parse_range(spec.tagged) if spec.tagged else self.versions
        self.ignorable = spec.ignorable
        self.flexible = spec.flexible
        self.encoded = spec.encoded
        self.default = spec.default if spec.default is not MISSING else self._implied_default()

    def _implied_default(self) -> Any:
        if self.array:
            return []
        return MISSING if self.struct is not None else PRIMITIVES[self.type]

    @property
    def shared_default(self) -> Any:
        """The default of a tagged struct: one object for all messages, so that leaving it alone costs nothing.

        Nobody edits it in place: give the field a new struct instead.
        """
        if self._shared is None:
            assert self.struct is not None
            self._shared = self.struct()
        return self._shared

    def new_default(self) -> Any:
        """The default as a fresh value: lists and structs in line are not shared between messages."""
        if self.default is MISSING:
            assert self.struct is not None
            return self.shared_default if self.tag >= 0 else self.struct()
        return [] if type(self.default) is list else self.default

    def element(self) -> Field:
        """An element of an array of strings or byte strings, seen as a field of its own."""
        return Field(self.name, self.type, _PLAIN, _no_struct)

    def exists_in(self, version: int) -> bool:
        return self.versions[0] <= version <= self.versions[1]

    def nullable_in(self, version: int) -> bool:
        return self.nullable[0] <= version <= self.nullable[1]

    def tagged_in(self, version: int) -> bool:
        return self.tagged[0] <= version <= self.tagged[1]


class Schema:
    """The fields of one class; for a message also its key and versions, and the codecs compiled so far."""

    __slots__ = ("decoders", "encoders", "fields", "flexible", "key", "name", "versions")

    def __init__(self, name: str, fields: tuple[Field, ...], key: int, versions: str, flexible: str) -> None:
        self.name = name
        self.fields = fields
        self.key = key
        self.versions = parse_range(versions)
        self.flexible = parse_range(flexible)
        self.encoders: dict[int, Callable[..., Any]] = {}
        self.decoders: dict[int, Callable[..., Any]] = {}

    def is_flexible(self, version: int) -> bool:
        """Whether `version` uses compact lengths and tagged fields (KIP-482)."""
        return self.flexible[0] <= version <= self.flexible[1]


@dataclass_transform(kw_only_default=True, field_specifiers=(v,))
class SchemaMeta(type):
    """Turns the annotations of a class body into slots and a `Schema`."""

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        key: int = -1,
        versions: str = "0+",
        flexible: str = "none",
    ) -> SchemaMeta:
        if not bases:
            return super().__new__(mcls, name, bases, namespace)
        annotations = namespace.get("__annotations__", {})
        module = sys.modules[namespace["__module__"]].__dict__

        def scope(struct: str) -> type[Struct]:
            found = namespace.get(struct) or module.get(struct)
            if found is None:
                raise TypeError(f"{name}: {struct} is neither a field type nor a struct declared before")
            return found  # type: ignore[no-any-return]

        fields = []
        for field_name, annotation in annotations.items():
            if annotation.startswith("ClassVar"):
                continue
            given = namespace.pop(field_name, _PLAIN)
            spec = given if type(given) is FieldSpec else _PLAIN._replace(default=given)
            fields.append(Field(field_name, annotation, spec, scope))
        if fields or bases != (_Base,):
            namespace["__slots__"] = (*(f.name for f in fields), "unknown_tagged_fields")
        cls = super().__new__(mcls, name, bases, namespace)
        cls.__schema__ = Schema(name, tuple(fields), key, versions, flexible)  # type: ignore[attr-defined]
        return cls

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **_: Any) -> None:
        super().__init__(name, bases, namespace)


class _Base(metaclass=SchemaMeta):
    __slots__ = ()


class Struct(_Base):
    """A struct inside a message. `unknown_tagged_fields`: (tag, bytes) pairs kept and written again, or None."""

    __slots__ = ()
    __schema__: ClassVar[Schema]
    unknown_tagged_fields: ClassVar[UnknownTags | None]  # a slot of every concrete class

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        cls.__init__ = _compile_init(cls)  # type: ignore[method-assign]
        cls.__init__(self, **values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = (f.name for f in self.__schema__.fields)
        return (self.unknown_tagged_fields or None) == (other.unknown_tagged_fields or None) and all(
            getattr(self, name) == getattr(other, name) for name in names
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [f"{f.name}={getattr(self, f.name)!r}" for f in self.__schema__.fields]
        if self.unknown_tagged_fields:
            shown.append(f"unknown_tagged_fields={self.unknown_tagged_fields!r}")
        return f"{type(self).__qualname__}({', '.join(shown)})"


class Message(Struct):
    """A message: a struct with an API key (or record type) and a range of versions."""

    __slots__ = ()

    def encode(self, version: int) -> bytes:
        """The body's bytes. Raises ProtocolError for a value that `version` cannot carry."""
        parts: list[RecordBytes] = []
        self.encode_to(parts, version)
        return b"".join(parts)

    def encode_to(self, parts: list[RecordBytes], version: int) -> None:
        """Append the body's chunks to `parts`; `records` fields are appended as they are, not copied."""
        schema = self.__schema__
        encoder = schema.encoders.get(version)
        if encoder is None:
            from klamm.kproto.codec import compile_encoder

            encoder = compile_encoder(type(self), version)
        encoder(self, parts)

    @classmethod
    def decode(cls, data: RecordBytes, version: int) -> Self:
        """Read one body; bytes after it are no error (as in Kafka). Raises ProtocolError."""
        return cls.decode_from(data, 0, version)[0]

    @classmethod
    def decode_from(cls, data: RecordBytes, position: int, version: int) -> tuple[Self, int]:
        """Read one body that starts at `position`; gives it and the position behind it. Raises ProtocolError."""
        schema = cls.__schema__
        decoder = schema.decoders.get(version)
        if decoder is None:
            from klamm.kproto.codec import compile_decoder

            decoder = compile_decoder(cls, version)
        return decoder(data, position)  # type: ignore[no-any-return]


def _compile_init(cls: type[Struct]) -> Callable[..., None]:
    """Straight-line `__init__` with every field a keyword; made when a class is first instantiated."""
    scope: dict[str, Any] = {"M": MISSING}
    parameters, body = [], ["    self.unknown_tagged_fields = unknown_tagged_fields"]
    for i, field in enumerate(cls.__schema__.fields):
        if type(field.default) is list:
            parameters.append(f"{field.name}=M")
            body.append(f"    self.{field.name} = [] if {field.name} is M else {field.name}")
        elif field.default is MISSING and field.tag < 0:
            scope[f"S{i}"] = field.struct
            parameters.append(f"{field.name}=M")
            body.append(f"    self.{field.name} = S{i}() if {field.name} is M else {field.name}")
        else:
            scope[f"D{i}"] = field.shared_default if field.default is MISSING else field.default
            parameters.append(f"{field.name}=D{i}")
            body.append(f"    self.{field.name} = {field.name}")
    star = ", *, " + ", ".join([*parameters, "unknown_tagged_fields=None"])
    exec(f"def __init__(self{star}):\n" + "\n".join(body), scope)
    return scope["__init__"]  # type: ignore[no-any-return]

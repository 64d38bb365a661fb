"""What the compilers of decoders and encoders share: wire layouts, refusals, and source text under construction.

Generated code uses short names: `b` the data, `p` the position in it, `e` its end, `o` the message, `w` what appends a
chunk, `n` a length. It goes into `linecache`, so tracebacks and debuggers show it.
"""

from __future__ import annotations

import linecache
import struct
from collections.abc import Callable
from typing import Any, Literal

from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message

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
STRING_LIMIT = 32767


def bad_null(name: str) -> ProtocolError:
    return ProtocolError(f"{name} is null, which it may not be")


def bad_length(name: str, length: int) -> ProtocolError:
    return ProtocolError(f"{name} has length {length}, which is more than there can be")


class ArrayLayouts(dict[int, Callable[..., Any]]):
    """Number of elements -> what packs or unpacks an array of so many fixed-width elements. Short ones are kept."""

    __slots__ = ("_code", "_method")

    def __init__(self, method: Literal["pack", "unpack_from"], code: str) -> None:
        super().__init__()
        self._code, self._method = code, method

    def __missing__(self, count: int) -> Callable[..., Any]:
        layout: Callable[..., Any] = getattr(struct.Struct(f">{count}{self._code}"), self._method)
        if count < 64:
            self[count] = layout
        return layout


class Source:
    """Source text under construction, with the constants that it refers to.

    Fixed-width fields wait in `pending` as (struct format, target or expression) until something of variable width
    follows; then all of them become one call.
    """

    method: Literal["pack", "unpack_from"]
    _arrays: dict[tuple[str, str], ArrayLayouts] = {}

    def __init__(self, cls: type[Message], version: int, scope: dict[str, Any]) -> None:
        self.cls, self.version = cls, version
        self.flexible = cls.__schema__.is_flexible(version)
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {
            "ProtocolError": ProtocolError,
            "bad_null": bad_null,
            "bad_length": bad_length,
            "struct_error": struct.error,
            **scope,
        }
        self.depth = 2
        self.pending: list[tuple[str, str]] = []
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

    def layout(self, formats: list[str]) -> tuple[str, int]:
        """The name of what packs or unpacks these fields together, and their width."""
        layout = struct.Struct(">" + "".join(formats))
        name = f"{self.method}_{''.join(formats)}".replace("?", "B_")
        self.scope[name] = getattr(layout, self.method)
        return name, layout.size

    def array_layouts(self, code: str) -> str:
        known = self._arrays.setdefault((self.method, code), ArrayLayouts(self.method, code))
        return self.constant("L", known)

    def finish(self, header: str, last: str) -> Callable[..., Any]:
        """Compile the lines between `header` and `last` (its `except` clause) and give the function."""
        name = header[4 : header.index("(")]
        source = "\n".join([header, "    try:", *self.lines, f"    {last}", ""])
        file = f"<klamm {name} {self.cls.__module__}.{self.cls.__name__} v{self.version}>"
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        exec(compile(source, file, "exec"), self.scope)
        return self.scope[name]  # type: ignore[no-any-return]

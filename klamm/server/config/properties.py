"""Reads `server.properties` files: the syntax of java.util.Properties.

Pure: text in, properties out; the caller opens the file. Each property keeps its line number, so that an error can
say where a bad value stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_BLANK: Final = " \t\f"
_SEPARATOR: Final = re.compile(r"(?:[^\\=: \t\f]|\\.)*", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:u(.{0,4})|(.?))", re.DOTALL)
_ESCAPED: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class Property(NamedTuple):
    """`line` is where the property begins, counted from 1."""

    name: str
    value: str
    line: int


class PropertiesError(ValueError):
    """A file that Java would refuse as well: an escape \\u without four hexadecimal digits."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        super().__init__(f"line {line}: {reason}")


def decode(data: bytes) -> str:
    """The text of a file: UTF-8, or else Latin-1, which is what Java takes every such file to be.

    The two differ only in files that Java would garble, so UTF-8 is safe to try first.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse_properties(text: str) -> list[Property]:
    """The properties in the order of the file; a name that comes twice is there twice (the last one counts)."""
    properties = []
    for number, line in _logical_lines(text):
        match = _SEPARATOR.match(line)
        assert match is not None
        name, rest = match[0], line[match.end() :].lstrip(_BLANK)
        if rest[:1] in ("=", ":"):
            rest = rest[1:].lstrip(_BLANK)
        properties.append(Property(_unescape(name, number), _unescape(rest, number), number))
    return properties


def unescape_value(text: str) -> str:
    """What `text` would mean as a value in a properties file: leading blanks dropped, escapes resolved."""
    return _unescape(text.lstrip(_BLANK), 1)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their continuations joined, without blank lines and comments, each with its number."""
    logical = ""
    start = 0
    continued = False
    for number, natural in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        line = natural.lstrip(_BLANK)
        if not continued or not logical:
            if not continued and line[:1] in ("#", "!"):
                continue
            start = number
        backslashes = len(line) - len(line.rstrip("\\"))
        continued_next = backslashes % 2 == 1
        logical += line[:-1] if continued_next else line
        if not continued_next:
            if logical:
                yield start, logical
            logical = ""
        continued = continued_next
    if logical:
        yield start, logical


def _unescape(text: str, line: int) -> str:
    if "\\" not in text:
        return text

    def replace(match: re.Match[str]) -> str:
        if (digits := match[1]) is not None:
            if re.fullmatch(r"[0-9a-fA-F]{4}", digits) is None:
                raise PropertiesError(line, f"\\u{digits} is not \\u and four hexadecimal digits")
            return chr(int(digits, 16))
        return _ESCAPED.get(match[2], match[2])

    # Two escaped surrogates make one character, as they do in Java's UTF-16 strings.
    plain = _ESCAPE.sub(replace, text)
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

"""The reader of properties files against the javaproperties package."""

from __future__ import annotations

import javaproperties
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from klamm.server.config.properties import PropertiesError, Property, decode, parse_properties, unescape_value


def as_dict(text: str) -> dict[str, str]:
    return {p.name: p.value for p in parse_properties(text)}


def test_a_server_properties_file() -> None:
    text = (
        "# a comment\n"
        "! another \\\n"
        "process.roles=broker,controller\n"
        "  node.id : 1\r\n"
        "\n"
        "listeners = PLAINTEXT://:9092,\\\n"
        "            CONTROLLER://:9093\r"
        "empty\n"
        "path\\:with\\ odd=C:\\\\kafka \\t\\u00e9\n"
        "last=x\\"
    )
    assert parse_properties(text) == [
        Property("process.roles", "broker,controller", 3),
        Property("node.id", "1", 4),
        Property("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093", 6),
        Property("empty", "", 8),
        Property("path:with odd", "C:\\kafka \t\u00e9", 9),
        Property("last", "x", 10),
    ]


LINES = st.lists(st.text(alphabet=st.sampled_from(list("ab=:# !\\\t\f\n\ru0e9n\u00e9\u4e2d"))), max_size=6).map(
    "\n".join
)


@given(LINES)
@example("a=b\\\n\nc=d")
@example("\\\n\n#x\na")
@example("\\\n#x=1")
@example("a\\\n=b")
@example("a\\=b=c")
@example("a = = b")
@example("=b")
@example(" \\\n \\\n a")
@example("a=\\ud83d\\ude00")
@example("a=\\ud83d")
def test_equals_javaproperties(text: str) -> None:
    try:
        expected = javaproperties.loads(text)
    except javaproperties.InvalidUEscapeError:
        with pytest.raises(PropertiesError):
            parse_properties(text)
    else:
        assert as_dict(text) == expected


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5))
def test_reads_what_javaproperties_writes(properties: dict[str, str]) -> None:
    assert as_dict(javaproperties.dumps(properties, timestamp=False)) == properties


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_properties(text)
    except PropertiesError as error:
        assert error.line >= 1


def test_a_bad_escape_is_refused_with_its_line() -> None:
    with pytest.raises(PropertiesError, match="line 2"):
        parse_properties("a=1\nb=\\u12x4")


def test_a_repeated_name_is_there_twice() -> None:
    assert parse_properties("a=1\na=2") == [Property("a", "1", 1), Property("a", "2", 2)]


def test_files_are_utf8_or_else_latin1() -> None:
    assert decode("a=é中".encode()) == "a=é中"
    assert decode("a=é".encode("latin-1")) == "a=é"


def test_unescape_value() -> None:
    assert unescape_value("  a\\tb\\\\ c ") == "a\tb\\ c "

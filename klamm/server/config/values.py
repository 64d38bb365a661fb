"""From the text of a setting to its value and back, as Kafka's ConfigDef does it.

Every refusal is a `ConfigError` that says which key, which value and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from klamm.server.config.addresses import parse_address, parse_voters
from klamm.server.config.keys import (
    BOOLEAN,
    BOOTSTRAP_SERVERS,
    CLASS,
    DOUBLE,
    GZIP_LEVEL,
    INT,
    LIST,
    LONG,
    NON_EMPTY,
    PASSWORD,
    QUORUM_VOTERS,
    SHARE_OFFSET_RESET,
    SHORT,
    THROTTLED_REPLICAS,
    ConfigKey,
    OneOf,
    Range,
    Rule,
    Value,
)

HIDDEN: Final = "[hidden]"

BITS: Final[dict[str, int]] = {SHORT: 16, INT: 32, LONG: 64}

# What Java's String.trim takes off: every character up to the space.
_TRIM: Final = "".join(map(chr, range(0x21)))
_COMMA: Final = re.compile(r"[ \t\n\x0b\f\r]*,[ \t\n\x0b\f\r]*")

# Patterns that a start seldom needs stay text: `re` compiles them at first use and keeps them.
_INTEGER: Final = r"[+-]?[0-9]+"
_FLOAT: Final = r"([+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?))[fFdD]?"
_CLASS: Final = r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*"
_DURATION: Final = (
    r"([-+]?)P(?=.)(?:([-+]?[0-9]+)D)?"
    r"(?:T(?=.)(?:([-+]?[0-9]+)H)?(?:([-+]?[0-9]+)M)?(?:([-+]?[0-9]+)(?:[.,][0-9]{0,9})?S)?)?"
)


class ConfigError(ValueError):
    """A setting that cannot be used. `origin` says where it was set, where that is known."""

    def __init__(self, name: str, value: object, expected: str, origin: str = "") -> None:
        self.name = name
        self.value = value
        self.expected = expected
        self.origin = origin
        place = f" ({origin})" if origin else ""
        super().__init__(f"{name}: {value!r} is not valid{place}; expected {expected}")


def parse(key: ConfigKey, text: str) -> Value:
    """The value of `text`, checked; ConfigError names the key, the text and what was expected."""
    value = _convert(key, text.strip(_TRIM))
    if isinstance(value, tuple):
        value = _list(key, value)
    if value is None or not _is_valid(key, value):
        raise ConfigError(key.name, HIDDEN if key.is_sensitive else text, expected(key))
    return value


def render(value: Value | None, type_: str) -> str | None:
    """The string that DescribeConfigs shows for a value; a password is never shown."""
    if value is None:
        return None
    if type_ == PASSWORD:
        return HIDDEN
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, float):
        return _java_double(value)
    return str(value)


def expected(key: ConfigKey) -> str:
    """What values of `key` look like, for an error message."""
    valid = key.valid
    if isinstance(valid, Rule) and key.type != LIST:
        return valid.expected
    if key.type in BITS:
        return f"a {BITS[key.type]}-bit integer{_bounds(valid)}"
    if key.type == DOUBLE:
        return f"a number{_bounds(valid)}"
    if key.type == LIST:
        return _expected_list(key)
    if key.type == BOOLEAN:
        return "true or false"
    if isinstance(valid, OneOf):
        return f"one of {', '.join(valid.options)}"
    return "the name of a class" if key.type == CLASS else "a string"


def _expected_list(key: ConfigKey) -> str:
    which = "a comma-separated list" if not key.non_empty else "a comma-separated list that is not empty"
    if isinstance(key.valid, OneOf):
        return f"{which}, of {', '.join(key.valid.options)}"
    if isinstance(key.valid, Rule):
        return f"{which}, of {key.valid.expected}"
    return f"{which} without empty entries"


def _bounds(valid: object) -> str:
    if not isinstance(valid, Range):
        return ""
    low, high = valid
    if high is None:
        return f" of at least {low}"
    return f" from {low} to {high}"


def _convert(key: ConfigKey, text: str) -> Value | None:
    """`text` in the key's type, None when it is not of that type."""
    if key.type in BITS:
        return _integer(text, BITS[key.type])
    if key.type == LIST:
        return tuple(_COMMA.split(text)) if text else ()
    if key.type == BOOLEAN:
        return {"true": True, "false": False}.get(text.lower())
    if key.type == DOUBLE:
        match = re.fullmatch(_FLOAT, text)
        return float(match[1]) if match else None
    if key.type == CLASS and re.fullmatch(_CLASS, text) is None:
        return None
    return text


def _integer(text: str, bits: int) -> int | None:
    # Leading zeros aside, 64 bits never need more than 20 digits; Python would refuse to read thousands of them.
    if re.fullmatch(_INTEGER, text) is None:
        return None
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    digits = digits.lstrip("0") or "0"
    if len(digits) > 20:
        return None
    number = int(sign + digits)
    return number if -(1 << bits - 1) <= number < 1 << bits - 1 else None


def _list(key: ConfigKey, entries: tuple[str, ...]) -> tuple[str, ...] | None:
    """The entries without repeats, None when one is empty or none is there and must be (Kafka's ValidList)."""
    if isinstance(key.valid, Rule):
        return entries
    if "" in entries or (key.non_empty and not entries):
        return None
    return tuple(dict.fromkeys(entries))


def _is_valid(key: ConfigKey, value: Value) -> bool:
    valid = key.valid
    if valid is None:
        return True
    if isinstance(valid, Range):
        assert isinstance(value, int | float)
        # Written so that NaN is outside every range.
        return (valid.low is None or value >= valid.low) and (valid.high is None or value <= valid.high)
    if isinstance(valid, OneOf):
        values = value if isinstance(value, tuple) else (value,)
        if valid.ignore_case:
            return {str(item).upper() for item in values} <= {option.upper() for option in valid.options}
        return set(values) <= set(valid.options)
    return _RULES[valid.name](value)


def _is_gzip_level(value: Value) -> bool:
    return value == -1 or (isinstance(value, int) and 1 <= value <= 9)


def _are_throttled_replicas(value: Value) -> bool:
    assert isinstance(value, tuple)
    entries = [entry.strip(_TRIM) for entry in value]
    return "".join(entries) == "*" or all(re.fullmatch(r"([0-9]+:[0-9]+)?", entry) for entry in entries)


def _are_voters(value: Value) -> bool:
    return isinstance(value, tuple) and parse_voters(value) is not None


def _are_addresses(value: Value) -> bool:
    return isinstance(value, tuple) and all(parse_address(entry) is not None for entry in value)


def _is_share_offset_reset(value: Value) -> bool:
    text = str(value)
    if text in ("latest", "earliest"):
        return True
    return text.startswith("by_duration:") and _is_duration(text.removeprefix("by_duration:"))


def _is_duration(text: str) -> bool:
    """Whether `text` is a time span of java.time.Duration that is not negative."""
    match = re.fullmatch(_DURATION, text, re.IGNORECASE)
    if match is None:
        return False
    sign, *parts = match.groups()
    seconds = sum(int(part) * unit for part, unit in zip(parts, (86400, 3600, 60, 1), strict=True) if part)
    return (-seconds if sign == "-" else seconds) >= 0


_RULES: Final[dict[str, Callable[[Value], bool]]] = {
    NON_EMPTY.name: bool,
    GZIP_LEVEL.name: _is_gzip_level,
    QUORUM_VOTERS.name: _are_voters,
    BOOTSTRAP_SERVERS.name: _are_addresses,
    THROTTLED_REPLICAS.name: _are_throttled_replicas,
    SHARE_OFFSET_RESET.name: _is_share_offset_reset,
}


def _java_double(value: float) -> str:
    """`value` as Java's Double.toString writes it: plain from 1e-3 up to 1e7, else with an exponent."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    # Shortest digits that round-trip, as repr finds them.
    mantissa, _, exponent = repr(value).partition("e")
    sign, mantissa = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    power = int(exponent or 0) + len(whole) - 1
    if whole == "0":
        power -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0") or "0"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power}"

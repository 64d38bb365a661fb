"""What one configuration key is: its type, default, valid values, importance and update mode.

Plain named tuples, because every start of a broker builds some four hundred of them. Names, types and defaults are
Kafka's; what a key does is told in `docs/`, which is only imported when somebody asks.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Type = Literal["BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"]
BOOLEAN: Final = "BOOLEAN"
STRING: Final = "STRING"
INT: Final = "INT"
SHORT: Final = "SHORT"
LONG: Final = "LONG"
DOUBLE: Final = "DOUBLE"
LIST: Final = "LIST"
CLASS: Final = "CLASS"
PASSWORD: Final = "PASSWORD"

# ConfigType of DescribeConfigs (KIP-569); 0 is a type that is not known.
TYPE_CODES: Final[dict[str, int]] = {
    BOOLEAN: 1,
    STRING: 2,
    INT: 3,
    SHORT: 4,
    LONG: 5,
    DOUBLE: 6,
    LIST: 7,
    CLASS: 8,
    PASSWORD: 9,
}

Importance = Literal["HIGH", "MEDIUM", "LOW"]
HIGH: Final = "HIGH"
MEDIUM: Final = "MEDIUM"
LOW: Final = "LOW"

UpdateMode = Literal["read-only", "per-broker", "cluster-wide"]
READ_ONLY: Final = "read-only"
PER_BROKER: Final = "per-broker"
CLUSTER_WIDE: Final = "cluster-wide"

Value = bool | int | float | str | tuple[str, ...]
"""A parsed value; lists are tuples of strings, classes and passwords strings."""


class Required:
    """Stands for the default of a key that has none and must be set."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = Required()

INT_MAX: Final = 2**31 - 1
LONG_MAX: Final = 2**63 - 1


class Range(NamedTuple):
    """Numbers from `low` to `high`, both included; a bound that is None is no bound."""

    low: float | None
    high: float | None


class OneOf(NamedTuple):
    """One of these strings, or for a list any of them; `ignore_case` is Kafka's CaseInsensitiveValidString."""

    options: tuple[str, ...]
    ignore_case: bool = False


class Rule(NamedTuple):
    """A check that `values.py` knows by `name`; `expected` is what an error message says was wanted."""

    name: str
    expected: str


Valid = Range | OneOf | Rule


def at_least(low: float) -> Range:
    return Range(low, None)


def between(low: float, high: float) -> Range:
    return Range(low, high)


def one_of(*options: str) -> OneOf:
    return OneOf(options)


def any_case(*options: str) -> OneOf:
    return OneOf(options, ignore_case=True)


NON_EMPTY: Final = Rule("non-empty", "a value that is not empty")
GZIP_LEVEL: Final = Rule("gzip-level", "an integer from 1 to 9, or -1")
QUORUM_VOTERS: Final = Rule("quorum-voters", "entries of the form id@host:port")
BOOTSTRAP_SERVERS: Final = Rule("bootstrap-servers", "entries of the form host:port")
THROTTLED_REPLICAS: Final = Rule("throttled-replicas", "* or entries of the form partition:broker")
SHARE_OFFSET_RESET: Final = Rule(
    "share-offset-reset", "latest, earliest, or by_duration: and an ISO 8601 time span such as PT1H"
)


class ConfigKey(NamedTuple):
    """One row of a table. `default` None means that the key has no value unless it is set.

    `non_empty` is for lists only. `synonyms` are the broker keys that a topic or group key falls back to, the one of
    highest precedence first. `internal` keys are shown by DescribeConfigs only when they are set.
    """

    name: str
    type: Type
    default: Value | Required | None
    valid: Valid | None
    importance: Importance
    update_mode: UpdateMode = READ_ONLY
    internal: bool = False
    non_empty: bool = False
    synonyms: tuple[str, ...] = ()

    @property
    def is_sensitive(self) -> bool:
        """Whether the value must never be shown."""
        return self.type == PASSWORD

"""Rules: which exchanges a fault is for, and which fault. Plain data, read from TOML, JSON or `key=value,...`.

A rule counts the exchanges that fit it; `nth`, `times` and `probability` then choose among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from klamm.kproto import errors
from klamm.kproto.apis import APIS

DELAY, DROP, CLOSE, ERROR, CUT, HOLD, GARBLE, THROTTLE = (
    "delay", "drop", "close", "error", "cut", "hold", "garble", "throttle",
)  # fmt: skip
REQUEST, ANSWER = "request", "answer"

_NEEDS: Final = {DELAY: "ms", ERROR: "error", CUT: "bytes", GARBLE: "bytes", THROTTLE: "bytes_per_s"}
_ACTIONS: Final = (DELAY, DROP, CLOSE, ERROR, CUT, HOLD, GARBLE, THROTTLE)
_KEYS: Final = {
    "name", "api", "version", "client_id", "topic", "group", "connection", "nth", "times", "probability",
    "do", "side", "ms", "error", "forward", "bytes", "bytes_per_s",
}  # fmt: skip
_NAMES: Final = {api.name.lower(): api.key for api in APIS.values()}


class RuleError(ValueError):
    """A rule that says something it cannot mean."""


class Ranges:
    """`3`, `"2-4"`, `"5+"`, `[1, 3]` or `"1,3"`: a set of numbers."""

    def __init__(self, given: Any, what: str) -> None:
        parts = given if isinstance(given, list) else str(given).split(",")
        self._ranges = [self._range(str(part).strip(), what) for part in parts]

    @staticmethod
    def _range(text: str, what: str) -> tuple[int, int]:
        try:
            if text.endswith("+"):
                return int(text[:-1]), 0x7FFFFFFF
            low, _, high = text.partition("-")
            return int(low), int(high or low)
        except ValueError:
            raise RuleError(f"{what}: {text!r} is neither a number nor a range like 2-4 or 5+") from None

    def __contains__(self, number: int) -> bool:
        return any(low <= number <= high for low, high in self._ranges)


class Rule:
    """One rule. `seen`: the exchanges that fitted so far; `done`: those to which the fault happened."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        if unknown := sorted(given.keys() - _KEYS):
            raise RuleError(f"a rule has no {', '.join(unknown)}; it has {', '.join(sorted(_KEYS))}")
        self.do = _choice(given, "do", _ACTIONS)
        need = _NEEDS.get(self.do)
        if need is not None and need not in given:
            raise RuleError(f"do = {self.do} needs {need}")
        self.keys = _api_keys(given["api"]) if "api" in given else None
        self.versions = Ranges(given["version"], "version") if "version" in given else None
        self.nth = Ranges(given["nth"], "nth") if "nth" in given else None
        self.connections = Ranges(given["connection"], "connection") if "connection" in given else None
        self.client_id: str | None = given.get("client_id")
        self.topic: str | None = given.get("topic")
        self.group: str | None = given.get("group")
        self.times = _number(given, "times", 0)
        self.probability = _number(given, "probability", 1.0)
        self.side = _choice(given, "side", (REQUEST, ANSWER), ANSWER)
        self.delay_ms = _number(given, "ms", 0)
        self.bytes = int(_number(given, "bytes", 0))
        self.bytes_per_s = int(_number(given, "bytes_per_s", 0))
        if self.do == THROTTLE and self.bytes_per_s <= 0:
            raise RuleError("bytes_per_s must be above 0")
        self.error = _error_code(given["error"]) if "error" in given else 0
        self.is_forwarded = str(given.get("forward", "false")).lower() in ("true", "yes", "1")
        self.name = str(given.get("name") or self._described(given))
        self.seen = self.done = 0

    @staticmethod
    def _described(given: Mapping[str, Any]) -> str:
        return " ".join(f"{key}={value}" for key, value in given.items() if key != "name")

    def fits_header(self, key: int, version: int, client_id: str | None, connection: int) -> bool:
        """Whether what stands in front of the body fits."""
        return (
            (self.keys is None or key in self.keys)
            and (self.versions is None or version in self.versions)
            and (self.client_id is None or fnmatchcase(client_id or "", self.client_id))
            and (self.connections is None or connection in self.connections)
        )

    @property
    def keeps_request(self) -> bool:
        """Whether a request that it is for never reaches the server."""
        return self.side == REQUEST and self.do in (DROP, CLOSE)

    @property
    def looks_inside(self) -> bool:
        """Whether the body has to be read."""
        return self.topic is not None or self.group is not None

    def is_due(self, draw: float) -> bool:
        """Count an exchange that fits, and tell whether the fault happens to it; `draw`: a number in [0, 1)."""
        self.seen += 1
        is_due = (
            (self.nth is None or self.seen in self.nth)
            and (not self.times or self.done < self.times)
            and draw < self.probability
        )
        self.done += is_due
        return is_due


def _choice(given: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str | None = None) -> str:
    value = given.get(key, default)
    if value not in choices:
        raise RuleError(f"{key} is one of {', '.join(choices)}, not {value!r}")
    return str(value)


def _number(given: Mapping[str, Any], key: str, default: float) -> float:
    try:
        value = float(given.get(key, default))
    except (TypeError, ValueError):
        raise RuleError(f"{key} is a number, not {given[key]!r}") from None
    if value < 0:
        raise RuleError(f"{key} is not below 0")
    return value


def _api_keys(given: Any) -> set[int]:
    names = given if isinstance(given, list) else str(given).split("|")
    keys = set()
    for name in names:
        fitting = {key for known, key in _NAMES.items() if fnmatchcase(known, str(name).strip().lower())}
        if not fitting:
            raise RuleError(f"there is no API {name}")
        keys |= fitting
    return keys


def _error_code(given: Any) -> int:
    code = given if isinstance(given, int) else getattr(errors, str(given).strip().upper(), None)
    if not isinstance(code, int) or (
        code != errors.UNKNOWN_SERVER_ERROR and errors.info(code).name == "UNKNOWN_SERVER_ERROR"
    ):
        raise RuleError(f"there is no error {given}")
    return code


def read_rules(text: str, *, is_json: bool) -> list[Rule]:
    """The rules of a file: TOML with `[[rule]]` tables, or JSON with a list or {"rule": [...]}. Raises RuleError."""
    import json
    import tomllib

    try:
        found = json.loads(text) if is_json else tomllib.loads(text)
    except ValueError as error:
        raise RuleError(str(error)) from None
    rows = found.get("rule", []) if isinstance(found, dict) else found
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RuleError("a list of rules was expected")
    return [Rule(row) for row in rows]


def parse_rule(text: str) -> Rule:
    """A rule as it is written on a command line: `api=Produce,nth=2,do=error,error=NOT_LEADER_OR_FOLLOWER`."""
    given: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals:
            raise RuleError(f"{part!r} is not of the form key=value")
        given[key.strip()] = value.strip()
    return Rule(given)

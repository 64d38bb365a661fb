"""Rules say what they mean, or are refused with a word about why."""

from __future__ import annotations

import pytest

from klamm.kproto import apis, errors
from klamm.proxy.rules import Rule, RuleError, parse_rule, read_rules


def due(rule: Rule, count: int, draw: float = 0.0) -> list[int]:
    """Which of the next exchanges it is for, counted from 1."""
    return [n for n in range(1, count + 1) if rule.is_due(draw)]


@pytest.mark.parametrize(
    ("nth", "expected"), [(2, [2]), ("2-3", [2, 3]), ("4+", [4, 5]), ([1, 5], [1, 5]), ("1,3-4", [1, 3, 4])]
)
def test_nth(nth: object, expected: list[int]) -> None:
    assert due(Rule({"do": "drop", "nth": nth}), 5) == expected


def test_times_and_probability() -> None:
    rule = Rule({"do": "drop", "times": 2, "nth": "2+"})
    assert due(rule, 9) == [2, 3]
    assert (rule.seen, rule.done) == (9, 2)
    assert due(Rule({"do": "drop", "probability": 0.5}), 2, 0.49) == [1, 2]
    assert due(Rule({"do": "drop", "probability": 0.5}), 2, 0.5) == []


def test_the_header() -> None:
    rule = Rule({"do": "drop", "api": ["Produce", "*fetch"], "version": "9+", "client_id": "app-*", "connection": 3})
    assert rule.fits_header(apis.PRODUCE, 9, "app-1", 3)
    assert rule.fits_header(apis.SHARE_FETCH, 9, "app-1", 3)
    assert not rule.fits_header(apis.METADATA, 9, "app-1", 3)
    assert not rule.fits_header(apis.PRODUCE, 8, "app-1", 3)
    assert not rule.fits_header(apis.PRODUCE, 9, "other", 3)
    assert not rule.fits_header(apis.PRODUCE, 9, None, 3)
    assert not rule.fits_header(apis.PRODUCE, 9, "app-1", 2)


def test_a_command_line_and_files_say_the_same() -> None:
    line = parse_rule("api=Fetch,nth=2,do=error,error=not_leader_or_follower,forward=true")
    (toml,) = read_rules('[[rule]]\napi = "Fetch"\nnth = 2\ndo = "error"\nerror = 6\nforward = true\n', is_json=False)
    (told,) = read_rules('[{"api": "Fetch", "nth": 2, "do": "error", "error": 6, "forward": true}]', is_json=True)
    for rule in (line, toml, told):
        assert (rule.keys, rule.error, rule.is_forwarded, due(rule, 3)) == (
            {1},
            errors.NOT_LEADER_OR_FOLLOWER,
            True,
            [2],
        )
    assert line.name == "api=Fetch nth=2 do=error error=not_leader_or_follower forward=true"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("do=explode", "do is one of"),
        ("api=Produce", "do is one of"),
        ("do=delay", "needs ms"),
        ("do=delay,ms=soon", "ms is a number"),
        ("do=delay,ms=-1", "not below 0"),
        ("do=error,error=NO_SUCH_THING", "there is no error"),
        ("do=drop,api=Produz", "there is no API"),
        ("do=drop,nth=x", "neither a number nor a range"),
        ("do=drop,when=now", "a rule has no when"),
        ("do=drop,side=left", "side is one of"),
        ("do=throttle,bytes_per_s=0", "above 0"),
        ("drop", "not of the form key=value"),
    ],
)
def test_refused(text: str, word: str) -> None:
    with pytest.raises(RuleError, match=word):
        parse_rule(text)


@pytest.mark.parametrize("text", ["[[rule]", "rule = 3", "rule = [3]"])
def test_a_file_that_has_no_rules(text: str) -> None:
    with pytest.raises(RuleError):
        read_rules(text, is_json=False)

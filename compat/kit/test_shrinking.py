"""A difference that random requests find is shown in its smallest form. klamm stands in for both servers, one of them
with a planted fault."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from compat.differential.card import Card
from compat.kit import text
from compat.kit.pairs import SETTINGS, Pair, pair_of
from compat.kit.planted import PlantedKlamm
from compat.kit.random_search import search
from compat.providers import PlainKlamm, klamm_defaults


@contextmanager
def _pair(fault: str) -> Iterator[Pair]:
    settings = {**klamm_defaults(), **SETTINGS}
    planted, right = PlantedKlamm(fault, settings), PlainKlamm(settings)
    try:
        with planted, right:
            yield pair_of(planted, right)
    finally:
        planted.remove()
        right.remove()


def _found(fault: str, api: str) -> Mapping[str, Any]:
    with _pair(fault) as pair:
        return search(pair, Card(()), 60, 1, lambda what: None, [api])


def test_a_wrong_code_for_one_partition_takes_one_topic_and_one_partition() -> None:
    smallest = _found("wrong-error-code", "DescribeProducers")["smallest"]
    assert smallest
    for row in smallest:
        asked = ast.literal_eval(row["request"])
        assert len(asked["topics"]) == 1, asked
        assert len(asked["topics"][0]["partitionIndexes"]) == 1, asked
        assert "3" in row["differences"][0]


def test_what_takes_two_topics_keeps_two() -> None:
    found = _found("two-topics", "DescribeTopicPartitions")
    assert found["smallest"]
    for row in found["smallest"]:
        asked = ast.literal_eval(row["request"])
        assert len({topic["name"] for topic in asked["topics"]}) == len(asked["topics"]) == 2, asked
    shown = text.table(_card(found))
    assert found["smallest"][0]["request"] in shown


def test_no_fault_no_difference() -> None:
    settings = {**klamm_defaults(), **SETTINGS}
    left, right = PlainKlamm(settings), PlainKlamm(settings)
    try:
        with left, right:
            found = search(pair_of(left, right), Card(()), 20, 1, lambda what: None, ["DescribeProducers"])
    finally:
        left.remove()
        right.remove()
    assert (found["requests"], found["smallest"]) == (20, [])


def _card(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"target": "a", "against": "b", **Card(()).as_json(), "broken": {}, "suites": [], "random": found}

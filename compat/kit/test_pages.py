"""The pages in docs/ are what the generator makes of the committed card. No broker is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat.differential.cases import all_cases
from compat.differential.known import KNOWN
from compat.kit import pages
from compat.kit.text import not_passed
from compat.suites import all_suites

REPORT = json.loads(pages.CARD.read_text())


ITSELF = json.loads(pages.ITSELF.read_text())


@pytest.mark.parametrize("path", pages.made(), ids=lambda path: path.stem)
def test_a_page_is_made_from_its_card(path: Path) -> None:
    assert path.read_text() == pages.made()[path], "python -m compat.kit.pages"


def test_nothing_on_the_card_is_unexplained() -> None:
    assert [row["case"] for row in REPORT["by_case"] if row["unexplained"]] == []
    assert REPORT["unexplained"] == 0
    assert REPORT["answers"] == REPORT["equal"] + REPORT["explained"]


def test_kafka_equals_itself_in_every_answer_of_the_same_cases() -> None:
    assert (ITSELF["unexplained"], ITSELF["explained"], ITSELF["broken"]) == (0, 0, {})
    assert {row["case"] for row in ITSELF["by_case"]} == {row["case"] for row in REPORT["by_case"]}


def test_every_client_suite_ran_on_both_and_lost_nothing() -> None:
    assert {row["suite"] for row in REPORT["suites"]} == {suite.name for suite in all_suites()}
    for row in REPORT["suites"]:
        assert (row["lost"], row["target"]["failed"], row["against"]["failed"]) == ({}, {}, {}), row["suite"]
        assert row["against"]["passed"] > 0, row["suite"]
        # What does not pass on klamm stands on a list, with its reason.
        explained = sum(map(len, not_passed(row).values()))
        assert row["target"]["passed"] + explained >= row["against"]["passed"], row["suite"]


def test_the_card_has_every_version_and_no_case_that_is_gone() -> None:
    assert {row["case"] for row in REPORT["by_case"]} <= set(all_cases())
    assert REPORT["not_asked"] == []
    assert not REPORT["short"]


def test_known_differences_are_numbered_and_met() -> None:
    numbers = [entry.number for entry in KNOWN]
    assert numbers == sorted(set(numbers))
    met = {number for row in REPORT["by_case"] for number in row["known"]}
    # What a random request runs into may depend on the state that the order of threads has left.
    sure = {e.number for e in KNOWN if not all(place.case.startswith("random_requests.") for place in e.places)}
    assert sure <= met

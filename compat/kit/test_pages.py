"""The pages in docs/ are what the generator makes of the committed card. No broker is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat.differential.cases import all_cases
from compat.differential.known import KNOWN
from compat.kit import pages

REPORT = json.loads(pages.CARD.read_text())


@pytest.mark.parametrize(
    ("path", "made"),
    [(pages.COMPATIBILITY, pages.compatibility(REPORT)), (pages.DIFFERENCES, pages.differences(REPORT))],
    ids=["compatibility", "differences"],
)
def test_a_page_is_made_from_the_card(path: Path, made: str) -> None:
    assert path.read_text() == made, "python -m compat.kit.pages"


def test_nothing_on_the_card_is_unexplained() -> None:
    assert [row["case"] for row in REPORT["by_case"] if row["unexplained"]] == []
    assert REPORT["unexplained"] == 0
    assert REPORT["answers"] == REPORT["equal"] + REPORT["explained"]


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

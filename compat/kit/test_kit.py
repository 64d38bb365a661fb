"""The score card's own parts. No broker is needed."""

from __future__ import annotations

from typing import Any

from compat.access import scram_proof
from compat.differential.card import Card
from compat.differential.comparing import compare
from compat.differential.drawing import Draws, smaller
from compat.differential.run import Plan, Step
from compat.kit import html, text
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.vote import VoteRequest


def _report(*outcomes: tuple[Any, Any]) -> dict[str, Any]:
    card = Card(())
    left = [Step("Any", version, "note", ours) for version, (ours, _) in enumerate(outcomes)]
    right = [Step("Any", version, "note", theirs) for version, (_, theirs) in enumerate(outcomes)]
    card.add("module.case", left, compare("module.case", left, right))
    return {"target": "one", "against": "other", **card.as_json(), "broken": {}, "suites": []}


def test_an_answer_counts_once_however_often_it_differs() -> None:
    report = _report(({"a": 1, "b": 2}, {"a": 3, "b": 4}), ({"a": 1}, {"a": 1}))
    assert [report[name] for name in ("cases", "answers", "equal", "explained", "unexplained")] == [1, 2, 1, 0, 1]
    assert text.verdict(report["api_versions"][0]) == "unexplained"
    assert text.verdict(report["api_versions"][1]) == "equal"


def test_a_difference_is_shown_in_the_table_and_on_the_page() -> None:
    report = _report(({"a": "<x>"}, {"a": "y"}))
    for shown in (text.table(report), html.page(report)):
        assert "module.case" in shown
        assert "0!" in shown or "unexplained" in shown
    assert "&lt;x&gt;" in html.page(report)


def test_one_difference_in_many_is_not_rounded_away() -> None:
    assert text.share({"answers": 100_000, "equal": 99_999}) == "99.99 %"
    assert text.share({"answers": 10, "equal": 10}) == "100 %"


def test_a_short_plan_asks_the_lowest_and_the_highest_version() -> None:
    assert Plan(is_short=True).versions(FetchRequest) == [4, 18]
    assert Plan({1: range(4, 12)}, is_short=True).versions(FetchRequest) == [4, 11]
    assert Plan({1: range(4, 12)}).versions(FetchRequest, low=10) == [10, 11]
    assert Plan({}).versions(VoteRequest) == []
    assert not Plan({}).allows(VoteRequest, 0)


def test_draws_are_repeated_and_made_smaller() -> None:
    draws = Draws([3, 1])
    assert [draws.choice("abcd"), draws.choice("ab"), draws.choice("xy")] == ["d", "b", "x"]
    assert draws.taken == [3, 1, 0]
    candidates = list(smaller([3, 1]))
    assert [1] in candidates
    assert [0, 1] in candidates
    assert all(sum(c) < 4 for c in candidates)


def test_scram_by_the_example_of_rfc_7677() -> None:
    first = "n=user,r=rOprNGfwEbeRWgbNEkqO"
    challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    proof, signature = scram_proof("sha256", "pencil", first, challenge)
    assert proof.endswith("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    assert signature == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

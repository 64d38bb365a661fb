"""The score card's own parts. No broker is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compat.access import scram_proof
from compat.differential.card import Card
from compat.differential.comparing import compare
from compat.differential.drawing import Draws, smaller
from compat.differential.run import CLOSED, Plan, Step
from compat.kit import html, suite_runs, text
from compat.kit.coverage import Errors
from compat.kit.gained import add
from compat.kit.pairs import Wanted
from compat.suites import Result, Suite
from klamm.cli.main import main
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


def test_an_allow_list_only_grows(tmp_path: Path) -> None:
    path = tmp_path / "tests.allow"
    path.write_text("# head\nb  # why\nd\n")
    add(path, ["c", "a", "b"])
    assert path.read_text() == "# head\na\nb  # why\nc\nd\n"


def test_a_run_that_was_cut_off_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card.json"
    before = {**_report(({"a": 1}, {"a": 1})), "target": "klamm", "against": "kafka", "short": False, "is_part": True,
              "left_out": 0, "unfinished": True}  # fmt: skip
    card.write_text(json.dumps(before))
    assert main(["compat", "run", "--only", "module.case", "--json", str(card), "--resume"]) == 2  # no such case
    arguments = ["compat", "run", "--only", "api_versions.advertised", "--no-suites", "--json", str(card), "--resume"]
    assert main(arguments) == 0  # nothing is started: what was asked for is on the card
    assert "cases 1, answers 1: 1 equal (100 %)" in capsys.readouterr().out
    assert "unfinished" not in json.loads(card.read_text())
    assert main([*arguments, "--short"]) == 2
    assert "another run" in capsys.readouterr().err


def test_suites_that_are_on_the_card_are_not_run_again() -> None:
    known = {"suite": "one", "version": "1", "lost": {}, "gained": [], "target": _passed(2), "against": _passed(2)}
    suite = Suite("one", "1", lambda target: pytest.fail("it was run"))
    assert suite_runs.run(Wanted("klamm", "kafka"), [suite], lambda what: None, [known]) == [known]


def test_a_test_that_passes_in_one_of_two_runs_passes() -> None:
    first = Result(["a"], {"b": "late", "c": "wrong"}, {"d": "no"})
    second = Result(["b"], {"a": "only once on a broker", "c": "still"})
    both = suite_runs.either(first, second)
    assert (both.passed, both.failed, both.skipped) == (["a", "b"], {"c": "wrong"}, {"d": "no"})
    assert suite_runs.either(Result([], {suite_runs.BADLY: "gone"}), second) is second


def _passed(count: int) -> dict[str, Any]:
    return {"passed": count, "failed": {}, "skipped": {}}


def test_what_only_the_other_passes_is_told_with_its_reason() -> None:
    row = {"suite": "one", "target": {**_passed(1), "skipped": {"a": "transactions [timed out]", "b": "needs Java"}},
           "against": {**_passed(2), "skipped": {"b": "needs Java"}}}  # fmt: skip
    assert text.not_passed(row) == {"transactions": ["a"]}


def test_error_codes_are_found_wherever_they_stand() -> None:
    errors = Errors()
    errors.add([Step("A", 0, "", {"errorCode": 0, "rows": [{"errorCode": 3}, {"topicErrorCode": 17, "x": 5}]}),
                Step("B", 0, "", CLOSED)])  # fmt: skip
    assert errors.as_json() == {"A": ["NONE", "UNKNOWN_TOPIC_OR_PARTITION", "INVALID_TOPIC_EXCEPTION"]}

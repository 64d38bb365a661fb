"""Lists and scripts hold a client to what it must pass: what is lost, what may differ, what is tried again."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from compat.allow_list import Lists, held, merged
from compat.scripted import Script, StepsFailed, steps_of
from compat.suites import Result

LISTS = Lists({"good": "", "shaky": ""}, {"later": "needs transactions"}, {"other": "difference 12"}, {"unfit": "slow"})


def _run(*runs: Result) -> tuple[list[Collection[str] | None], object]:
    asked: list[Collection[str] | None] = []
    left = list(runs)

    def run(names: Collection[str] | None) -> Result:
        asked.append(names)
        return left.pop(0)

    return asked, run


def test_what_must_pass_depends_on_the_target() -> None:
    assert LISTS.required("klamm") == {"good", "shaky"}
    assert LISTS.required("kafka") == {"good", "shaky", "later", "other"}


def test_a_test_that_fails_once_is_tried_again_alone(capsys: pytest.CaptureFixture[str]) -> None:
    asked, run = _run(Result(["good"], {"shaky": "too late", "later": "no"}), Result(["shaky"]))
    assert held("client", "1", "klamm", LISTS, run) == 0  # type: ignore[arg-type]
    assert asked == [None, ["shaky"]]
    said = capsys.readouterr().out
    assert "failed   later: needs transactions [no]" in said
    assert '"passed": 2, "failed": 1' in said


@pytest.mark.parametrize("missing", [Result(["good"], {"shaky": "wrong"}), Result(["good"])], ids=["failed", "gone"])
def test_an_allowed_test_that_does_not_pass_is_red(missing: Result, capsys: pytest.CaptureFixture[str]) -> None:
    _, run = _run(missing, Result([], {"shaky": "wrong"}))
    assert held("client", "1", "klamm", LISTS, run) == 1  # type: ignore[arg-type]
    assert "MUST PASS shaky" in capsys.readouterr().out


def test_a_test_that_passes_now_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    _, run = _run(Result(["good", "shaky", "later"]))
    assert held("client", "1", "klamm", LISTS, run) == 0  # type: ignore[arg-type]
    assert "belongs into tests.allow: later" in capsys.readouterr().out


def test_the_second_run_counts() -> None:
    both = merged(Result(["a"], {"b": "x", "c": "y"}, {"d": "z"}), Result(["b"], {"c": "again"}))
    assert (both.passed, both.failed, both.skipped) == (["a", "b"], {"c": "again"}, {"d": "z"})


def test_failures_that_are_no_loss_are_shown_as_skipped() -> None:
    found = Result(["good"], {"shaky": "late", "later": "no", "unfit": "no"}, {"other": "absent"})
    on_klamm = LISTS.sorted_out("klamm", found)
    assert on_klamm.failed == {"shaky": "late"}
    assert on_klamm.skipped == {"other": "absent", "later": "needs transactions [no]", "unfit": "slow [no]"}
    assert LISTS.sorted_out("kafka", found).failed == {"shaky": "late", "later": "no"}


def test_a_name_on_two_lists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tests.allow").write_text("one\n")
    (tmp_path / "tests.later").write_text("one  # why\n")
    with pytest.raises(ValueError, match="one"):
        Lists.of(tmp_path)


def test_steps_are_held_to_the_recorded_outcomes(tmp_path: Path) -> None:
    script = Script("script", "1", tmp_path, lambda bootstrap, name: {"same": 1, "other": [2], "new": 0})
    script.record({"same": 1, "other": [3], "gone": True})
    result = script.compare("127.0.0.1:1")
    assert result.passed == ["script::same"]
    assert result.failed == {
        "script::other": "Kafka: [3]; here: [2]",
        "script::gone": "Kafka: true; here: no outcome",
        "script::new": "not recorded on real Kafka",
    }
    assert script.lists().required("klamm") == {"script::same", "script::other", "script::gone"}


def test_a_script_that_ends_badly_has_no_outcomes() -> None:
    program = """import sys; print('{"step": "one", "outcome": 2}'); sys.exit(int(sys.argv[1]))"""
    assert steps_of([sys.executable, "-c", program, "0"]) == {"one": 2}
    with pytest.raises(StepsFailed, match="status 3"):
        steps_of([sys.executable, "-c", program, "3"])


def test_no_step_passes_when_the_script_ends_badly(tmp_path: Path) -> None:
    def run(bootstrap: str, name: str) -> dict[str, object]:
        raise StepsFailed("ended with status 1:\nKafkaError: no coordinator")

    script = Script("script", "1", tmp_path, run)
    script.record({"one": 1})
    assert script.compare("127.0.0.1:1") == Result(
        [], {"script::one": "the script ended badly: KafkaError: no coordinator"}
    )


def test_a_script_that_waits_for_a_capability_is_not_run_on_klamm(tmp_path: Path) -> None:
    (tmp_path / "outcomes.json").write_text('{"script": {"one": 1}, "other": {"one": 1}}')
    (tmp_path / "tests.later").write_text("script::one  # transactions\n")
    suites = {
        name: Script(name, "1", tmp_path, lambda bootstrap, run: {"one": 1}).suite() for name in ("script", "other")
    }

    class Broker:
        name, bootstrap = "klamm", "localhost:1"

    assert suites["script"].run(Broker()) == Result([], {}, {"script::one": "transactions [not run]"})  # type: ignore[arg-type]
    assert suites["other"].run(Broker()).passed == ["other::one"]  # type: ignore[arg-type]
    Broker.name = "kafka"
    assert suites["script"].run(Broker()).passed == ["script::one"]  # type: ignore[arg-type]

"""Client suites: how a folder `compat/<client>/` gives its tests to the compatibility kit.

A folder takes part by a module `suite.py` that holds `SUITES`, a list of `Suite`. A suite runs on a broker that stands
already and says of each test how it went; what a target must pass is in its allow-list, which only grows.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from compat.kafka_jars import ROOT
from compat.targets import Target

_HERE = Path(__file__).resolve().parent
_COMMENT = re.compile(r"(?:^|\s+)#")


@dataclass(frozen=True)
class Result:
    """How the tests of a suite went, by name; `failed` and `skipped` have a reason, in one line, for each."""

    passed: Sequence[str]
    failed: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """One client's tests.

    `run(target)` may use `target.bootstrap`; it must leave the broker running. `allow_list` names the tests that klamm
    must pass (`read_list`), None: all. `is_short`: done in seconds, so that it belongs to `klamm compat run --short`.
    """

    name: str
    version: str
    run: Callable[[Target], Result]
    allow_list: Path | None = None
    needs: Sequence[str] = ()
    """Programs that must be on the path."""
    is_short: bool = False

    def missing(self) -> list[str]:
        """The programs it needs and does not find."""
        return [program for program in self.needs if shutil.which(program) is None]


class Judgement(NamedTuple):
    """A result held to the allow-list."""

    lost: dict[str, str]
    """Tests of the list that did not pass, with the reason."""
    gained: list[str]
    """Tests that passed and are not on the list: they belong there."""


def read_list(path: Path) -> dict[str, str]:
    """Test -> reason of a list file: `test` or `test  # reason` a line."""
    tests: dict[str, str] = {}
    for line in path.read_text().splitlines():
        test, *reason = _COMMENT.split(line, maxsplit=1)
        if test.strip():
            tests[test.strip()] = reason[0].strip() if reason else ""
    return tests


def judge(suite: Suite, result: Result) -> Judgement:
    """What was lost and gained against the allow-list."""
    if suite.allow_list is None:
        return Judgement(dict(result.failed), [])
    allowed = read_list(suite.allow_list) if suite.allow_list.exists() else {}
    passed = set(result.passed)
    reasons = {**result.skipped, **result.failed}
    lost = {test: reasons.get(test, "did not run") for test in allowed if test not in passed}
    return Judgement(lost, sorted(passed - allowed.keys()))


def all_suites() -> list[Suite]:
    """The suites of all folders that have a `suite.py`, by folder."""
    found: list[Suite] = []
    for path in sorted(_HERE.glob("*/suite.py")):
        module = importlib.import_module(f"compat.{path.parent.name}.suite")
        found += module.SUITES
    return found


def run_pytest(folder: str, target: Target, *arguments: str, timeout_s: float = 540) -> Result:
    """The tests of `compat/<folder>` against a running broker (`pytest compat/<folder> --target HOST:PORT`).

    Tests that must restart their broker (fixture `fresh_target`) are skipped there.
    """
    with tempfile.TemporaryDirectory(prefix="compat-suite-") as place:
        report = Path(place) / "report.xml"
        command = [
            sys.executable, "-m", "pytest", str(_HERE / folder), "--target", target.bootstrap, "-q", "-p",
            "no:cacheprovider", f"--junitxml={report}", *arguments,
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=ROOT, env=dict(os.environ), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout_s, check=False,
        )  # fmt: skip
        if not report.exists():
            raise RuntimeError(f"pytest compat/{folder} ended without a report:\n{(done.stdout + done.stderr)[-2000:]}")
        return read_junit(report)


def pytest_suite(folder: str, version: str, needs: Sequence[str] = (), tests: str = "") -> Suite:
    """The tests of `compat/<folder>`, or of one file there, as a suite held to the folder's `pytest.allow`."""
    path = f"{folder}/{tests}" if tests else folder
    return Suite(folder, version, lambda target: run_pytest(path, target), _HERE / folder / "pytest.allow", needs)


def read_junit(path: Path) -> Result:
    """The result in a JUnit report (pytest, gotestsum, and many others write them)."""
    passed, failed, skipped = [], {}, {}
    for test in ET.parse(path).getroot().iter("testcase"):
        name = f"{test.get('classname', '').rpartition('.')[2]}::{test.get('name', '')}"
        bad = test.find("failure") if test.find("failure") is not None else test.find("error")
        gone = test.find("skipped")
        if bad is not None:
            failed[name] = _line(bad)
        elif gone is not None:
            skipped[name] = _line(gone)
        else:
            passed.append(name)
    return Result(passed, failed, skipped)


def _line(node: ET.Element) -> str:
    text = node.get("message") or node.text or ""
    return text.strip().partition("\n")[0][:300]

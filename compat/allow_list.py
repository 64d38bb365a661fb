"""A client's own tests, held to lists: what must pass on klamm, what does not pass yet, what differs on purpose.

`tests.allow` only grows. The others give a reason behind `#` for every test: `tests.later` the capability that klamm
does not have yet, `tests.explained` the known difference that it shows (docs/differences.md), `tests.unfit` why it does
not pass, or not always, on real Kafka either. Real Kafka must pass all but the last: that calibrates a run.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from compat.suites import Result, read_list

Run = Callable[[Collection[str] | None], Result]
"""Runs the named tests, None: all."""


class Lists(NamedTuple):
    """The lists of one suite: test -> reason."""

    allow: Mapping[str, str]
    later: Mapping[str, str]
    explained: Mapping[str, str]
    unfit: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path) -> Lists:
        """From the files `tests.*` of a folder. ValueError when a test stands on two of them."""
        files = [folder / f"tests.{name}" for name in cls._fields]
        lists = cls(*(read_list(file) if file.exists() else {} for file in files))
        counted = Counter(name for one in lists for name in one)
        if twice := sorted(name for name, count in counted.items() if count > 1):
            raise ValueError(f"on two lists of {folder.name}: {', '.join(twice)}")
        return lists

    def required(self, target: str) -> set[str]:
        """What must pass on "klamm" or "kafka"."""
        return {*self.allow, *self.later, *self.explained} if target == "kafka" else {*self.allow}

    def reason(self, test: str) -> str:
        """Why it need not pass on klamm; "" if no list says so."""
        return self.later.get(test) or self.explained.get(test) or self.unfit.get(test) or ""

    def sorted_out(self, target: str, result: Result) -> Result:
        """For the score card: failures that are no loss are shown as skipped, each with its reason."""
        known = {name for name in result.failed if name not in self.required(target)}
        return Result(
            result.passed,
            {name: why for name, why in result.failed.items() if name not in known},
            {**result.skipped, **{name: f"{self.reason(name)} [{result.failed[name]}]" for name in known}},
        )


def merged(first: Result, second: Result) -> Result:
    """Both runs; what the second one ran counts as it went there."""
    again = {*second.passed, *second.failed, *second.skipped}
    return Result(
        [name for name in first.passed if name not in again] + list(second.passed),
        {name: why for name, why in first.failed.items() if name not in again} | dict(second.failed),
        {name: why for name, why in first.skipped.items() if name not in again} | dict(second.skipped),
    )


def held(suite: str, version: str, target: str, lists: Lists, run: Run, wanted: Collection[str] | None = None) -> int:
    """Run the tests and print what is not plainly well, then a line of JSON with the totals. Status 1: a test is lost.

    A test that must pass and did not gets one more try, without the others: clients' own tests have limits of a second
    or two, which a busy machine does not always keep.
    """
    began = time.monotonic()
    required = lists.required(target) if wanted is None else lists.required(target) & set(wanted)
    result = run(wanted)
    reasons = {**result.skipped, **result.failed}
    if again := sorted(required & reasons.keys()):
        for name in again:
            print(f"once more, alone: {name}: {reasons[name]}", flush=True)
        result = merged(result, run(again))
    lost = required - set(result.passed)
    _tell(lists, target, result, lost)
    summary = {
        "suite": suite, "version": version, "target": target, "seconds": round(time.monotonic() - began, 1),
        "passed": len(result.passed), "failed": len(result.failed), "skipped": len(result.skipped),
        "required": len(required), "required_but_not_passed": len(lost),
    }  # fmt: skip
    print(json.dumps(summary))
    sys.stdout.flush()
    return 1 if lost else 0


def _tell(lists: Lists, target: str, result: Result, lost: set[str]) -> None:
    for verdict, reasons in (("failed", result.failed), ("skipped", result.skipped)):
        for name in sorted(reasons.keys() - lost):
            known = lists.reason(name)
            print(f"{verdict:8} {name}: {f'{known} [{reasons[name]}]' if known else reasons[name]}")
    for name in sorted(set(result.passed) - lists.required(target) - lists.unfit.keys()):
        print(f"passes now, belongs into tests.allow: {name}")
    reasons = {**result.skipped, **result.failed}
    for name in sorted(lost):
        print(f"MUST PASS {name}: {reasons.get(name, 'did not run')}")

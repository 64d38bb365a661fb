"""Scripts of ours that a client runs against a broker: the same steps on every target, each with a known outcome.

A step is named and has an outcome, text or JSON, in which nothing differs from run to run. `outcomes.json` of a
client's folder holds what came of each step on real Kafka 4.3.1; a step passes where the same comes of it. So a script
needs no expectations of its own, and cannot have wrong ones.

    python -m compat.scripted [SCRIPT ...] --target klamm|kafka|HOST:PORT    # compare
    python -m compat.scripted SCRIPT --target kafka --record                 # write down what real Kafka does
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compat.allow_list import Lists, held
from compat.external import ExternalTarget
from compat.kafka_jars import ROOT
from compat.scenario import free_name
from compat.suites import Result, Suite
from compat.targets import KafkaTarget, KlammTarget, Target

Outcomes = dict[str, Any]
_HERE = Path(__file__).resolve().parent
_KINDS: Mapping[str, type[KlammTarget] | type[KafkaTarget]] = {"klamm": KlammTarget, "kafka": KafkaTarget}
SCRIPT_TIMEOUT_S = 420.0


class Script(NamedTuple):
    """`run(bootstrap, name)` goes through all steps; `name` is a prefix for topics and groups that nobody else uses."""

    name: str
    version: str
    folder: Path
    run: Callable[[str, str], Outcomes]
    needs: Sequence[str] = ()

    def recorded(self) -> Outcomes:
        """The outcomes on real Kafka by step; none before the first `--record`."""
        file = self._file()
        found: Outcomes = json.loads(file.read_text()).get(self.name, {}) if file.exists() else {}
        return found

    def record(self, outcomes: Outcomes) -> None:
        file = self._file()
        known = json.loads(file.read_text()) if file.exists() else {}
        known[self.name] = outcomes
        file.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n")

    def _file(self) -> Path:
        return self.folder / "outcomes.json"

    def lists(self) -> Lists:
        """Every recorded step must pass, save those on the folder's other lists (as `script::step`)."""
        lists = Lists.of(self.folder)
        steps = {self.test(step) for step in self.recorded()}
        others = {
            kind: {name: why for name, why in getattr(lists, kind).items() if name in steps}
            for kind in ("later", "explained", "unfit")
        }
        listed = {name for names in others.values() for name in names}
        return lists._replace(allow=dict.fromkeys(sorted(steps - listed), ""), **others)

    def test(self, step: str) -> str:
        return f"{self.name}::{step}"

    def compare(self, bootstrap: str) -> Result:
        """Run it; a step passes if its outcome is the recorded one."""
        recorded = self.recorded()
        try:
            # As JSON has it: no tuples, and keys that are texts.
            seen = json.loads(json.dumps(self.run(bootstrap, free_name(self.name.replace("_", "-")))))
        except (StepsFailed, subprocess.TimeoutExpired) as error:
            why = str(error).strip().splitlines()[-1][:300]
            return Result([], {self.test(step): f"the script ended badly: {why}" for step in recorded})
        failed = {
            self.test(step): f"Kafka: {_short(expected)}; here: {_short(seen.get(step, 'no outcome'))}"
            for step, expected in recorded.items()
            if seen.get(step, _NOTHING) != expected
        }
        failed |= {self.test(step): "not recorded on real Kafka" for step in seen if step not in recorded}
        return Result([self.test(step) for step in seen if self.test(step) not in failed], failed)

    def suite(self) -> Suite:
        """As a suite of the kit; steps that need not be equal are shown as skipped when they differ.

        A script that needs a capability to come for every step is not run on klamm: it would wait until it gives up.
        """

        def run(target: Target) -> Result:
            lists = self.lists()
            if target.name == "klamm" and not lists.allow and lists.later.keys() == {*map(self.test, self.recorded())}:
                return Result([], {}, {test: f"{why} [not run]" for test, why in lists.later.items()})
            return lists.sorted_out(target.name, self.compare(target.bootstrap))

        return Suite(self.name, self.version, run, needs=self.needs)


_NOTHING = object()


def _short(outcome: object) -> str:
    text = outcome if isinstance(outcome, str) else json.dumps(outcome, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]}..."


class StepsFailed(RuntimeError):
    """A script ended badly: what it said."""


def steps_of(command: Sequence[str], *, directory: Path | None = None, timeout_s: float = SCRIPT_TIMEOUT_S) -> Outcomes:
    """Run a program that prints a line {"step", "outcome"} for each step. StepsFailed unless it ends with status 0."""
    done = subprocess.run(
        command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode != 0:
        raise StepsFailed(f"{command[0]} ended with status {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')]
    return {line["step"]: line["outcome"] for line in lines}


def module_steps(module: str, bootstrap: str, name: str) -> Outcomes:
    """Run `python -m module`, from the root of the repository: a client's threads and warnings stay out of ours."""
    return steps_of([sys.executable, "-m", module, bootstrap, name], directory=ROOT)


def tell(outcomes: Outcomes) -> None:
    """Print what `steps_of` reads."""
    for step, outcome in outcomes.items():
        print(json.dumps({"step": step, "outcome": outcome}))


def all_scripts() -> dict[str, Script]:
    """The scripts of all folders, by name: `SCRIPTS` in `<folder>/suite.py`."""
    modules = [importlib.import_module(f"compat.{path.parent.name}.suite") for path in sorted(_HERE.glob("*/suite.py"))]
    return {script.name: script for module in modules for script in getattr(module, "SCRIPTS", ())}


def check(script: Script, target: Target) -> int:
    """Compare and print, with one more run for steps that differ. Status 1: a step that must be equal is not."""

    def run(names: Collection[str] | None) -> Result:
        result = script.compare(target.bootstrap)
        if names is None:
            return result
        return Result(
            [name for name in result.passed if name in names],
            {name: why for name, why in result.failed.items() if name in names},
        )

    return held(script.name, script.version, target.name, script.lists(), run)


def main() -> int:
    scripts = all_scripts()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help=f"all, or some of {', '.join(scripts)}")
    parser.add_argument("--target", default="klamm", help="klamm, kafka, or HOST:PORT")
    parser.add_argument("--record", action="store_true", help="write the outcomes down as real Kafka's")
    options = parser.parse_args()
    if options.record and options.target != "kafka":
        parser.error("only real Kafka's outcomes are recorded")
    if unknown := [name for name in options.scripts if name not in scripts]:
        parser.error(f"no such script: {', '.join(unknown)}")
    kind = _KINDS.get(options.target)
    status = 0
    with kind() if kind is not None else ExternalTarget(options.target) as target:
        for name in options.scripts or scripts:
            script = scripts[name]
            began = time.monotonic()
            if options.record:
                script.record(script.run(target.bootstrap, free_name(name.replace("_", "-"))))
                print(f"{name}: recorded in {time.monotonic() - began:.1f} s")
            else:
                status |= check(script, target)
    return status


if __name__ == "__main__":
    sys.exit(main())

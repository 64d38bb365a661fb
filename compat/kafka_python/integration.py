"""Run kafka-python's own integration tests against a target, and hold the result to two lists.

`python -m compat.kafka_python.integration --target klamm|kafka [--json FILE] [-- pytest arguments]`
`tests.allow` names the tests that must pass; `tests.later` those that need a capability klamm does not have yet, with
the reason. Real Kafka must pass both lists: that calibrates the run. The tests come from PyPI, never from this tree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from compat.kafka_jars import ROOT, cache_dir, cache_lock

VERSION = "3.0.12"
KAFKA_VERSION = "4.3.1"
HERE = Path(__file__).resolve().parent
TIMEOUT_S = 540


def sdist() -> Path:
    """The unpacked source distribution, downloaded on first use."""
    name = f"kafka_python-{VERSION}"
    place = cache_dir() / name
    with cache_lock(name):
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=cache_dir()) as beside:
                pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "kafka-python"]
                subprocess.run([*pip, "-d", beside, f"kafka-python=={VERSION}"], check=True)
                with tarfile.open(Path(beside) / f"{name}.tar.gz") as archive:
                    archive.extractall(beside, filter="data")
                (Path(beside) / name).rename(place)
    return place


def read_list(name: str) -> dict[str, str]:
    """Test names of a list file with their reasons: `name` or `name  # reason` a line."""
    tests: dict[str, str] = {}
    for line in (HERE / name).read_text().splitlines():
        test, _, reason = line.partition("#")
        if test.strip():
            tests[test.strip()] = reason.strip()
    return tests


def run(target: str, arguments: list[str], tests: Iterable[str] = ("",)) -> dict[str, dict[str, str]]:
    """Outcome ("passed", "failed", "skipped") and reason of each test; the tests' kafka is the distribution's."""
    source = sdist()
    paths = [str(source / "test" / "integration" / test) for test in tests]
    with tempfile.TemporaryDirectory(prefix="compat-kafka-python-") as folder:
        outcomes = Path(folder) / "outcomes.json"
        command = [
            sys.executable, "-m", "pytest", "-p", "compat.kafka_python.external_broker", "-p", "no:klamm",
            "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(source), "--target", target,
            "--sdist", str(source), "--outcomes", str(outcomes), "--timeout", "120", "-q", "--tb=short",
            "--show-capture=no", *arguments, *paths,
        ]  # fmt: skip
        environment = os.environ | {"KAFKA_VERSION": KAFKA_VERSION, "PYTHONPATH": f"{source}{os.pathsep}{ROOT}"}
        environment.pop("KAFKA_URI", None)
        subprocess.run(command, cwd=folder, env=environment, timeout=TIMEOUT_S, check=False)
        if not outcomes.exists():
            raise SystemExit("pytest ended without outcomes")
        found: dict[str, dict[str, str]] = json.loads(outcomes.read_text())
        return found


def _lost(required: Iterable[str], outcomes: dict[str, dict[str, str]], selected: bool) -> set[str]:
    """What must pass and did not; with a selection of tests, those that did not run do not count."""
    passed = {name for name, found in outcomes.items() if found["outcome"] == "passed"}
    return {name for name in required if name not in passed and (name in outcomes or not selected)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["klamm", "kafka"], default="klamm")
    parser.add_argument("--json", type=Path, help="write the outcomes and totals here")
    parser.add_argument("pytest", nargs="*", help="for pytest, after --; then a test that did not run is no failure")
    options = parser.parse_args()
    started = time.monotonic()
    outcomes = run(options.target, options.pytest)
    allowed, later = read_list("tests.allow"), read_list("tests.later")
    required = allowed | later if options.target == "kafka" else allowed
    lost = _lost(required, outcomes, bool(options.pytest))
    if again := sorted(lost & outcomes.keys()):
        # These tests have limits of a second or two of their own, which a busy machine does not always keep.
        for name in again:
            print(f"once more, alone: {name}: {outcomes[name]['reason']}")
        outcomes |= run(options.target, options.pytest, again)
        lost = _lost(required, outcomes, bool(options.pytest))
    passed = {name for name, found in outcomes.items() if found["outcome"] == "passed"}
    for name in sorted(outcomes.keys() - passed - lost):
        reason = later.get(name) or outcomes[name]["reason"]
        print(f"{outcomes[name]['outcome']:8} {name}: {reason}")
    for name in sorted(passed - allowed.keys() - (later.keys() if options.target == "kafka" else set())):
        print(f"passes now, belongs into tests.allow: {name}")
    for name in sorted(lost):
        print(f"MUST PASS {name}: {outcomes.get(name, {'reason': 'did not run'})['reason']}")
    totals = Counter(found["outcome"] for found in outcomes.values())
    summary = {"target": options.target, "kafka_python": VERSION, "seconds": round(time.monotonic() - started, 1)}
    summary |= {"passed": len(passed), "failed": totals["failed"], "skipped": totals["skipped"]}
    summary |= {"required": len(required), "required_but_not_passed": len(lost)}
    print(json.dumps(summary))
    if options.json:
        options.json.write_text(json.dumps(summary | {"outcomes": outcomes}, indent=1))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())

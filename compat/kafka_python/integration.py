"""Run kafka-python's own integration tests against a target, and hold the result to the lists of this folder.

`python -m compat.kafka_python.integration --target klamm|kafka [-- pytest arguments]`
The tests come from PyPI, never from this tree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from compat.allow_list import Lists, held
from compat.kafka_jars import ROOT, cache_dir, cache_lock
from compat.suites import Result

VERSION = "3.0.12"
KAFKA_VERSION = "4.3.1"
HERE = Path(__file__).resolve().parent
LISTS = Lists.of(HERE)
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


def run(target: str, arguments: Sequence[str] = (), tests: Collection[str] | None = None) -> Result:
    """How the named tests went, None: all; the tests' kafka is the distribution's."""
    source = sdist()
    paths = [str(source / "test" / "integration" / test) for test in (("",) if tests is None else tests)]
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
    reasons: dict[str, dict[str, str]] = {"passed": {}, "failed": {}, "skipped": {}}
    for name, told in found.items():
        reasons[told["outcome"]][name] = told["reason"]
    return Result(list(reasons["passed"]), reasons["failed"], reasons["skipped"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=["klamm", "kafka"], default="klamm")
    parser.add_argument("pytest", nargs="*", help="for pytest, after --; then a test that did not run is no failure")
    options = parser.parse_args()
    # With a selection of tests, only those that it ran count.
    first = run(options.target, options.pytest) if options.pytest else None
    wanted = None if first is None else {*first.passed, *first.failed, *first.skipped}

    def some(names: Collection[str] | None) -> Result:
        return first if first is not None and names is wanted else run(options.target, options.pytest, names)

    return held("kafka_python_integration", VERSION, options.target, LISTS, some, wanted)


if __name__ == "__main__":
    sys.exit(main())

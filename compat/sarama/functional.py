"""Sarama's own functional tests against a cluster of five brokers behind toxiproxy, held to the lists of this folder.

`python -m compat.sarama.functional --target klamm|kafka [--short] [--run REGEX] [--log FILE]`
The tests and toxiproxy come from the Go module proxy, never from this tree, and run unchanged. They want brokers at
127.0.0.1:29091 to 29095 and a program `docker` that stops and starts one: `surroundings.py` stands in for both.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from compat.allow_list import Lists, held
from compat.drive.build import go_test_binary, go_tool
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster
from compat.sarama.surroundings import CLUSTERS, Surroundings
from compat.suites import Result

VERSION = "1.61.1"
KAFKA_VERSION = "4.3.1"
TOXIPROXY = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0"
HERE = Path(__file__).resolve().parent
LISTS = Lists.of(HERE)
TIMEOUT_S = 1500
_VERDICT = re.compile(r"^--- (PASS|FAIL|SKIP): (\w+) \(")
_BEGUN = re.compile(r"^=== (?:RUN|CONT)   ?(\w+)$")
SLOW = "slow"
"""What stands behind `#` in tests.allow for a test of more than two seconds."""


def results(output: str) -> Result:
    """What `go test -v` printed, by top-level test; one that was begun and has no end has failed."""
    passed: list[str] = []
    failed: dict[str, str] = {}
    skipped: dict[str, str] = {}
    running: list[str] = []
    said: list[str] = []
    for line in output.splitlines():
        if begun := _BEGUN.match(line):
            running, said = [*running, begun[1]], []
        elif found := _VERDICT.match(line):
            verdict, name = found.groups()
            running = [one for one in running if one != name]
            if verdict == "PASS":
                passed.append(name)
            else:
                (failed if verdict == "FAIL" else skipped)[name] = _why(said)
        else:
            said.append(line)
    return Result(passed, failed | {name: f"no end: {_why(said)}" for name in running}, skipped)


def _why(said: list[str]) -> str:
    """The reason in what a test said last: testify's error and the line below it, or what has a line number."""
    lines = [line.strip() for line in said]
    for number in reversed(range(len(lines))):
        if lines[number].startswith(("Error:", "panic:")):
            return " ".join(" ".join(lines[number : number + 2]).split())[:200]
        if ".go:" in lines[number] and not lines[number].startswith(("Error Trace:", "/")):
            return lines[number][:200]
    return lines[-1][:200] if lines else ""


def run(cluster: KlammCluster | KafkaCluster, pattern: str, log: Path) -> Result:
    """The tests whose names match, on a cluster of their own."""
    tests = go_test_binary(HERE, "github.com/IBM/sarama", "functional")
    with tempfile.TemporaryDirectory(prefix="compat-sarama-") as folder, cluster:
        with Surroundings(cluster, go_tool(TOXIPROXY), Path(folder)) as around:
            environment = os.environ | around.environment | {"KAFKA_VERSION": KAFKA_VERSION}
            with open(log, "ab") as output:
                start = output.tell()
                subprocess.run(
                    [str(tests), "-test.v", f"-test.run={pattern}", f"-test.timeout={TIMEOUT_S}s"],
                    cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    timeout=TIMEOUT_S + 60, check=False,
                )  # fmt: skip
        return results(log.read_bytes()[start:].decode(errors="replace"))


def chosen(names: Collection[str]) -> str:
    """The pattern of exactly these tests."""
    return f"^({'|'.join(sorted(names))})$"


def check(target: str, names: Collection[str], log: Path) -> int:
    """Run the named tests and hold them to the lists; the status."""
    return held(
        "sarama", VERSION, target, LISTS,
        lambda some: run(CLUSTERS[target](), chosen(names if some is None else some), log), names,
    )  # fmt: skip


def short() -> set[str]:
    """The tests that must pass and take less than two seconds each."""
    return {name for name, reason in LISTS.allow.items() if reason != SLOW}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=sorted(CLUSTERS), default="klamm")
    parser.add_argument("--short", action="store_true", help="only what must pass and is quick")
    parser.add_argument("--run", default="", metavar="REGEX", help="only tests that match")
    parser.add_argument("--log", type=Path, help="what the tests say goes here too")
    options = parser.parse_args()
    names = short() if options.short else {name for names in LISTS for name in names}
    with tempfile.TemporaryDirectory(prefix="compat-sarama-log-") as folder:
        log = options.log or Path(folder) / "sarama.log"
        return check(options.target, {name for name in names if re.search(options.run, name)}, log)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m compat.bench`: klamm and Kafka 4.3.1 side by side, round by round, and the ratios of their medians.

Both run at the same time and take turns, A B, then B A, so that a slow moment of the machine meets both. Nothing counts
before Kafka's JVM is warm.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import klamm
from compat.bench import cluster, plot, report
from compat.bench.cluster_ready import ClusterReady
from compat.bench.connections import Connections, ManyConnections
from compat.bench.fetch import Fetch, FetchSealed, Read1, Read100
from compat.bench.java_perf import JavaConsume, JavaLz4, JavaProduce, JavaTuned
from compat.bench.latency import BesideLarge, EndToEnd, Rate, Rates
from compat.bench.librdkafka import LibrdkafkaConsume, LibrdkafkaProduce
from compat.bench.loaded_memory import LoadedMemory
from compat.bench.log_scale import ManyPartitions, Recovery
from compat.bench.measure import load_average
from compat.bench.metadata import Metadata
from compat.bench.produce import (
    Append1,
    Append100,
    Produce1m,
    Produce16k,
    SyncedProduce,
    SyncedProduce32,
    TinyPipelined,
    TinyProduce,
)
from compat.bench.rebalance import Rebalance
from compat.bench.side import FRESH, Side, loadgen
from compat.bench.sizes import FetchSizes, ProduceSizes
from compat.bench.startup import Startup
from compat.bench.subject import FULL, SHORT, WARM, Length, Subject

SUBJECTS: tuple[Subject, ...] = (
    ClusterReady(), Startup(), TinyProduce(), TinyPipelined(), Produce16k(), Produce1m(), Fetch(), FetchSealed(),
    Rate(), BesideLarge(), EndToEnd(), JavaProduce(), JavaTuned(), JavaLz4(), JavaConsume(), LibrdkafkaProduce(),
    LibrdkafkaConsume(), LoadedMemory(), Connections(), ManyConnections(), Rates(), Rebalance(), ProduceSizes(),
    FetchSizes(), Metadata(),
)  # fmt: skip
LOG_SUBJECTS: tuple[Subject, ...] = (
    Append1(), Append100(), SyncedProduce(), SyncedProduce32(), Read1(), Read100(), Recovery(), ManyPartitions(),
)  # fmt: skip
# These bring Kafka's compiler through the paths that are measured.
WARMERS: tuple[Subject, ...] = (
    TinyProduce(), TinyPipelined(), Produce16k(), Produce1m(), Fetch(), Rate(), EndToEnd(), JavaTuned(), Connections()
)  # fmt: skip
WARM_ROUNDS = 3

Samples = dict[str, dict[str, list[float]]]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m compat.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help="rounds of every subject (default: 5; with --short: 3)")
    parser.add_argument("--short", action="store_true", help="a look, not a measurement: 1 second each, less warming")
    parser.add_argument("--cluster", action="store_true", help="clusters of three nodes, in place of the usual table")
    parser.add_argument("--side", choices=cluster.SIDES, help="with --cluster: this one alone")
    parser.add_argument("--log", action="store_true", help="what logs cost as they grow, in place of the usual table")
    names = ",".join(subject.name for subject in SUBJECTS + LOG_SUBJECTS)
    parser.add_argument("--only", metavar="NAMES", help=f"of {names}")
    parser.add_argument(
        "--json", metavar="FILE", type=Path, help="write the figures there, too, and a plot of them beside it (.svg)"
    )
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.short else 5)
    options.length = SHORT if options.short else FULL
    if options.cluster:
        options.subjects = options.only.split(",") if options.only else list(cluster.NAMES)
        if unknown := set(options.subjects) - set(cluster.NAMES):
            parser.error(f"no subject is called {', '.join(sorted(unknown))}; known are {', '.join(cluster.NAMES)}")
        return options
    subjects = {subject.name: subject for subject in SUBJECTS + LOG_SUBJECTS}
    usual = LOG_SUBJECTS if options.log else SUBJECTS
    wanted = options.only.split(",") if options.only else [subject.name for subject in usual]
    unknown = set(wanted) - set(subjects)
    if unknown:
        parser.error(f"no subject is called {', '.join(sorted(unknown))}")
    options.subjects = [subject for name, subject in subjects.items() if name in wanted]
    return options


def warm(sides: Sequence[Side], subjects: Sequence[Subject], rounds: int, length: Length) -> None:
    """Put the load on Kafka until its JVM has compiled; klamm gets the same, for its memory's sake."""
    names = {subject.name for subject in subjects} - {"cluster", "startup", "metadata", "recovery", "partitions"}
    for subject in WARMERS if names else ():
        note(f"warming: {subject.name}")
        for side in sides:
            subject.prepare(side, length)
            for _ in range(rounds):
                subject.measure(side, length)
            subject.clean(side)


def run(subject: Subject, sides: Sequence[Side], rounds: int, length: Length, samples: Samples) -> None:
    """All rounds of one subject; the sides take turns in being first."""
    for side in sides:
        subject.prepare(side, length)
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            for key, value in subject.measure(side, length).items():
                samples.setdefault(key, {}).setdefault(side.name, []).append(value)
    for side in sides:
        subject.clean(side)


def note(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} load {load_average():.1f}  {what}", file=sys.stderr, flush=True)


def bench(options: argparse.Namespace) -> dict[str, Any]:
    """Everything that was asked for; the report."""
    samples: Samples = {}
    loads: dict[str, tuple[float, float]] = {}
    failed: dict[str, str] = {}
    began = time.strftime("%Y-%m-%d %H:%M:%S")
    compileall.compile_dir(str(Path(klamm.__file__).parent), quiet=1)  # as pip does when it installs
    program = loadgen()
    if options.cluster:
        sides_wanted = (options.side,) if options.side else cluster.SIDES
        samples, failed = cluster.bench(
            options.subjects, options.rounds, options.length, program, run, note, sides_wanted
        )
        return _report(options, began, loads, failed, samples)
    with ExitStack() as running:
        sides = []
        for make in FRESH.values():
            target = make()
            running.callback(target.remove)
            target.start()
            sides.append(Side(target, program))
        warm(sides, options.subjects, 1 if options.short else WARM_ROUNDS, SHORT if options.short else WARM)
        for subject in options.subjects:
            note(subject.name)
            before = load_average()
            try:
                run(subject, sides, options.rounds, options.length, samples)
            except Exception as error:  # The figures of the others are worth having.
                traceback.print_exc()
                failed[subject.name] = str(error)
            loads[subject.name] = before, load_average()
    return _report(options, began, loads, failed, samples)


def _report(options: argparse.Namespace, began: str, loads: dict[str, tuple[float, float]], failed: dict[str, str],
            samples: Samples) -> dict[str, Any]:  # fmt: skip
    return {
        "began": began,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()},
        "rounds": options.rounds,
        "seconds": options.length.seconds,
        "load_average_before_and_after": loads,
        "failed": failed,
        "rows": report.rows(samples),
        "samples": samples,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the brokers end with us
    found = bench(options)
    print(report.table(found["rows"]))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
        options.json.with_suffix(".svg").write_text(plot.svg(found["rows"]))
    missed = [one["label"] for one in found["rows"] if one["reaches_goal"] is False or one["within_limit"] is False]
    if missed:
        print(f"\nbelow the realistic goal: {'; '.join(missed)}", file=sys.stderr)
    if found["failed"]:
        print(f"failed: {'; '.join(found['failed'])}", file=sys.stderr)
    return 1 if found["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())

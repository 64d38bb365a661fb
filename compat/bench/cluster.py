"""`python -m compat.bench --cluster`: clusters of three nodes of klamm and of Kafka 4.3.1.

Replicated writes and failovers are measured with both clusters running, in turns; the growth with partitions one after
the other, since 30,000 replicas of one side would be in the figures of the other.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from compat.bench.cluster_scale import scale
from compat.bench.cluster_side import ClusterSide, fresh_cluster
from compat.bench.failover import ControllerKilled, ControllerStopped, LeaderKilled, LeaderStopped
from compat.bench.goals import CLUSTER_SIZES
from compat.bench.replicated import ReplicatedJava, ReplicatedLibrdkafka, ReplicatedRate
from compat.bench.subject import SHORT, WARM, Length, Subject

SIDES = ("klamm", "kafka")
SUBJECTS: tuple[Subject, ...] = (
    ReplicatedJava(), ReplicatedLibrdkafka(), ReplicatedRate(),
    LeaderKilled(), LeaderStopped(), ControllerKilled(), ControllerStopped(),
)  # fmt: skip
WARMERS: tuple[Subject, ...] = (ReplicatedJava(), ReplicatedLibrdkafka(), ReplicatedRate())
WARM_ROUNDS = 2
SCALES = tuple(f"cluster-{size}" for size in CLUSTER_SIZES)
NAMES = (*(subject.name for subject in SUBJECTS), *SCALES)

Samples = dict[str, dict[str, list[float]]]
Run = Callable[[Subject, Sequence[ClusterSide], int, Length, Samples], None]


def bench(wanted: Sequence[str], rounds: int, length: Length, loadgen: Path, run: Run, note: Callable[[str], None],
          sides: Sequence[str] = SIDES) -> tuple[Samples, dict[str, str]]:  # fmt: skip
    """Metric key -> side -> samples, and what failed, by name. The sides take turns."""
    samples: Samples = {}
    failed: dict[str, str] = {}
    subjects = [subject for subject in SUBJECTS if subject.name in wanted]
    if subjects:
        with ExitStack() as running:
            started = []
            for name in sides:
                cluster = fresh_cluster(name)
                running.callback(cluster.remove)
                cluster.start()
                started.append(ClusterSide(cluster, loadgen))
            _warm(started, SHORT if length is SHORT else WARM, note)
            for subject in subjects:
                note(subject.name)
                try:
                    run(subject, started, rounds, length, samples)
                except Exception as error:  # The figures of the others are worth having.
                    traceback.print_exc()
                    failed[subject.name] = str(error)
    for size, scale_name in zip(CLUSTER_SIZES, SCALES, strict=True):
        for name in sides if scale_name in wanted else ():
            note(f"{scale_name} {name}")
            try:
                for key, value in scale(name, size, loadgen).items():
                    samples.setdefault(key, {}).setdefault(name, []).append(value)
            except Exception as error:
                traceback.print_exc()
                failed[f"{scale_name} {name}"] = str(error)
    return samples, failed


def _warm(sides: Sequence[ClusterSide], length: Length, note: Callable[[str], Any]) -> None:
    for subject in WARMERS:
        note(f"warming: {subject.name}")
        for side in sides:
            subject.prepare(side, length)
            for _ in range(WARM_ROUNDS):
                subject.measure(side, length)
            subject.clean(side)
    time.sleep(1)

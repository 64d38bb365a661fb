"""A broker on a volume for the length of a run; what is left behind goes unless a promise was broken."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from compat.power_cut import recovery_point, synced
from compat.power_cut.synced import PoweredBroker
from compat.power_cut.volume import Volume
from compat.targets import KafkaTarget, KlammTarget


def run_synced(kind: str, directory: Path, rounds: int, *, seed: int, rate: int) -> dict[str, Any]:
    """Cuts while every answer waits for a sync; the totals."""

    def run(broker: PoweredBroker, _: Path) -> dict[str, Any]:
        cutter = synced.PowerCutter(broker, seed=seed, rate=rate)
        cutter.run(rounds)
        return cutter.totals() | {"topics_made": len(cutter.topics.made)}

    return _run(kind, directory, synced.SETTINGS, run)


def run_recovery_point(kind: str, directory: Path, rounds: int, *, seed: int) -> dict[str, Any]:
    """Cuts while syncs run in the background; the totals."""

    def run(broker: PoweredBroker, data_dir: Path) -> dict[str, Any]:
        cutter = recovery_point.Cutter(broker, data_dir, seed=seed)
        cutter.run(rounds)
        return cutter.totals()

    return _run(kind, directory, recovery_point.SETTINGS, run)


def _run(
    kind: str, directory: Path, settings: Mapping[str, str], run: Callable[[PoweredBroker, Path], dict[str, Any]]
) -> dict[str, Any]:
    volume = Volume(directory)
    data_dir = volume.path / "data"
    target: KlammTarget | KafkaTarget
    if kind == "klamm":
        target = KlammTarget(settings, directory=directory / "broker")
        target.data_dir = data_dir
    else:
        target = KafkaTarget({**settings, "log.dirs": str(data_dir)}, directory=directory / "broker")
    try:
        target.start()
        if kind == "kafka":
            # kafka-storage does not sync bootstrap.checkpoint: a cut soon after would leave it empty.
            os.sync()
        result = run(PoweredBroker(target, volume), data_dir)
        target.stop()
    finally:
        target.kill()
        volume.unmount()
    if not result["violations"]:
        volume.remove()
        shutil.rmtree(directory)
    return result

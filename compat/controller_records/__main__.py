"""Ask real Kafka again: `python -m compat.controller_records` writes tests/data/controller_records/ anew."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from compat.controller_records.log_reading import Json
from compat.controller_records.placements import placements
from compat.controller_records.real_nodes import record_nodes
from compat.controller_records.recorder import Recorder
from compat.controller_records.stories import STORIES
from compat.kafka_jars import ROOT

PLACEMENTS = "placements"
NODES = "nodes"
STORY_FOLDER = "stories"
DATA = ROOT / "tests" / "data" / "controller_records"


def record(name: str) -> list[Json]:
    """The steps of a story as real Kafka answers them now."""
    with Recorder(STORIES[name].settings) as recorder:
        STORIES[name].tell(recorder)
        return recorder.steps


def write(path: Path, steps: list[Json]) -> None:
    """One step a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(step, ensure_ascii=False) for step in steps)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "stories", nargs="*", metavar="STORY", help=f"of {', '.join(STORIES)}, {PLACEMENTS}; all, if none is named"
    )
    for name in parser.parse_args().stories or [*STORIES, PLACEMENTS, NODES]:
        if name == PLACEMENTS:
            write(DATA / f"{PLACEMENTS}.json", placements())
            continue
        steps = record_nodes() if name == NODES else record(name)
        write(DATA / f"{NODES}.json" if name == NODES else DATA / STORY_FOLDER / f"{name}.json", steps)
        print(f"{name}: {len(steps)} steps, {sum(len(step['batches']) for step in steps)} batches")


if __name__ == "__main__":
    main()

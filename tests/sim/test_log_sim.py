"""A share of the simulated rounds, and the proof that they can fail: every planted fault is found."""

from __future__ import annotations

import logging
import os
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim.log import LIVES_PER_SEED, Failed, run_rounds, run_seed
from tests.sim.log_plants import PLANTS
from tests.sim.log_world import World

SEED = int(os.environ.get("KLAMM_SIM_SEED", "1000"))
"""Where the share begins. Another one by KLAMM_SIM_SEED."""
SHARES = 5
ROUNDS_PER_SHARE = 60
SEEDS_PER_PLANT = {"retry-a-failed-fsync": 200, "keep-a-torn-batch": 250}
"""A planted fault must be found within so many seeds, 50 if nothing else is said."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("share", range(SHARES))
def test_rounds(share: int) -> None:
    first = SEED + share * ROUNDS_PER_SHARE
    print(f"seeds from {first}")
    counts = run_rounds(ROUNDS_PER_SHARE, first)
    assert counts["rounds"] >= ROUNDS_PER_SHARE
    assert counts["appends"] > 300 and counts["flushes"] > 20


def test_seeds_that_found_something() -> None:
    seeds = tomllib.loads((Path(__file__).parent / "seeds.toml").read_text())["log"]
    for seed in seeds:
        run_seed(seed)


def test_everything_happens() -> None:
    counts: Counter[str] = Counter()
    for seed in range(SEED, SEED + 60):
        counts += run_seed(seed)
    assert counts["rounds"] == 60 * LIVES_PER_SEED
    wanted = ("cuts", "cuts within an operation", "cuts after a clean stop", "clean stops", "kills", "truncations",
              "duplicates", "directories failed", "passes", "fault: space", "fault: fsync", "fault: write")  # fmt: skip
    assert [what for what in wanted if not counts[what]] == []


def test_a_seed_tells_the_same_story_twice() -> None:
    for seed in range(SEED, SEED + 5):
        stories = []
        for _ in range(2):
            world = World(seed)
            world.run(LIVES_PER_SEED)
            entries = {topic: [entry.data for entry in ledger.entries] for topic, ledger in world.ledgers.items()}
            stories.append((world.counts, world.disk.counts, entries))
        assert stories[0] == stories[1]


@pytest.mark.parametrize("plant", PLANTS)
def test_planted_faults_are_found(plant: str) -> None:
    seeds = SEEDS_PER_PLANT.get(plant, 50)
    with PLANTS[plant](), pytest.raises(Failed) as found:
        for seed in range(1, seeds + 1):
            run_seed(seed)
    print(f"{plant}: {found.value}")

"""A share of the simulation of whole nodes: 20 seeds that nobody has seen yet, the kept ones, and every planted bug.

KLAMM_SIM_SEED=N takes fixed seeds. The whole: `python -m tests.sim.nodes --seeds 1000 --from N`.
"""

from __future__ import annotations

import logging
import os
import random
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sim import nodes
from tests.sim.nodes_plants import PLANTS, planted, size_of

KEPT = tomllib.loads(Path(__file__).with_name("seeds.toml").read_text())["nodes"]
PARTS = 5
SHARE = 20

CAUGHT: dict[str, tuple[int, int]] = {
    "skip the fsync": (0, 5),
    "answer before the fsync": (0, 5),
    "skip the fsync of the metadata": (0, 20),
}
"""Bug: the first seed, and within how many it must be found."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def first_of(part: int) -> int:
    if "KLAMM_SIM_SEED" in os.environ:
        return int(os.environ["KLAMM_SIM_SEED"]) + part * SHARE // PARTS
    return random.SystemRandom().randrange(1_000_000_000)


@pytest.mark.parametrize("part", range(PARTS))
def test_fresh_seeds(part: int) -> None:
    first = first_of(part)
    print(f"seeds from {first}")
    found = nodes.failing(range(first, first + SHARE // PARTS))
    assert found is None, (
        f"{found and found[1]}: python -m tests.sim.nodes --seeds 1 --from {found and found[0]} --trace"
    )


@pytest.mark.parametrize("seed", KEPT)
def test_kept_seeds(seed: int) -> None:
    nodes.run(seed)


@pytest.mark.parametrize("name", PLANTS)
def test_every_planted_bug_is_caught(name: str) -> None:
    first, within = CAUGHT[name]
    with planted(name):
        found = nodes.failing(range(first, first + within), size_of(name))
    print(f"{name}: {found}")
    assert found is not None

"""Replication on a heap: `python -m tests.sim.replication --seeds 10000 --from 0` runs so many and prints the time.

Each seed is one partition on 2 to 5 brokers with faults of its own: messages lost, late and repeated, brokers cut off
from each other or from the controller, crashes that lose what was not synced, clean restarts. Checked is what
`replication_world.Checker` says; at the end the faults stop, and if the partition still may have a leader, everybody
must come to have the same log, all of it committed, and be in sync.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterable

from tests.sim.replication_world import CONTROLLER, SimBroker, Violation, World

CHAOS_MS = 6_000
HEALING_MS = 8_000


def _produce(world: World, period_ms: float) -> None:
    for broker in world.brokers.values():
        if broker.is_up and broker.leading is not None:
            world.steps += 1
            broker.produce(world.steps)
    if world.is_chaos:
        world.after(world.random.uniform(0.2, 1.8) * period_ms, _produce, world, period_ms)


def _faults(world: World, period_ms: float) -> None:
    if not world.is_chaos:
        return
    draw = world.random
    broker = draw.choice(list(world.brokers.values()))
    kind = draw.random()
    if kind < 0.55:
        _stop(world, broker)
    else:
        _cut(world, broker)
    world.after(draw.uniform(0.2, 1.8) * period_ms, _faults, world, period_ms)


def _stop(world: World, broker: SimBroker) -> None:
    """Stop a broker; uncleanly only where another one may lead after it, mostly: else there is nothing more to see."""
    draw, now = world.random, world.controller.now
    if not broker.is_up:
        return
    others = {*now.isr, *now.elr} - {broker.node_id}
    is_last = not any(world.brokers[i].is_up and not now.brokers[i].fenced for i in others)
    clean = draw.random() < (0.98 if is_last else 0.3)
    broker.stop(clean=clean)
    world.after(draw.choice((10, 200, 1000, 2500)) * draw.uniform(0.5, 1.5), broker.start)


def _cut(world: World, broker: SimBroker) -> None:
    draw = world.random
    others = [i for i in (CONTROLLER, *world.brokers) if i != broker.node_id]
    cut: set[tuple[int, int]] = set()
    direction = draw.randrange(3)
    for other in draw.sample(others, draw.randint(1, len(others))):
        if direction != 1:
            cut.add((broker.node_id, other))
        if direction != 2:
            cut.add((other, broker.node_id))
    world.cut |= cut
    world.after(draw.choice((100, 600, 1500)), _heal, world, cut)


def _heal(world: World, cut: set[tuple[int, int]]) -> None:
    world.cut -= cut


def run(seed: int) -> World:
    """One history. Raises Violation."""
    world = World(seed)
    draw = world.random
    world.after(50, _produce, world, draw.choice((5, 20, 80)))
    world.after(draw.uniform(200, 1000), _faults, world, draw.choice((150, 400, 1000)))
    world.run_until(CHAOS_MS)
    world.is_chaos = False
    world.cut.clear()
    world.delay_ms = 1
    for broker in world.brokers.values():
        broker.start()
    _must_agree(world)
    return world


def _must_agree(world: World) -> None:
    deadline_ms = world.now_ms + HEALING_MS
    while world.now_ms < deadline_ms:
        world.run_until(world.now_ms + 200)
        now = world.controller.now
        if now.leader < 0:
            continue
        end = world.brokers[now.leader].log.log_end_offset
        logs = [broker.log for broker in world.brokers.values()]
        if set(now.isr) == set(world.brokers) and all(log.high_watermark == end == len(log.entries) for log in logs):
            if any(log.entries != logs[0].entries for log in logs):
                raise Violation("the logs are of one length and not the same")
            if logs[0].entries[: len(world.checker.committed)] != world.checker.committed:
                raise Violation("what was committed has gone")
            return
    if world.controller.now.leader < 0 and not {*world.controller.now.isr, *world.controller.now.elr}:
        return  # all who had it have crashed and may have lost records: nobody may lead any more
    state = ", ".join(
        f"{b.node_id}: {len(b.log.entries)}/{b.log.high_watermark} {'leads' if b.leading else ''}"
        for b in world.brokers.values()
    )
    raise Violation(f"no agreement after the faults: {world.controller.now}; {state}")


def failing(seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed that fails, and how."""
    for seed in seeds:
        try:
            run(seed)
        except Violation as error:
            return seed, str(error)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="simulate replication")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--from", type=int, default=0, dest="first")
    options = parser.parse_args()
    began, failed = time.perf_counter(), 0
    steps = commits = acks = elections = cuts = orphans = 0
    for seed in range(options.first, options.first + options.seeds):
        try:
            world = run(seed)
        except Exception as error:
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {error}")
            if not isinstance(error, Violation):
                traceback.print_exc()
            continue
        checker = world.checker
        steps, commits, acks = steps + world.steps, commits + len(checker.committed), acks + checker.acks
        elections, cuts = elections + checker.elections, cuts + checker.cuts
        orphans += world.controller.now.leader < 0
    took = time.perf_counter() - began
    print(f"{options.seeds} seeds in {took:.1f} s ({options.seeds / took:.0f} a second), {failed} failed")
    print(
        f"{steps} steps, {commits} records committed, {acks} acknowledged, {elections} elections, {cuts} cuts, "
        f"{orphans} without a leader at the end"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The Raft core on a heap: `python -m tests.sim.raft --seeds 10000 --from 0` runs so many and prints the time.

Each seed is a cluster of 1 to 7 nodes with its own faults: lost, late, repeated and overtaking messages, partitions
(full and one-way), crashes that lose what was not synced, slow disks, skewed clocks, voters that come and go,
snapshots, resignations. Everything is checked after every event (`raft_checks.py`); at the end the faults
stop, and the cluster must come to agree. A failing seed is printed, and joins `raft_seeds.toml`.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Iterable

from klamm.kproto.errors import KafkaError
from klamm.metadata.raft import messages as m
from klamm.metadata.raft.core import Propose, RaftError, Resign
from klamm.metadata.raft.exchange import UpgradeKRaftVersion
from klamm.metadata.raft.roles import Role
from klamm.metadata.raft.voters import Voter, VoterEndpoint, VoterSet
from tests.sim.raft_checks import Violation
from tests.sim.raft_world import SimNode, World

CHAOS_MS = 8_000
HEALING_MS = 20_000


def build(seed: int, *, is_traced: bool = False) -> World:
    """The cluster of that seed: static or dynamic voters, and observers."""
    world = World(seed, is_traced=is_traced)
    draw = world.random
    is_dynamic = draw.random() < 0.5
    voter_count = draw.choice((1, 2, 3, 3, 3, 4, 5, 5))
    observer_count = draw.choice((0, 0, 1, 2)) if voter_count < 5 else draw.choice((0, 1, 2))
    ids = list(range(1, voter_count + 1))
    voters = VoterSet.of(
        Voter(i, bytes([i] * 16) if is_dynamic else bytes(16), (VoterEndpoint("CONTROLLER", f"n{i}", 0),)) for i in ids
    )
    for i in range(1, voter_count + observer_count + 1):
        can_become_voter = i <= voter_count or draw.random() < 0.7
        # Who is formatted as an initial voter has the voters in its 0-0 checkpoint; others find them in the log.
        bootstrap = voters if is_dynamic and i <= voter_count else None
        static_voters = VoterSet(()) if is_dynamic else voters
        world.nodes[i] = SimNode(world, i, static_voters, bootstrap, can_become_voter)
        if can_become_voter:
            world.bootstrap.append(i)
    for node in world.nodes.values():
        world.after(draw.uniform(0, 300), _start, node, draw.random() < 0.2)
    return world


def _start(node: SimNode, auto_join: bool) -> None:
    if node.raft is None:
        node.world.trace(node, "starts")
        node.start(auto_join)


# -- what happens to it --


def _propose(world: World, period_ms: float) -> None:
    for node in world.leaders():
        if node.raft is not None and world.random.random() < 0.9:
            count = world.random.randint(1, 3)
            node.step(Propose((world.steps, count), count))  # type: ignore[arg-type]
    world.after(world.random.uniform(0.2, 1.8) * period_ms, _propose, world, period_ms)


def _faults(world: World, period_ms: float) -> None:
    if not world.is_chaos:
        return
    draw = world.random
    kind = draw.random()
    node = draw.choice(list(world.nodes.values()))
    leaders = world.leaders()
    if leaders and draw.random() < 0.5:
        node = draw.choice(leaders)
    if kind < 0.3:
        if node.raft is not None:
            world.trace(node, "crashes")
            node.crash()
            node.address += draw.random() < 0.1
            world.after(draw.choice((1, 100, 1000, 4000)) * draw.uniform(0.5, 1.5), _start, node, draw.random() < 0.2)
    elif kind < 0.55:
        _partition(world, node)
    elif kind < 0.65 and node.raft is not None and node.raft.role is Role.LEADER:
        node.step(Resign())
    elif kind < 0.8:
        node.take_snapshot()
    else:
        _change_voters(world)
    world.after(draw.uniform(0.2, 1.8) * period_ms, _faults, world, period_ms)


def _partition(world: World, node: SimNode) -> None:
    draw = world.random
    others = [i for i in world.nodes if i != node.node_id]
    if not others:
        return
    cut: set[tuple[int, int]] = set()
    side = draw.sample(others, draw.randint(1, len(others)))
    direction = draw.randrange(3)
    for other in side:
        if direction != 1:
            cut.add((node.node_id, other))
        if direction != 2:
            cut.add((other, node.node_id))
    world.cut |= cut
    world.trace(node, f"cut off from {side}, direction {direction}")
    world.after(draw.choice((200, 1500, 4000)), _heal, world, cut)


def _heal(world: World, cut: set[tuple[int, int]]) -> None:
    world.cut -= cut


def _change_voters(world: World) -> None:
    draw = world.random
    leaders = [node for node in world.leaders() if node.raft is not None]
    if not leaders:
        return
    leader = draw.choice(leaders)
    assert leader.raft is not None
    if leader.raft.kraft_version == 0:
        try:
            leader.step(UpgradeKRaftVersion(leader.raft.epoch, 1))
        except KafkaError:
            pass  # not every voter has told its directory id yet
        return
    # Now and then a second one right behind: the leader must keep them apart.
    for _ in range(draw.choice((1, 1, 2))):
        node = draw.choice(list(world.nodes.values()))
        request: m.RaftRequest
        if node.node_id in leader.raft.voters.ids:
            if len(leader.raft.voters.voters) == 1:
                continue
            request = m.RemoveRaftVoterRequest(node.key)
        elif node.can_become_voter:
            request = m.AddRaftVoterRequest(node.key, node.endpoints, draw.random() < 0.5)
        else:
            continue
        if leader.raft is not None:
            leader.receive(None, 0, 0, request)


# -- a run --


def run(seed: int, *, is_traced: bool = False) -> World:
    """One history. Raises Violation, RaftError."""
    world = build(seed, is_traced=is_traced)
    draw = world.random
    world.after(500, _propose, world, draw.choice((50, 150, 400)))
    world.after(draw.uniform(1000, 3000), _faults, world, draw.choice((100, 300, 900)))
    world.run_until(CHAOS_MS)
    world.is_chaos = False
    world.cut.clear()
    for node in world.nodes.values():
        if node.raft is None:
            _start(node, False)
    _must_agree(world)
    return world


def _must_agree(world: World) -> None:
    """Without faults, one leader commits a record of now, and every replica comes to know that."""
    deadline_ms = world.now_ms + HEALING_MS
    goal = 0
    while world.now_ms < deadline_ms:
        world.run_until(world.now_ms + 300)
        leaders = world.leaders()
        if len(leaders) != 1 or leaders[0].raft is None:
            continue
        if leaders[0].raft.high_watermark <= leaders[0].raft.leader().epoch_start_offset:
            continue
        goal = goal or leaders[0].log_end
        if all(node.committed_end >= goal for node in world.nodes.values()):
            return
    states = ", ".join(f"{n.node_id}: {n.raft and n.raft.state_name} {n.committed_end}" for n in world.nodes.values())
    raise Violation(f"no agreement {HEALING_MS / 1000:.0f} s after the faults: {states}; goal {goal}")


def failing(seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed that fails, and how."""
    for seed in seeds:
        try:
            run(seed)
        except (Violation, RaftError) as error:
            return seed, f"{type(error).__name__}: {error}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="simulate the Raft core")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--trace", action="store_true", help="print every change of role")
    options = parser.parse_args()
    began, steps, commits, epochs, failed = time.perf_counter(), 0, 0, 0, 0
    for seed in range(options.first, options.first + options.seeds):
        try:
            world = run(seed, is_traced=options.trace)
        except Exception as error:
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {error}")
            if options.trace or not isinstance(error, Violation):
                traceback.print_exc()
            continue
        steps, commits = steps + world.steps, commits + world.checker.commits
        epochs += len(world.checker.leaders)
    took = time.perf_counter() - began
    rate = options.seeds / took
    print(f"{options.seeds} seeds in {took:.1f} s ({rate:.0f} a second), {failed} failed")
    print(f"{steps} steps, {commits} commits, {epochs} epochs with a leader")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

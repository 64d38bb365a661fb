"""The supervisor with nodes that are none: starts, deaths, signals, lines, and the ready file's contents."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from klamm.cli import rolling_restart, supervisor
from klamm.cli.cluster_directories import ClusterNode
from klamm.cli.rolling_restart import View
from klamm.cli.supervisor import Supervisor
from klamm.server.config.local_cluster import LocalNode

FAKE = str(Path(__file__).with_name("fake_node.py"))


class Cluster:
    """A supervisor with what it has told."""

    def __init__(self, directory: Path, habits: tuple[str, ...], *, apart: bool = False, **more: Any) -> None:
        nodes = []
        for number, _ in enumerate(habits, 1):
            is_controller = not apart or number > 2
            (directory / f"node-{number}").mkdir()
            node = LocalNode(number, "h", 0 if apart and is_controller else number, 9 * is_controller)
            nodes.append(ClusterNode(node, str(directory / f"node-{number}")))
        self.output = io.StringIO()
        self.told: list[Mapping[str, Any]] = []
        self.supervisor = Supervisor(
            nodes,
            lambda one, ready, pipe: [sys.executable, FAKE, ready, str(pipe), habits[one.node.node_id - 1]],
            tell=self.told.append,
            output=self.output,
            **more,
        )
        self.running = asyncio.ensure_future(self.supervisor.run())

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                assert not self.running.done(), self.lines
                await asyncio.sleep(0.005)

    def pid(self, number: int) -> int:
        process = self.supervisor.children[number - 1].process
        assert process is not None
        return process.pid

    @property
    def lines(self) -> list[str]:
        return self.output.getvalue().splitlines()


async def test_nodes_start_and_stop_together(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", "", ""))
    await cluster.until(lambda: cluster.told)
    (ready,) = cluster.told
    assert ready["bootstrap_servers"] == "h:1,h:2,h:3"
    assert [(row["id"], row["pid"], row["roles"]) for row in ready["nodes"]] == [
        (number, cluster.pid(number), ["broker", "controller"]) for number in (1, 2, 3)
    ]
    os.kill(os.getpid(), signal.SIGTERM)
    assert await cluster.running == 0
    assert sorted(cluster.lines) == sorted(
        f"node-{n} | {said}" for n in (1, 2, 3) for said in ("begins", "got SIGTERM")
    )


async def test_a_dead_node_stays_dead(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", ""))
    await cluster.until(lambda: cluster.told)
    os.kill(cluster.pid(2), signal.SIGKILL)
    await cluster.until(lambda: len(cluster.told) == 2)
    assert [row["pid"] for row in cluster.told[1]["nodes"]] == [cluster.pid(1), None]
    assert "klamm: node-2 ended with SIGKILL" in cluster.lines
    os.kill(cluster.pid(1), signal.SIGKILL)
    assert await cluster.running == 1
    assert cluster.lines[-1] == "klamm: all nodes have ended"


async def test_a_dead_node_is_started_again_if_that_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RESTART_DELAY_S", 0.01)
    cluster = Cluster(tmp_path, ("", ""), restart=True)
    await cluster.until(lambda: cluster.told)
    for death in (1, 2):
        pid = cluster.pid(2)
        os.kill(pid, signal.SIGKILL)
        await cluster.until(lambda death=death: len(cluster.told) == 1 + 2 * death)
        assert [row["pid"] for row in cluster.told[-1]["nodes"]] == [cluster.pid(1), cluster.pid(2)]
        assert cluster.pid(2) != pid
        assert cluster.supervisor.children[1].restart_delay_s == 0.01 * 2**death, "it never lived long"
    cluster.supervisor.stop()
    assert await cluster.running == 0


async def test_a_node_that_cannot_start_ends_all(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", "die", ""), restart=True)
    assert await cluster.running == 1
    assert cluster.told == []
    assert "klamm: node-2 ended with status 3 before it served" in cluster.lines


async def test_the_second_interrupt_kills(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("deaf", ""))
    await cluster.until(lambda: cluster.told)
    os.kill(os.getpid(), signal.SIGINT)
    await cluster.until(lambda: {"node-1 | got SIGTERM", "node-2 | got SIGTERM"} <= set(cluster.lines))
    os.kill(os.getpid(), signal.SIGINT)
    assert await cluster.running == 1
    assert "klamm: node-1 ended with SIGKILL" in cluster.lines


async def test_stop_during_start(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", "never"))
    await cluster.until(lambda: len(cluster.lines) == 2)
    cluster.supervisor.stop()
    assert await cluster.running == 0
    assert cluster.told == []


async def test_controllers_stop_after_the_brokers(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", "", ""), apart=True)
    await cluster.until(lambda: cluster.told)
    assert [row["roles"] for row in cluster.told[0]["nodes"]] == [["broker"], ["broker"], ["controller"]]
    assert cluster.told[0]["bootstrap_servers"] == "h:1,h:2"
    cluster.supervisor.stop()
    assert await cluster.running == 0
    assert cluster.lines[-1] == "node-3 | got SIGTERM"


async def test_a_stopped_node_hears_of_the_end(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", ""))
    await cluster.until(lambda: cluster.told)
    os.kill(cluster.pid(1), signal.SIGSTOP)
    cluster.supervisor.stop()
    assert await cluster.running == 0


class Views:
    """What brokers say of a cluster whose nodes are none; `amiss` is for so many looks."""

    def __init__(self, controller_id: int = 1, **amiss: int) -> None:
        self.controller_id = controller_id
        self.amiss = amiss
        self.count = 0

    async def __call__(self) -> View:
        self.count += 1
        for words, left in self.amiss.items():
            if left:
                self.amiss[words] = left - 1
                return View(words, self.controller_id, {})
        return View("", self.controller_id, {1: 0, 2: 0, 3: 0})


def pids(cluster: Cluster) -> list[int]:
    return [cluster.pid(child.node_id) for child in cluster.supervisor.children]


def restarts(cluster: Cluster) -> list[tuple[int | None, list[int]]]:
    """Whose turn it was and who was to follow, as it was told."""
    found: list[tuple[int | None, list[int]]] = []
    for ready in cluster.told[1:]:
        now = ready["restart"]["node"], ready["restart"]["left"]
        if not found or found[-1] != now:
            found.append(now)
    return found


@pytest.mark.parametrize("restart", [False, True])
async def test_a_rolling_restart(tmp_path: Path, restart: bool) -> None:
    cluster = Cluster(tmp_path, ("", "", ""), look=Views(1), restart=restart)
    await cluster.until(lambda: cluster.told)
    assert cluster.told[0]["restart"] == {"number": 0, "node": None, "left": [], "error": None}
    before = pids(cluster)
    os.kill(os.getpid(), signal.SIGUSR1)
    await cluster.until(lambda: cluster.told[-1]["restart"]["number"] == 1)
    assert restarts(cluster) == [(2, [3, 1]), (3, [1]), (1, []), (None, [])], "the active controller goes last"
    assert not set(before) & set(pids(cluster))
    assert [row["pid"] for row in cluster.told[-1]["nodes"]] == pids(cluster)
    for ready in cluster.told:
        assert sum(row["pid"] is None for row in ready["nodes"]) <= 1
    assert all(cluster.lines.count(f"node-{n} | {said}") == times for n in (1, 2, 3) for said, times in SAID.items())
    cluster.supervisor.stop()
    assert await cluster.running == 0


SAID = {"begins": 2, "got SIGTERM": 1}


async def test_controllers_are_restarted_after_the_brokers(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", "", "", ""), apart=True, look=Views(3))
    await cluster.until(lambda: cluster.told)
    os.kill(os.getpid(), signal.SIGUSR1)
    await cluster.until(lambda: cluster.told[-1]["restart"]["number"] == 1)
    assert [node for node, _ in restarts(cluster)] == [1, 2, 4, 3, None]
    cluster.supervisor.stop()
    assert await cluster.running == 0


async def test_nothing_is_restarted_while_something_is_amiss(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", ""), look=Views(1, **{"2 partitions offline": 1}))
    await cluster.until(lambda: cluster.told)
    before = pids(cluster)
    os.kill(os.getpid(), signal.SIGUSR1)
    await cluster.until(lambda: cluster.told[-1]["restart"]["number"] == 1)
    assert cluster.told[-1]["restart"]["error"] == "2 partitions offline"
    assert pids(cluster) == before
    os.kill(cluster.pid(2), signal.SIGKILL)
    await cluster.until(lambda: cluster.told[-1]["nodes"][1]["pid"] is None)
    os.kill(os.getpid(), signal.SIGUSR1)
    await cluster.until(lambda: cluster.told[-1]["restart"]["number"] == 2)
    assert cluster.told[-1]["restart"]["error"] == "node-2 not there"
    assert cluster.pid(1) == before[0]
    cluster.supervisor.stop()
    assert await cluster.running == 0


async def test_the_next_node_waits_until_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling_restart, "_LOOK_S", 0.001)
    views = Views(1)
    cluster = Cluster(tmp_path, ("", ""), look=views)
    await cluster.until(lambda: cluster.told)
    before = pids(cluster)
    views.amiss = {}
    os.kill(os.getpid(), signal.SIGUSR1)
    await cluster.until(lambda: views.count == 1)
    views.amiss["lag"] = 1 << 30
    await cluster.until(lambda: views.count > 10)
    assert cluster.pid(1) == before[0] and cluster.pid(2) != before[1]
    monkeypatch.setattr(rolling_restart, "MENDED_WITHIN_S", 0.0)
    await cluster.until(lambda: cluster.told[-1]["restart"]["number"] == 1)
    assert cluster.told[-1]["restart"]["error"] == "node-2 is back, but lag"
    cluster.supervisor.stop()
    assert await cluster.running == 0


async def test_a_node_that_does_not_come_back_ends_a_rolling_restart(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", "once"), look=Views(1))
    await cluster.until(lambda: cluster.told)
    os.kill(os.getpid(), signal.SIGUSR1)
    await cluster.until(lambda: cluster.told[-1]["restart"]["number"] == 1)
    assert cluster.told[-1]["restart"]["error"] == "node-2 did not come back"
    assert cluster.lines.count("node-1 | begins") == 1
    cluster.supervisor.stop()
    assert await cluster.running == 0


async def test_a_stop_ends_a_rolling_restart(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("", "deaf"), look=Views(1))
    await cluster.until(lambda: cluster.told)
    os.kill(os.getpid(), signal.SIGUSR1)
    await cluster.until(lambda: "node-2 | got SIGTERM" in cluster.lines)
    cluster.supervisor.stop()
    os.kill(cluster.pid(2), signal.SIGKILL)
    assert await cluster.running == 1
    assert cluster.lines.count("node-2 | begins") == 1


async def test_nodes_in_memory_are_not_restarted(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("",))
    await cluster.until(lambda: cluster.told)
    os.kill(os.getpid(), signal.SIGUSR1)
    await cluster.until(lambda: any("no rolling restart" in line for line in cluster.lines))
    assert "restart" not in cluster.told[0]
    cluster.supervisor.stop()
    assert await cluster.running == 0


async def test_lines_as_json(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ("die",), is_json=True)
    assert await cluster.running == 1
    rows = [json.loads(line) for line in cluster.lines]
    assert rows[0] == {"node": "node-1", "message": "begins"}
    assert all(set(row) == {"node", "message"} for row in rows)


async def test_nodes_end_with_the_supervisor(tmp_path: Path) -> None:
    """A supervisor that is killed leaves no node behind."""
    program = (
        "import asyncio, sys; sys.path[:0] = sys.argv[2:]; from pathlib import Path; import test_supervisor as t\n"
        "async def main():\n"
        "    c = t.Cluster(Path(sys.argv[1]), ('', ''))\n"
        "    await c.until(lambda: c.told)\n"
        "    print(c.pid(1), c.pid(2), flush=True)\n"
        "    await c.running\n"
        "asyncio.run(main())"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    pids = [int(word) for word in (await process.stdout.readline()).split()]
    process.kill()
    await process.wait()
    async with asyncio.timeout(20):
        while any(is_alive(pid) for pid in pids):
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

"""A cluster, the tools pointed at it, and what each step of a story printed: whatever kind of cluster it is.

A step that has to wait for the cluster is run until its output says so; only its last run counts. So is one that only
looks and does not see yet what real Kafka showed: the brokers that tools ask hear of a change one after the other.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compat.cluster import ClusterTarget
from compat.cluster_tools.normal import Names, normal
from compat.java.tools import TOOL_TIMEOUT_S, Run, Tools

SETTLE_TIMEOUT_S = 60.0
_LOOK_TIMEOUT_S = 5.0
_ANSWER_TIMEOUT_S = 10.0
_LOOKING_PAUSE_S = 0.5
_LOOKS = frozenset({"--describe", "--list", "--verify", "describe", "list-endpoints"})
BROKERS, CONTROLLERS = "--bootstrap-server", "--bootstrap-controller"
_AFTER_COMMAND = frozenset({"kafka-cluster"})
"""Tools that take their options after the sub-command only."""


class Step(NamedTuple):
    """What was run, its exit status, and what it printed, normalised: standard output, then standard error."""

    line: str
    status: int | None
    out: tuple[str, ...]
    err: tuple[str, ...]


class Story:
    """The steps so far. `directory` holds the files that tools are given; `expected` are the steps of real Kafka."""

    def __init__(self, cluster: ClusterTarget, tools: Tools, directory: Path, expected: Sequence[Step] = ()) -> None:
        self.cluster = cluster
        self.tools = tools
        self.directory = directory
        self.steps: list[Step] = []
        self._expected = expected
        directory.mkdir(parents=True, exist_ok=True)

    # -- running tools --

    def run(self, tool: str, *arguments: object, via: str = BROKERS, timeout_s: float = TOOL_TIMEOUT_S) -> Run:
        """Run a tool on the cluster without noting it."""
        nodes = self.cluster.brokers if via == BROKERS else self.cluster.controllers
        running = [node for node in nodes if node.is_running and not node.has_died]
        address = (
            via,
            ",".join(node.bootstrap if via == BROKERS else node.quorum_address for node in running),
        )
        line = (*arguments, *address) if tool in _AFTER_COMMAND else (*address, *arguments)
        return self.tools.run(tool, *line, timeout_s=timeout_s)

    def tell(
        self,
        tool: str,
        *arguments: object,
        via: str = BROKERS,
        until: Callable[[Run], bool] | None = None,
        hide: Mapping[str, str] | None = None,
        any_order: bool = False,
    ) -> Run:
        """Run a tool and note it. `until`: run it again until its output is so. `hide`: further (pattern, instead).

        `any_order`: real nodes differ among themselves in the order of the lines.
        """
        is_look = bool(_LOOKS.intersection(map(str, arguments)))
        if is_look and not self._expected:
            time.sleep(_LOOKING_PAUSE_S)  # nobody knows yet what there is to be seen

        def step(run: Run) -> Step:
            names = Names(self.cluster, self.directory)
            shown = " ".join(names.replace(str(argument)) for argument in (tool, *arguments))
            for pattern, instead in (hide or {}).items():
                shown = re.sub(pattern, instead, shown)
            through = " (at the controllers)" if via == CONTROLLERS else ""
            out = normal(run.out, names, hide)
            return Step(
                shown + through, run.status, tuple(sorted(out)) if any_order else out, normal(run.err, names, hide)
            )

        began = time.monotonic()
        while True:
            run = self.run(tool, *arguments, via=via)
            taken = step(run)
            waited_s = time.monotonic() - began
            is_there = until is None or until(run) or waited_s > SETTLE_TIMEOUT_S
            if is_there and (not is_look or self._is_expected(taken) or waited_s > _LOOK_TIMEOUT_S):
                break
            time.sleep(0.1)
        self.steps.append(taken)
        return run

    def _is_expected(self, step: Step) -> bool:
        number = len(self.steps)
        return not self._expected or self._expected[number : number + 1] == [step]

    def note(self, line: str, run: Run, out: str) -> None:
        """Note what a tool printed in a form of the story's own."""
        names = Names(self.cluster, self.directory)
        self.steps.append(Step(line, run.status, normal(out, names), normal(run.err, names)))

    def found(self, line: str, out: str) -> None:
        """Note what was found in files: there is no status."""
        self.steps.append(Step(line, None, normal(out, Names(self.cluster, self.directory)), ()))

    def settle(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait for the cluster."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.cluster.name}: {what}: the cluster did not get there")
            time.sleep(0.1)

    # -- what stories need to know --

    def file(self, name: str, content: Any) -> Path:
        """A file for a tool: text, or what becomes JSON."""
        path = self.directory / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def describe(self, *topics: str) -> list[dict[str, str]]:
        """The partitions of the topics, as kafka-topics describes them: column -> value."""
        out = self.run("kafka-topics", "--describe", "--topic", "|".join(topics)).out
        rows = [line for line in out.splitlines() if line.startswith("\t")]
        return [
            {name: value.strip() for name, _, value in (cell.partition(":") for cell in row.strip().split("\t"))}
            for row in rows
        ]

    def in_sync(self, *topics: str) -> bool:
        """Whether all replicas of the topics are in sync."""
        rows = self.describe(*topics)
        return bool(rows) and all(set(row["Isr"].split(",")) == set(row["Replicas"].split(",")) for row in rows)

    def led_by(self, topic: str, leaders: Sequence[int]) -> bool:
        return [row["Leader"] for row in self.describe(topic)] == [str(leader) for leader in leaders]

    def quorum(self) -> dict[str, str]:
        """What `kafka-metadata-quorum describe --status` tells: name -> value. Empty while nobody answers."""
        out = self.run("kafka-metadata-quorum", "describe", "--status", timeout_s=_ANSWER_TIMEOUT_S).out
        return {name: value.strip() for name, _, value in (line.partition(":") for line in out.splitlines())}

    def produce(self, topic: str, count: int, size_bytes: int = 10) -> None:
        """Records that all replicas have acknowledged."""
        done = self.tools.run(
            "kafka-producer-perf-test", "--topic", topic, "--num-records", count, "--record-size", size_bytes,
            "--throughput", -1, "--bootstrap-server", self.cluster.bootstrap,
        )  # fmt: skip
        if done.status != 0:
            raise RuntimeError(f"{self.cluster.name}: produced nothing: {done.out}{done.err}")

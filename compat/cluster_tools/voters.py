"""What is told of a quorum whose voters change, and of one with static voters until its kraft.version is raised.

Ids of controllers that are in play are hidden where chance decides which of them leads.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from compat.cluster import NodeTarget
from compat.cluster_tools.story import BROKERS, CONTROLLERS, Story

SPARE, JOINER = 102, 103
"""Controllers that do not vote in the beginning; the second one joins by itself (`auto.join`)."""
_TOOL: Final = "kafka-metadata-quorum"
_STATUS: Final = {r"(LeaderId|LeaderEpoch|HighWatermark|MaxFollowerLag|MaxFollowerLagTimeMs): -?\d+": r"\1: <n>"}
_LEVELS: Final = {r"Epoch: \d+": "Epoch: <n>", r"[Cc]ontroller \d+": "controller <n>"}
_SOME: Final = {r"\b10\d\b": "<one>"}


def voters(story: Story) -> None:
    """kafka-metadata-quorum add-controller and remove-controller, also of the leader; a controller joins by itself."""
    cluster, tell = story.cluster, story.tell
    story.settle("the joiner votes", lambda: _voting(story) == {101, JOINER})
    tell(_TOOL, "describe", "--status", hide=_STATUS)
    spare = _own_settings(story, cluster.nodes[SPARE])
    tell(_TOOL, "--command-config", spare, "add-controller", "--dry-run")
    tell(_TOOL, "--command-config", spare, "add-controller")
    story.settle("the spare one votes", lambda: SPARE in _voting(story))
    tell(_TOOL, "describe", "--status", hide=_STATUS)
    tell(_TOOL, "--command-config", spare, "add-controller")
    tell(_TOOL, "--command-config", _own_settings(story, cluster.brokers[0]), "add-controller")
    _remove(story, SPARE, directory=cluster.nodes[JOINER])
    _remove(story, SPARE, extra=("--dry-run",))
    _remove(story, SPARE)
    story.settle("the spare one is out", lambda: SPARE not in _voting(story))
    tell(_TOOL, "describe", "--status", hide=_STATUS, via=CONTROLLERS)
    _remove(story, SPARE)
    tell(_TOOL, "--command-config", spare, "add-controller", via=CONTROLLERS)
    story.settle("the spare one votes again", lambda: SPARE in _voting(story))
    # Whoever leads goes last: the others elect one of them.
    leader = int(story.quorum()["LeaderId"])
    _remove(story, leader, hide=_SOME)
    story.settle("another leads", lambda: story.quorum().get("LeaderId", str(leader)) != str(leader))
    tell("kafka-topics", "--create", "--topic", "after-the-leader", "--partitions", 2)
    tell("kafka-topics", "--list")


def kraft_version(story: Story) -> None:
    """kraft.version from 0 to 1 in a quorum with static voters, and what can be done before and after."""
    tell = story.tell
    tell("kafka-features", "describe", hide=_LEVELS)
    tell(_TOOL, "describe", "--status", hide=_STATUS)
    one = story.cluster.controllers[0]
    _remove(story, one.node_id, hide=_SOME)
    tell("kafka-features", "upgrade", "--feature", "kraft.version=2", hide=_LEVELS)
    tell("kafka-features", "upgrade", "--feature", "kraft.version=1", "--dry-run")
    tell("kafka-features", "upgrade", "--feature", "kraft.version=1", via=CONTROLLERS)
    tell("kafka-features", "describe", hide=_LEVELS,
         until=lambda run: re.search(r"kraft\.version.*FinalizedVersionLevel: 1", run.out) is not None)  # fmt: skip
    tell(_TOOL, "describe", "--status", hide=_STATUS)
    tell("kafka-features", "upgrade", "--feature", "kraft.version=1")
    tell("kafka-features", "downgrade", "--feature", "kraft.version=0")
    followers = [node for node in story.cluster.controllers if str(node.node_id) != story.quorum()["LeaderId"]]
    _remove(story, followers[0].node_id, hide={r"\b\d\b": "<one>"})
    story.settle("two vote", lambda: len(_voting(story)) == 2)
    again = _own_settings(story, followers[0])
    tell(_TOOL, "--command-config", again, "add-controller", hide={r"\b\d\b": "<one>", r"<controller .>": "<at>"})
    story.settle("three vote", lambda: len(_voting(story)) == 3)
    tell("kafka-topics", "--create", "--topic", "after-the-upgrade", "--replication-factor", 3)


def _voting(story: Story) -> set[int]:
    told = story.quorum().get("CurrentVoters", "[]")
    return {voter["id"] for voter in json.loads(told)}


def _own_settings(story: Story, node: NodeTarget) -> Path:
    """The settings with which the tool finds out what a controller is: where it listens, whose directory it has."""
    address = f"{node.place.controller_host}:{node.controller_port}"
    roles = "controller" if node.is_controller else "broker"
    return story.file(
        f"{node.node_id}.properties",
        f"process.roles={roles}\nnode.id={node.node_id}\nlog.dirs={node.log_dirs[0]}\n"
        f"listeners=CONTROLLER://{address}\ncontroller.listener.names=CONTROLLER\n",
    )


def _directory_id(node: NodeTarget) -> str:
    found = re.search(r"^directory\.id=(\S+)$", (node.log_dirs[0] / "meta.properties").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def _remove(
    story: Story,
    node_id: int,
    *,
    directory: NodeTarget | None = None,
    extra: tuple[str, ...] = (),
    hide: dict[str, str] | None = None,
) -> None:
    where = directory or story.cluster.nodes[node_id]
    story.tell(
        _TOOL, "remove-controller", "--controller-id", node_id, "--controller-directory-id", _directory_id(where),
        *extra, via=BROKERS, hide=hide,
    )  # fmt: skip

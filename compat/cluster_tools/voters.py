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
from compat.cluster_tools.voter_records import last_leader, voter_records
from compat.controller_files import directory_id, log_begins, snapshots, write_own_settings

FIRST, SPARE, JOINER, LATE = 101, 102, 103, 104
"""The first voter; controllers that do not vote in the beginning: one of them joins by itself (`auto.join`), one is
started when the others have snapshots.
"""
_TOOL: Final = "kafka-metadata-quorum"
_STATUS: Final = {r"(LeaderId|LeaderEpoch|HighWatermark|MaxFollowerLag|MaxFollowerLagTimeMs): -?\d+": r"\1: <n>"}
_LEVELS: Final = {r"Epoch: \d+": "Epoch: <n>", r"[Cc]ontroller \d+": "controller <n>"}
_ROWS: Final = {
    r"^(\d+) <id> \d+ \d+ [\d-]+ [\d-]+ (Leader|Follower)$": r"\1 <id> <n> <n> <time> <time> <voter>",
    r"^(\d+) <id> \d+ \d+ [\d-]+ [\d-]+ Observer$": r"\1 <id> <n> <n> <time> <time> Observer",
}
_SOME: Final = {r"\b10\d\b": "<one>"}


def voters(story: Story) -> None:
    """kafka-metadata-quorum add-controller and remove-controller; a controller joins by itself."""
    cluster, tell = story.cluster, story.tell
    story.settle("the joiner votes", lambda: _voting(story) == {FIRST, JOINER})
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
    cluster.kill(SPARE)
    tell(_TOOL, "--command-config", spare, "add-controller")
    cluster.start([SPARE])
    # The leader asks nobody again at once who has not answered.
    tell(_TOOL, "--command-config", spare, "add-controller", via=CONTROLLERS, until=lambda run: run.status == 0)
    story.settle("the spare one votes again", lambda: SPARE in _voting(story))


def a_late_controller(story: Story) -> None:
    """A controller without anything, which gets a snapshot of its leader, not the log from its beginning."""
    cluster, tell = story.cluster, story.tell
    for number in range(3):
        tell("kafka-topics", "--create", "--topic", f"before-{number}", "--partitions", 20)
    story.settle("the leader has a snapshot", lambda: bool(snapshots(cluster.nodes[_leader(story)])))
    cluster.start([LATE])
    story.settle("the late one observes", lambda: LATE in _observing(story))
    story.settle("it has a snapshot", lambda: bool(snapshots(cluster.nodes[LATE])))
    tell(_TOOL, "describe", "--status", hide=_STATUS)
    tell(_TOOL, "describe", "--replication", hide=_ROWS, any_order=True)
    begins = log_begins(cluster.nodes[LATE])
    story.found("its log begins behind a snapshot", str(begins > 0 and begins in snapshots(cluster.nodes[LATE])))
    tell(_TOOL, "--command-config", _own_settings(story, cluster.nodes[LATE]), "add-controller")
    story.settle("the late one votes", lambda: LATE in _voting(story))
    tell(_TOOL, "describe", "--replication", hide=_ROWS, any_order=True)
    _remove(story, LATE)
    story.settle("the late one is out", lambda: LATE not in _voting(story))


def a_controller_that_moves(story: Story) -> None:
    """A voter that comes back with another address tells the leader, who tells everybody."""
    cluster, node = story.cluster, story.cluster.nodes[SPARE]
    cluster.stop([SPARE])
    node.move_controller()
    cluster.start([SPARE])
    story.settle("the new address is known", lambda: node.quorum_address in story.quorum().get("CurrentVoters", ""))
    story.tell(_TOOL, "describe", "--status", hide=_STATUS)
    story.tell(_TOOL, "describe", "--status", hide=_STATUS, via=CONTROLLERS)


def a_new_disk(story: Story) -> None:
    """A voter that comes back with an empty disk is another one: who joins by itself takes the old one out first."""
    cluster, node = story.cluster, story.cluster.nodes[JOINER]
    cluster.stop([JOINER])
    before = directory_id(node)
    node.replace_disk()
    cluster.start([JOINER])
    now = directory_id(node)
    story.found("it is another directory", str(now != before))
    story.settle("the new directory votes", lambda: now in story.quorum().get("CurrentVoters", ""))
    story.tell(_TOOL, "describe", "--status", hide=_STATUS)


def records_of_voters(story: Story) -> None:
    """Every voter set that was written into the metadata, and its kraft.version."""
    first = story.cluster.controllers[0]
    story.found("records of voters", "\n".join(voter_records(first.log_dirs[0])))


def without_the_leader(story: Story) -> None:
    """The leader is taken out: the others elect one of them."""
    tell, leader = story.tell, _leader(story)
    _remove(story, leader, hide=_SOME)
    story.settle("another leads", lambda: story.quorum().get("LeaderId", str(leader)) != str(leader))
    tell("kafka-topics", "--create", "--topic", "after-the-leader", "--partitions", 2)
    tell("kafka-topics", "--list")
    next_leader = _leader(story)
    story.found("how the next leader was elected", last_leader(story.cluster.data_dir(next_leader)))


def kraft_version(story: Story) -> None:
    """kraft.version from 0 to 1 in a quorum with static voters, and what can be done before and after."""
    tell = story.tell
    tell("kafka-features", "describe", hide=_LEVELS)
    tell(_TOOL, "describe", "--status", hide=_STATUS)
    one = story.cluster.controllers[0]
    _remove(story, one.node_id, hide=_SOME)
    tell("kafka-features", "upgrade", "--feature", "kraft.version=2", hide=_LEVELS)
    # The leader hears of the directories of the other voters seconds after the start.
    tell("kafka-features", "upgrade", "--feature", "kraft.version=1", "--dry-run", until=lambda run: run.status == 0)
    tell("kafka-features", "upgrade", "--feature", "kraft.version=1", via=CONTROLLERS)
    tell("kafka-features", "describe", hide=_LEVELS,
         until=lambda run: re.search(r"kraft\.version.*FinalizedVersionLevel: 1", run.out) is not None)  # fmt: skip
    tell(_TOOL, "describe", "--status", hide=_STATUS)
    tell("kafka-features", "upgrade", "--feature", "kraft.version=1")
    tell("kafka-features", "downgrade", "--feature", "kraft.version=0")


def a_former_static_voter(story: Story) -> None:
    """A voter of a quorum that was static goes, and comes again."""
    tell = story.tell
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


def _observing(story: Story) -> set[int]:
    told = story.quorum().get("CurrentObservers", "[]")
    return {observer["id"] for observer in json.loads(told)}


def _leader(story: Story) -> int:
    return int(story.quorum()["LeaderId"])


def _own_settings(story: Story, node: NodeTarget) -> Path:
    """The settings with which the tool finds out what a controller is: where it listens, whose directory it has."""
    return write_own_settings(node, story.directory / f"{node.node_id}.properties")


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
        _TOOL, "remove-controller", "--controller-id", node_id, "--controller-directory-id", directory_id(where),
        *extra, via=BROKERS, hide=hide,
    )  # fmt: skip

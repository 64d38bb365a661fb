"""One play of the story on one kind of cluster, what real Kafka said to it, and what differs between two plays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from compat.cluster import ClusterTarget
from compat.cluster_tools.known import without_known
from compat.cluster_tools.layouts import LAYOUTS, Part
from compat.cluster_tools.story import Step, Story
from compat.java.tools import Tools
from compat.kafka_cluster import KafkaCluster
from compat.klamm_cluster import KlammCluster

SETTINGS: Final = {
    # A killed broker is told from a living one sooner than after Kafka's 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Leaders change when the story says so.
    "auto.leader.rebalance.enable": "false",
}
KINDS: Final[dict[str, type[KafkaCluster] | type[KlammCluster]]] = {"kafka": KafkaCluster, "klamm": KlammCluster}
_RECORDED: Final = Path(__file__).parent / "recorded"


def play(
    kind: type[KafkaCluster] | type[KlammCluster],
    layout: str,
    parts: Sequence[Part],
    tools: Tools,
    directory: Path,
    known: Mapping[str, Sequence[Step]],
) -> Iterator[tuple[str, list[Step]]]:
    """Start a cluster and tell the parts: name and steps. `known`: what real Kafka said, empty to ask it anew."""
    how = LAYOUTS[layout]
    cluster: ClusterTarget = kind(overrides={**SETTINGS, **how.settings}, **how.cluster)
    try:
        cluster.start(cluster.nodes.keys() - how.late)
        for part in parts:
            story = Story(cluster, tools, directory, known.get(part.__name__, ()))
            part(story)
            yield part.__name__, story.steps
    finally:
        cluster.remove()


def differences(expected: Sequence[Step], found: Sequence[Step]) -> Iterator[tuple[Step, Step]]:
    """The steps that differ for no known reason. Both sides have taken the same."""
    for before, after in zip(expected, found, strict=True):
        one, other = without_known(before, after)
        if one != other:
            yield one, other


def record(layout: str, told: dict[str, list[Step]]) -> None:
    """Keep what real Kafka said."""
    _RECORDED.mkdir(exist_ok=True)
    form = {part: [step._asdict() for step in steps] for part, steps in told.items()}
    (_RECORDED / f"{layout}.json").write_text(json.dumps({**_read(layout), **form}, indent=1) + "\n")


def recorded(layout: str) -> dict[str, list[Step]]:
    """What real Kafka said when it was last asked."""
    return {
        part: [Step(row["line"], row["status"], tuple(row["out"]), tuple(row["err"])) for row in rows]
        for part, rows in _read(layout).items()
    }


def _read(layout: str) -> dict[str, list[dict[str, Any]]]:
    path = _RECORDED / f"{layout}.json"
    return json.loads(path.read_text()) if path.exists() else {}

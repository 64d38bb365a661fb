"""The clusters that the stories are told of, and which parts of them are told of each.

Later parts use what earlier ones have made. A part that takes two brokers down is not for nodes that are the quorum,
too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from compat.cluster_tools import stories, voters
from compat.cluster_tools.story import Story

Part = Callable[[Story], None]


class Layout(NamedTuple):
    """What a cluster is made with, the parts, settings of all nodes, and nodes that a part starts."""

    cluster: Mapping[str, Any]
    parts: tuple[Part, ...]
    settings: Mapping[str, str] = {}
    late: frozenset[int] = frozenset()


LAYOUTS: Final[dict[str, Layout]] = {
    "combined": Layout(
        {"nodes": 3},
        (
            stories.topics, stories.quorum, stories.cluster, stories.features, stories.settings,
            stories.a_broker_down, stories.elections, stories.reassignments, stories.at_the_controllers,
            stories.unregister,
        ),
    ),
    "separate": Layout(
        {"nodes": 3, "controllers": 3},
        (
            stories.topics, stories.quorum, stories.cluster, stories.a_broker_down, stories.elections,
            stories.unclean, stories.at_the_controllers, stories.unregister,
        ),
    ),
    "voters": Layout(
        {
            "nodes": 1, "controllers": 4, "spare_controllers": 3,
            "node_overrides": {voters.JOINER: {"controller.quorum.auto.join.enable": "true"}},
        },
        (
            voters.voters, voters.a_late_controller, voters.a_controller_that_moves, voters.a_new_disk,
            voters.records_of_voters, voters.without_the_leader,
        ),
        settings={
            "metadata.log.max.record.bytes.between.snapshots": "3000",
            "controller.quorum.fetch.snapshot.max.bytes": "700",  # a snapshot comes in several pieces
        },
        late=frozenset({voters.LATE}),
    ),
    "static": Layout(
        {"nodes": 3, "static_voters": True},
        (
            voters.kraft_version, voters.records_of_voters, voters.a_former_static_voter,
            stories.placed_while_one_is_away,
        ),
    ),
}  # fmt: skip
"""Three nodes, brokers and controllers both; three brokers beside three controllers; one broker, a voter and three
controllers that may become voters; three nodes whose settings name the voters.
"""

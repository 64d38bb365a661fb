"""What a tool printed, without what belongs to one run: addresses, directories, ids that were drawn, offsets, times.

Whatever is not named here must be equal, in its order; columns may be as wide as their contents want.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from compat.cluster import ClusterTarget

_UUID: Final = r"(?<![A-Za-z0-9_./-])[A-Za-z0-9_][A-Za-z0-9_-]{21}(?![A-Za-z0-9_(-])"
_OBSERVERS: Final = re.compile(r"^(CurrentObservers: )(\[.*\])$")
_REPLICA_KEYS: Final = re.compile(r"(?<=\[)ReplicaKey\([^\]]*(?=\])")
_LOG_LINE: Final = re.compile(r"^\[\d{4}-\d\d-\d\d [\d:,]+\] (WARN|INFO|ERROR|DEBUG) ")
_STACK: Final = re.compile(r"^(\tat |\t\.\.\. \d+ more|Caused by: |exit \d+$|ToolRunner\$Ended: )")


class Names:
    """The words of one cluster, each with the one that stands for it on either side."""

    def __init__(self, cluster: ClusterTarget, directory: Path) -> None:
        pairs = [(str(directory), "<files>"), (str(cluster.directory), "<cluster>")]
        for node in cluster.nodes.values():
            if node.is_broker:
                pairs.append((node.bootstrap, f"<broker {node.node_id}>"))
                pairs.append((f"{node.place.host} {node.port}", f"<broker {node.node_id}>"))
            if node.is_controller:
                host = node.place.controller_host
                pairs.append((f"{host}:{node.controller_port}", f"<controller {node.node_id}>"))
                pairs.append((f"{host} {node.controller_port}", f"<controller {node.node_id}>"))
                former = f"<controller {node.node_id}, formerly>"
                pairs += [(f"{host}:{port}", former) for port in node.former_controller_ports]
        self._pairs = pairs

    def replace(self, text: str) -> str:
        for word, instead in self._pairs:
            text = text.replace(word, instead)
        return re.sub(_UUID, "<id>", text)


def normal(text: str, names: Names, hide: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The lines that are not empty; blanks in a row are one, stack traces and log lines are left out."""
    lines = []
    for line in text.splitlines():
        if _LOG_LINE.match(line) or _STACK.match(line):
            continue
        shown = names.replace(" ".join(line.split()))
        for pattern, instead in (hide or {}).items():
            shown = re.sub(pattern, instead, shown)
        if shown:
            lines.append(_REPLICA_KEYS.sub(_in_order, _OBSERVERS.sub(_by_id, shown)))
    return tuple(lines)


def _by_id(observers: re.Match[str]) -> str:
    """Kafka has them in a map of ids that were drawn, hence in any order."""
    rows = sorted(json.loads(observers[2]), key=lambda row: int(row["id"]))
    return observers[1] + json.dumps(rows)


def _in_order(keys: re.Match[str]) -> str:
    """The voters of an error message: a set that Kafka orders by the hashes of drawn ids."""
    return "), ".join(sorted(key.removesuffix(")") for key in keys[0].split("), "))) + ")"

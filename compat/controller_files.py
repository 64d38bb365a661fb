"""What stands on a controller's disk: its directory's id, its snapshots, where its metadata log begins."""

from __future__ import annotations

import re
from pathlib import Path

from compat.cluster import NodeTarget

_LOG = "__cluster_metadata-0"


def directory_id(node: NodeTarget) -> str:
    """As meta.properties has it now."""
    found = re.search(r"^directory\.id=(\S+)$", (node.log_dirs[0] / "meta.properties").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def snapshots(node: NodeTarget) -> list[int]:
    """Where the snapshots of the node's metadata end, but for what it was formatted with."""
    files = (node.log_dirs[0] / _LOG).glob("*.checkpoint")
    return sorted(end for end in (int(file.name.partition("-")[0]) for file in files) if end)


def log_begins(node: NodeTarget) -> int:
    """The base offset of the first segment."""
    return min(int(file.stem) for file in (node.log_dirs[0] / _LOG).glob("*.log"))


def write_own_settings(node: NodeTarget, path: Path) -> Path:
    """The settings from which `kafka-metadata-quorum add-controller` takes where a controller listens and its id."""
    roles = "controller" if node.is_controller else "broker"
    path.write_text(
        f"process.roles={roles}\nnode.id={node.node_id}\nlog.dirs={node.log_dirs[0]}\n"
        f"listeners=CONTROLLER://{node.quorum_address}\ncontroller.listener.names=CONTROLLER\n"
    )
    return path

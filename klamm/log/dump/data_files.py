"""Which files of a data directory are what: by name alone, as Kafka tells them apart.

Files that wait for something keep their kind: `.deleted` (an asynchronous delete), `.cleaned`, `.swap` (a compaction).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from klamm.log.disk import Disk

LOG: Final = "log"
OFFSET_INDEX: Final = "offset_index"
TIME_INDEX: Final = "time_index"
TXN_INDEX: Final = "txn_index"
PRODUCER_SNAPSHOT: Final = "producer_snapshot"
METADATA_SNAPSHOT: Final = "metadata_snapshot"
LEADER_EPOCHS: Final = "leader_epoch_checkpoint"
PARTITION_METADATA: Final = "partition_metadata"
OFFSET_CHECKPOINT: Final = "offset_checkpoint"
META_PROPERTIES: Final = "meta_properties"
QUORUM_STATE: Final = "quorum_state"
CLEAN_SHUTDOWN: Final = "clean_shutdown"

BY_SUFFIX: Final = {
    ".log": LOG,
    ".index": OFFSET_INDEX,
    ".timeindex": TIME_INDEX,
    ".txnindex": TXN_INDEX,
    ".snapshot": PRODUCER_SNAPSHOT,
    ".checkpoint": METADATA_SNAPSHOT,
}
_BY_NAME: Final = {
    "leader-epoch-checkpoint": LEADER_EPOCHS,
    "partition.metadata": PARTITION_METADATA,
    "recovery-point-offset-checkpoint": OFFSET_CHECKPOINT,
    "replication-offset-checkpoint": OFFSET_CHECKPOINT,
    "log-start-offset-checkpoint": OFFSET_CHECKPOINT,
    "cleaner-offset-checkpoint": OFFSET_CHECKPOINT,
    "meta.properties": META_PROPERTIES,
    "quorum-state": QUORUM_STATE,
    ".kafka_cleanshutdown": CLEAN_SHUTDOWN,
    "bootstrap.checkpoint": METADATA_SNAPSHOT,
}
OFFSET_CHECKPOINTS: Final = tuple(name for name, kind in _BY_NAME.items() if kind == OFFSET_CHECKPOINT)

_PENDING: Final = (".deleted", ".cleaned", ".swap")
_NUMBERED: Final = re.compile(r"(?P<offset>\d+)(?:-(?P<epoch>\d+))?(?P<suffix>\.[a-z]+)\Z")
_PARTITION: Final = re.compile(
    r"(?P<topic>[a-zA-Z0-9._-]+)-(?P<partition>\d+)(?:\.[0-9a-f]{32}-(?P<state>delete|future|stray))?\Z"
)


class PartitionName(NamedTuple):
    """What a partition directory's name says. `state`: "delete", "future" or "stray" of one that is set aside."""

    topic: str
    partition: int
    state: str | None


class DataFile(NamedTuple):
    """One file. `offset`: the number in its name, -1 without one; `epoch` is that of a metadata snapshot, else -1."""

    path: str
    kind: str
    offset: int = -1
    epoch: int = -1
    pending: str | None = None
    """The suffix of a file that is about to be deleted or swapped in."""
    topic: str | None = None
    """The topic that the directory's name tells."""

    @property
    def stem(self) -> str:
        """The path up to the suffix of the kind: what the files of one segment share."""
        directory, slash, name = self.path.rpartition("/")
        return f"{directory}{slash}{name.partition('.')[0]}"


def partition_name(directory: str) -> PartitionName | None:
    """What the name of a directory (a path or only a name) says of its partition; None if it is no partition's."""
    match = _PARTITION.match(directory.rstrip("/").rpartition("/")[2])
    return None if match is None else PartitionName(match["topic"], int(match["partition"]), match["state"])


def data_file(path: str) -> DataFile | None:
    """What the file is; None for a file that is none of Kafka's."""
    directory, _, name = path.rpartition("/")
    topic = found.topic if (found := partition_name(directory)) is not None else None
    pending = next((suffix for suffix in _PENDING if name.endswith(suffix)), None)
    plain = name[: -len(pending)] if pending else name
    if plain in _BY_NAME:
        kind = _BY_NAME[plain]
        if kind == METADATA_SNAPSHOT:
            topic = "__cluster_metadata"
        return DataFile(path, kind, pending=pending, topic=topic)
    match = _NUMBERED.match(plain)
    if match is None or match["suffix"] not in BY_SUFFIX:
        return None
    kind = BY_SUFFIX[match["suffix"]]
    if (match["epoch"] is not None) != (kind == METADATA_SNAPSHOT):
        return None
    return DataFile(path, kind, int(match["offset"]), int(match["epoch"] or -1), pending, topic)


def find_files(disk: Disk, path: str) -> list[DataFile]:
    """The files in a directory and in the partition directories in it, each partition's by offset. Raises OSError."""
    found: list[DataFile] = []
    directories: list[str] = []
    for name in disk.list_directory(path):
        inner = f"{path.rstrip('/')}/{name}"
        if disk.is_directory(inner):
            if partition_name(name) is not None:
                directories.append(inner)
        elif (file := data_file(inner)) is not None:
            found.append(file)
    found.sort(key=lambda file: (file.offset, file.kind, file.path))
    for directory in sorted(directories, key=_order):
        found += find_files(disk, directory)
    return found


def _order(directory: str) -> tuple[str, int]:
    name = partition_name(directory)
    assert name is not None
    return name.topic, name.partition

"""Facts of the small files: producer snapshots, checkpoints, identities. Each is read whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from klamm.kproto.uuids import uuid_text
from klamm.log import checkpoint, meta_properties, partition_metadata, producer_snapshot
from klamm.log.dump import data_files
from klamm.log.dump.data_files import DataFile
from klamm.log.dump.facts import DumpOptions, Fact, Facts, damage

if TYPE_CHECKING:
    from klamm.log.disk import Disk


def state_facts(disk: Disk, file: DataFile, options: DumpOptions) -> Facts:
    """The facts of the file's kind, or `damage` when it does not follow its form."""
    if options.progress is not None:
        options.progress(disk.size(file.path))
    try:
        rows = _READERS[file.kind](disk, file)
    except _REFUSALS as error:
        yield damage(file.path, str(error).removeprefix(f"{file.path}: ").removeprefix(f"{file.path} "))
        return
    for row in rows:
        yield {"fact": row.pop("fact"), "file": file.path, **row}


def _producers(disk: Disk, file: DataFile) -> list[Fact]:
    rows: list[Fact] = []
    for entry in producer_snapshot.decode(disk.read(file.path)):
        row: Fact = {
            "fact": "producer",
            "producer_id": entry.producer_id,
            "producer_epoch": entry.producer_epoch,
            "coordinator_epoch": entry.coordinator_epoch,
            "current_txn_first_offset": None if entry.current_txn_first_offset < 0 else entry.current_txn_first_offset,
            "last_timestamp": entry.last_timestamp,
        }
        if entry.batches:
            batch = entry.batches[-1]
            row |= {
                "first_sequence": batch.first_sequence,
                "last_sequence": batch.last_sequence,
                "last_offset": batch.last_offset,
                "offset_delta": batch.offset_delta,
                "timestamp": batch.timestamp,
            }
        rows.append(row)
    return rows


def _leader_epochs(disk: Disk, file: DataFile) -> list[Fact]:
    lines = checkpoint.checkpoint_lines(disk.read(file.path), file.path)
    return [{"fact": "leader_epoch", "epoch": int(epoch), "start_offset": int(start)} for epoch, start in lines]


def _offsets(disk: Disk, file: DataFile) -> list[Fact]:
    return [
        {"fact": "checkpoint", "topic": topic, "partition": partition, "offset": offset}
        for (topic, partition), offset in checkpoint.read_offsets(disk, file.path).items()
    ]


def _partition_metadata(disk: Disk, file: DataFile) -> list[Fact]:
    topic_id = partition_metadata.read_topic_id(disk, file.path)
    return [{"fact": "partition_metadata", "topic_id": None if topic_id is None else uuid_text(topic_id)}]


def _meta_properties(disk: Disk, file: DataFile) -> list[Fact]:
    found = meta_properties.read(disk, file.path)
    if found is None:
        return []
    return [
        {
            "fact": "meta_properties",
            "cluster_id": found.cluster_id,
            "node_id": found.node_id,
            "directory_id": None if found.directory_id is None else uuid_text(found.directory_id),
        }
    ]


def _json_object(fact: str) -> Callable[[Disk, DataFile], list[Fact]]:
    def read(disk: Disk, file: DataFile) -> list[Fact]:
        value: Any = json.loads(disk.read(file.path))
        if not isinstance(value, dict):
            raise ValueError("the file holds no JSON object")
        return [{"fact": fact, "data": value}]

    return read


_READERS: Final[dict[str, Callable[[Disk, DataFile], list[Fact]]]] = {
    data_files.PRODUCER_SNAPSHOT: _producers,
    data_files.LEADER_EPOCHS: _leader_epochs,
    data_files.OFFSET_CHECKPOINT: _offsets,
    data_files.PARTITION_METADATA: _partition_metadata,
    data_files.META_PROPERTIES: _meta_properties,
    data_files.QUORUM_STATE: _json_object("quorum_state"),
    data_files.CLEAN_SHUTDOWN: _json_object("clean_shutdown"),
}
_REFUSALS: Final = (
    producer_snapshot.CorruptSnapshot,
    checkpoint.MalformedCheckpoint,
    partition_metadata.InconsistentTopicId,
    meta_properties.InvalidMetaProperties,
    ValueError,
)

"""The metadata in data directories held together: log, snapshots, quorum-state, and the partitions' directories.

Reads what a start reads, by the same rules, and tells what would keep the node from starting or make it leave a
partition aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from klamm.kproto import records
from klamm.kproto.errors import ProtocolError
from klamm.kproto.uuids import uuid_text
from klamm.log.dump.batch_walk import BatchAt, walk
from klamm.log.dump.data_files import partition_name
from klamm.log.segment import LOG_SUFFIX
from klamm.log.verify.findings import ERROR, INFO, WARNING, Finding, Report
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.log_replay import LogReplay
from klamm.metadata.raft import election_state
from klamm.metadata.raft.election_state import InvalidQuorumState
from klamm.metadata.raft.history import QuorumHistory, quorum_records
from klamm.metadata.raft.voters import VoterSet
from klamm.metadata.snapshot_file import BOOTSTRAP_FILE, decode_snapshot, file_name, find_snapshots
from klamm.metadata.storage_format import METADATA_PARTITION_DIR

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.verify.directory_check import DirectoryChecked

_NO_START = "Kafka and klamm refuse to start"


class StorageChecked(NamedTuple):
    """What the metadata says; `image` is None where it cannot be followed. `bad_snapshots` are paths.

    `bad_quorum_state` is the path of a file that cannot be read, `epoch` that of the metadata's last record.
    """

    image: MetadataImage | None
    bad_snapshots: list[str]
    bad_quorum_state: str | None = None
    epoch: int = -1
    kraft_version: int = 0
    voters: VoterSet = VoterSet(())


def check_storage(disk: Disk, directories: Sequence[DirectoryChecked], report: Report) -> StorageChecked:
    """Check the directories of one node against each other and against its metadata. Raises OSError."""
    _check_identities(directories, report)
    home = next((d for d in directories if METADATA_PARTITION_DIR in d.partitions), None)
    if home is None:
        return StorageChecked(None, [])
    bad = _check_snapshots(disk, home, report)
    history = QuorumHistory()
    replay = _replay(disk, home, bad, report, history)
    if replay is None:
        return StorageChecked(None, bad)
    image = replay.delta.build(replay.offset, replay.epoch)
    is_bad = _check_quorum_state(disk, home, replay.epoch, report)
    for directory in directories:
        _check_partitions(directory, image, report)
    _check_replicas(directories, image, report)
    path = f"{home.path}/{METADATA_PARTITION_DIR}/{election_state.FILE}"
    return StorageChecked(image, bad, path if is_bad else None, replay.epoch, history.kraft_version, history.voters)


def _check_identities(directories: Sequence[DirectoryChecked], report: Report) -> None:
    known = [(d, d.properties) for d in directories if d.properties is not None]
    for directory, properties in known[1:]:
        first = known[0][1]
        path = f"{directory.path}/meta.properties"
        if (properties.cluster_id, properties.node_id) != (first.cluster_id, first.node_id):
            message = (
                f"node {properties.node_id} of cluster {properties.cluster_id}, "
                f"but {known[0][0].path} is of node {first.node_id} of cluster {first.cluster_id}"
            )
            report(Finding(ERROR, "other_node", path, message, _NO_START))
        elif any(properties.directory_id == other.directory_id for d, other in known if d is not directory):
            report(Finding(ERROR, "same_directory_id", path, "another directory has the same id", _NO_START))


def _check_snapshots(disk: Disk, home: DirectoryChecked, report: Report) -> list[str]:
    directory = f"{home.path}/{METADATA_PARTITION_DIR}"
    paths = [f"{directory}/{file_name(snapshot_id)}" for snapshot_id in find_snapshots(disk, directory)]
    bad = []
    for path in [f"{home.path}/{BOOTSTRAP_FILE}", *paths]:
        try:
            data = disk.read(path)
            decode_snapshot(data, path)
            _check_offsets(data)
        except FileNotFoundError:
            continue
        except ProtocolError as error:
            newest = path == paths[-1] if paths else False
            recovery = _NO_START if newest or path.endswith(BOOTSTRAP_FILE) else "not read, there is a newer one"
            report(Finding(ERROR, "bad_snapshot", path, str(error).removeprefix(f"{path} "), recovery))
            bad.append(path)
    return bad


def _check_offsets(data: bytes) -> None:
    """The offsets of a snapshot count up from 0; its checksums do not cover them. Raises ProtocolError."""
    expected = 0
    for batch in records.batches(data):
        if batch.base_offset != expected:
            raise ProtocolError(f"a batch with offset {batch.base_offset} where {expected} must follow")
        expected = batch.next_offset


def _replay(
    disk: Disk, home: DirectoryChecked, bad: list[str], report: Report, history: QuorumHistory
) -> LogReplay | None:
    directory = f"{home.path}/{METADATA_PARTITION_DIR}"
    checked = home.partitions[METADATA_PARTITION_DIR]
    replay = LogReplay()
    path = directory
    try:
        for snapshot_id in reversed(find_snapshots(disk, directory)):
            path = f"{directory}/{file_name(snapshot_id)}"
            if path not in bad:
                snapshot = decode_snapshot(disk.read(path), path)
                replay.load_snapshot(snapshot_id, snapshot)
                history.load(replay.offset, snapshot.kraft_version, snapshot.voters)
                break
        start = checked.base_offsets[0] if checked.base_offsets else replay.offset + 1
        if replay.offset + 1 < start:
            message = f"the log begins at offset {start} and no snapshot reaches up to there"
            report(Finding(ERROR, "metadata_gap", directory, message, _NO_START))
            return None
        for base_offset in checked.base_offsets:
            path = f"{directory}/{base_offset:020d}{LOG_SUFFIX}"
            if not _replay_segment(disk, path, replay, history):
                break  # told by the check of the partition; a start reads no further either
    except ProtocolError as error:
        report(Finding(ERROR, "metadata_unreadable", path, str(error), _NO_START, replay.offset + 1))
        return None
    if replay.is_transaction_open:
        message = "the log ends within a transaction"
        report(Finding(INFO, "metadata_transaction", directory, message, "the next controller aborts it"))
    if checked.end_offset < replay.offset + 1 and not home.is_running:
        message = f"the log ends at {checked.end_offset}, the newest snapshot at {replay.offset + 1}"
        report(Finding(WARNING, "snapshot_beyond_log", directory, message, "the log begins anew behind the snapshot"))
    return replay


def _replay_segment(disk: Disk, path: str, replay: LogReplay, history: QuorumHistory) -> bool:
    file = disk.open(path)
    try:
        for step in walk(file):
            if not isinstance(step, BatchAt) or step.error is not None:
                return False
            if step.batch.base_offset > replay.offset + 1 and replay.offset >= 0:
                raise ProtocolError(f"offset {step.batch.base_offset} after {replay.offset}")
            replay.take(step.batch)
            if step.batch.is_control:
                history.add(quorum_records(step.batch))
    finally:
        file.close()
    return True


def _check_quorum_state(disk: Disk, home: DirectoryChecked, epoch: int, report: Report) -> bool:
    """Whether the file must be written anew."""
    path = f"{home.path}/{METADATA_PARTITION_DIR}/{election_state.FILE}"
    try:
        state = election_state.decode(disk.read(path), path)
    except FileNotFoundError:
        if epoch >= 0:
            message = "the file is missing: this replica has forgotten its vote"
            report(Finding(WARNING, "missing_quorum_state", path, message, f"epoch {epoch} is taken from the log"))
        return epoch >= 0
    except InvalidQuorumState as error:
        report(Finding(ERROR, "malformed_quorum_state", path, str(error).removeprefix(f"{path}: "), _NO_START))
        return True
    if state.epoch < epoch and not home.is_running:
        message = f"epoch {state.epoch}, but the metadata log has records of epoch {epoch}"
        report(Finding(ERROR, "quorum_state_behind_log", path, message, "the epoch of the log is taken"))
        return True
    return False


def _check_partitions(directory: DirectoryChecked, image: MetadataImage, report: Report) -> None:
    for name, checked in directory.partitions.items():
        parsed = partition_name(name)
        if parsed is None or name == METADATA_PARTITION_DIR:
            continue
        path = f"{directory.path}/{name}"
        topic = image.topics.by_name.get(parsed.topic)
        if checked.topic_id is not None and topic is not None and topic.topic_id != checked.topic_id:
            message = f"its topic id is {uuid_text(checked.topic_id)}, the metadata has {uuid_text(topic.topic_id)}"
            report(Finding(ERROR, "other_topic", path, message, "set aside as a stray: its records are not served"))
        elif not directory.is_running and (topic is None or parsed.partition not in topic.partitions):
            message = "the metadata knows no such partition"
            report(Finding(WARNING, "unknown_partition", path, message, "set aside as a stray"))


def _check_replicas(directories: Sequence[DirectoryChecked], image: MetadataImage, report: Report) -> None:
    """Replicas that the metadata has in one of these directories and that are not there."""
    ids = {d.properties.directory_id: d for d in directories if d.properties is not None}
    node_ids = {d.properties.node_id for d in directories if d.properties is not None}
    for topic in image.topics.by_id.values():
        for index, partition in topic.partitions.items():
            for node_id, directory_id in zip(partition.replicas, partition.directories, strict=False):
                home = ids.get(directory_id)
                if node_id not in node_ids or home is None or home.is_running:
                    continue
                name = f"{topic.name}-{index}"
                if name not in home.partitions:
                    elsewhere = next((d.path for d in directories if name in d.partitions), None)
                    message = "the metadata has a replica here" + (f", it is in {elsewhere}" if elsewhere else "")
                    recovery = "the metadata is changed to where it is" if elsewhere else "an empty log is made"
                    report(Finding(WARNING, "missing_partition", f"{home.path}/{name}", message, recovery))

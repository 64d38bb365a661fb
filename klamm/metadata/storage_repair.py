"""Mending what belongs to the metadata: its snapshots, quorum-state, and what partitions take from it.

The metadata log is cut only at its end, as a start after a crash would do it. Damage in its midst is left alone unless
that is asked for: topics may stand behind it, and a partition without its topic is set aside by the next start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from klamm.log import checkpoint
from klamm.log.dump.data_files import partition_name
from klamm.log.log_config import LogConfig
from klamm.log.repair.actions import WRITE, Action, Doing
from klamm.log.repair.directory_repair import Planner, repair_directory
from klamm.log.repair.partition_repair import PartitionPlan
from klamm.metadata.image.image import TOPIC_RESOURCE
from klamm.metadata.raft import election_state
from klamm.metadata.raft.election_state import ElectionState
from klamm.metadata.snapshot_file import BOOTSTRAP_FILE
from klamm.metadata.storage_format import METADATA_PARTITION_DIR

if TYPE_CHECKING:
    from klamm.log.verify.directory_check import DirectoryChecked
    from klamm.log.verify.partition_check import PartitionChecked
    from klamm.metadata.storage_check import StorageChecked
    from klamm.seams import Clock, Entropy


def repair_storage(
    doing: Doing,
    directories: Sequence[DirectoryChecked],
    storage: StorageChecked | None,
    clock: Clock,
    entropy: Entropy,
    *,
    is_drop_wanted: bool = False,
    is_metadata_cut_wanted: bool = False,
) -> None:
    """Mend the data directories of one node, checked just now and used by nobody. Raises OSError, KafkaError."""
    for directory in directories:
        plan_of = _planner(doing, directory, storage, is_drop_wanted, is_metadata_cut_wanted)
        repair_directory(doing, directory, plan_of, clock, entropy)
    if storage is not None:
        _repair_snapshots(doing, storage)
        _repair_quorum_state(doing, storage)


def _planner(
    doing: Doing, directory: DirectoryChecked, storage: StorageChecked | None, is_drop_wanted: bool, is_cut_wanted: bool
) -> Planner:
    starts = {
        key: start
        for key, start in directory.checkpoints.get(checkpoint.LOG_START_OFFSET, {}).items()
        if key not in directory.lowered.get(checkpoint.LOG_START_OFFSET, {})
    }
    cleaned = directory.checkpoints.get(checkpoint.CLEANER_OFFSET, {})
    image = None if storage is None else storage.image

    def plan_of(path: str, checked: PartitionChecked) -> PartitionPlan | None:
        name = partition_name(path)
        if name is None:
            return None
        is_metadata = path.endswith(f"/{METADATA_PARTITION_DIR}")
        if is_metadata and not is_cut_wanted and any(not damage.is_tail for damage in checked.damages):
            reason = "sound metadata stands behind damage; --cut-metadata would give it up"
            doing.leave(path, reason)
            return None
        topic = None if image is None else image.topics.by_name.get(name.topic)
        config = LogConfig(None if image is None else image.config(TOPIC_RESOURCE, name.topic))
        return PartitionPlan(
            path,
            checked,
            config,
            None if topic is None or name.partition not in topic.partitions else topic.topic_id,
            starts.get((name.topic, name.partition), 0),
            cleaned.get((name.topic, name.partition), 0),
            is_drop_wanted and not is_metadata,
        )

    return plan_of


def _repair_snapshots(doing: Doing, storage: StorageChecked) -> None:
    for path in storage.bad_snapshots:
        if path.endswith(f"/{BOOTSTRAP_FILE}"):
            if storage.image is None or storage.image.offset < 0:
                doing.leave(path, "only a new cluster reads it, and this one has no other metadata")
            else:
                # Without the file a start goes by the metadata log, which has its records already.
                doing.move_file(path, "it cannot be read, and the metadata log has its records")
        elif storage.image is None:
            doing.leave(path, "the metadata cannot be read without it")
        else:
            doing.move_file(path, "it cannot be read, and the metadata is whole without it")


def _repair_quorum_state(doing: Doing, storage: StorageChecked) -> None:
    path = storage.bad_quorum_state
    if path is None:
        return
    voters = storage.voters.voters
    if len(voters) != 1:
        doing.leave(path, "a vote that is forgotten may be given twice: remove this voter from its quorum, then add it")
        return
    if doing.disk.exists(path):
        doing.move_file(path, "it cannot be trusted")
    content = election_state.encode(ElectionState(storage.epoch), storage.kraft_version, (voters[0].node_id,))
    action = Action(WRITE, path, f"epoch {storage.epoch}, nobody voted for: this node is the whole quorum")
    doing.do(action, lambda: doing.disk.write_atomic(path, content))

"""Mending a data directory: its partitions, and then the checkpoints, which may not say more than the logs hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from klamm.log import checkpoint
from klamm.log.dump.data_files import partition_name
from klamm.log.repair.actions import WRITE, Action, Doing
from klamm.log.repair.partition_repair import PartitionPlan, repair_partition

if TYPE_CHECKING:
    from klamm.log.checkpoint import TopicPartition
    from klamm.log.disk import Disk
    from klamm.log.verify.directory_check import DirectoryChecked
    from klamm.log.verify.partition_check import PartitionChecked
    from klamm.seams import Clock, Entropy

Planner = Callable[[str, "PartitionChecked"], PartitionPlan | None]
"""(path of the partition's directory, what its check has found) to the plan; None leaves the partition as it is."""


def repair_directory(doing: Doing, checked: DirectoryChecked, plan_of: Planner, clock: Clock, entropy: Entropy) -> None:
    """Mend a data directory that was checked just now, and that nobody else uses. Raises OSError, KafkaError."""
    ends: dict[TopicPartition, int] = {}
    for name, partition in checked.partitions.items():
        parsed = partition_name(name)
        if parsed is None:
            continue
        plan = plan_of(f"{checked.path}/{name}", partition)
        ends[parsed.topic, parsed.partition] = (
            partition.end_offset if plan is None else repair_partition(doing, plan, clock, entropy)
        )
    for name in checked.malformed:
        path = f"{checked.path}/{name}"
        kept = {key: offset for key, offset in salvaged(doing.disk, path).items() if key in ends}
        doing.move_file(path, "it does not follow its form")
        _write(doing, path, _lowered(name, kept, ends), f"the {len(kept)} entries that can be read")
    for name, offsets in checked.checkpoints.items():
        mended = _lowered(name, offsets, ends)
        if mended != offsets:
            told = ", ".join(f"{t}-{i}" for t, i in sorted(offsets) if mended.get((t, i)) != offsets[t, i])
            _write(doing, f"{checked.path}/{name}", mended, f"no more than the logs hold, of {told}")


def _lowered(
    name: str, offsets: dict[TopicPartition, int], ends: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """The offsets, none of them above its log's end. Entries of partitions that are not here stay."""
    if name == checkpoint.LOG_START_OFFSET:
        # Nobody knows what a wrong one was: without it, the log begins with its first segment.
        return {key: offset for key, offset in offsets.items() if 0 <= offset <= ends.get(key, offset)}
    return {key: max(0, min(offset, ends.get(key, offset))) for key, offset in offsets.items()}


def salvaged(disk: Disk, path: str) -> dict[TopicPartition, int]:
    """The lines of a damaged checkpoint that are entries beyond doubt."""
    found: dict[TopicPartition, int] = {}
    for line in disk.read(path).decode("utf-8", "replace").split("\n")[2:-1]:
        words = line.split(" ")
        if (
            len(words) == 3
            and words[1].isascii()
            and words[1].isdecimal()
            and words[2].isascii()
            and words[2].isdecimal()
        ):
            found[words[0], int(words[1])] = int(words[2])
    return found


def _write(doing: Doing, path: str, offsets: dict[TopicPartition, int], message: str) -> None:
    doing.do(Action(WRITE, path, message), lambda: checkpoint.write_offsets(doing.disk, path, offsets))

"""Which log directory a new partition goes to when nobody says where it is to be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from klamm.log.log_dir import LogDir
    from klamm.log.partition_log import PartitionLog


def candidates(online: list[LogDir], cordoned: Container[str], logs: Iterable[PartitionLog]) -> list[LogDir]:
    """The directories, best first: those with the fewest of `logs`, and none at a path that is cordoned (KIP-1066).

    As in Kafka a directory that is alone takes everything, and so does the first one when all are cordoned: the
    controller sends nothing then.
    """
    if len(online) == 1:
        return online
    counts = Counter(log.log_dir.path for log in logs)
    free = [directory for directory in online if directory.path not in cordoned]
    return sorted(free, key=lambda directory: counts[directory.path]) or online[:1]

"""The features of Kafka 4.3 and their levels: what a node offers, what a new cluster of any release starts with.

Levels of metadata.version: 7 = 3.3-IV3 ... 30 = 4.3-IV0. klamm writes at 22 (4.0-IV0) and above, and follows a cluster
at 17 (3.7-IV2) and above.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from klamm.metadata.image.cluster import VersionRange

METADATA_VERSION = "metadata.version"
KRAFT_VERSION = "kraft.version"
TRANSACTION_VERSION = "transaction.version"
GROUP_VERSION = "group.version"
ELR_VERSION = "eligible.leader.replicas.version"
SHARE_VERSION = "share.version"
STREAMS_VERSION = "streams.version"

METADATA_VERSION_MIN = 7
METADATA_VERSION_LATEST = 30
METADATA_VERSION_WRITABLE_MIN = 22
METADATA_VERSION_READABLE_MIN = 17
CORDONED_LOG_DIRS_SINCE = 30

SUPPORTED: dict[str, VersionRange] = {
    GROUP_VERSION: VersionRange(0, 1),
    KRAFT_VERSION: VersionRange(0, 1),
    METADATA_VERSION: VersionRange(METADATA_VERSION_MIN, METADATA_VERSION_LATEST),
    SHARE_VERSION: VersionRange(0, 1),
    STREAMS_VERSION: VersionRange(0, 1),
    TRANSACTION_VERSION: VersionRange(0, 2),
    ELR_VERSION: VersionRange(0, 1),
}
"""What a 4.3 node puts into its registration; real nodes of that release must be able to join, so these are Kafka's."""

VERSION_NAMES: dict[int, str] = {
    7: "3.3-IV3",
    8: "3.4-IV0",
    9: "3.5-IV0",
    10: "3.5-IV1",
    11: "3.5-IV2",
    12: "3.6-IV0",
    13: "3.6-IV1",
    14: "3.6-IV2",
    15: "3.7-IV0",
    16: "3.7-IV1",
    17: "3.7-IV2",
    18: "3.7-IV3",
    19: "3.7-IV4",
    20: "3.8-IV0",
    21: "3.9-IV0",
    22: "4.0-IV0",
    23: "4.0-IV1",
    24: "4.0-IV2",
    25: "4.0-IV3",
    26: "4.1-IV0",
    27: "4.1-IV1",
    28: "4.2-IV0",
    29: "4.2-IV1",
    30: "4.3-IV0",
}
"""metadata.version level -> the name that tools show."""


_DEFAULTS: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    ELR_VERSION: ((26, 1),),
    GROUP_VERSION: ((22, 1),),
    SHARE_VERSION: ((28, 1),),
    STREAMS_VERSION: ((29, 1),),
    TRANSACTION_VERSION: ((24, 2),),
}
"""Feature -> (metadata.version from which on, level of a cluster that is formatted at it)."""

DEPENDENCIES: Final[Mapping[tuple[str, int], Mapping[str, int]]] = {(ELR_VERSION, 1): {METADATA_VERSION: 23}}
"""(feature, level) -> the lowest levels of other features that it needs (KIP-1022)."""

_CHANGES_RECORDS: Final = frozenset((7, 8, 11, 13, 14, 15, 17, 23, 30))
"""The levels of metadata.version that brought new records or new fields."""


def default_levels(metadata_version: int) -> dict[str, int]:
    """The levels of a new cluster that is formatted at `metadata_version`, features at level 0 left out."""
    levels = {METADATA_VERSION: metadata_version}
    for name, steps in _DEFAULTS.items():
        reached = [level for since, level in steps if metadata_version >= since]
        if reached:
            levels[name] = reached[-1]
    return levels


def levels_of_new_cluster(chosen: Mapping[str, int]) -> dict[str, int]:
    """The defaults at the chosen metadata.version (the newest if none is), with the other chosen levels in them."""
    levels = {**default_levels(chosen.get(METADATA_VERSION, METADATA_VERSION_LATEST)), **chosen}
    return dict(sorted(levels.items(), key=lambda item: (item[0] != METADATA_VERSION, item[0])))


def metadata_version_of(release: str) -> int:
    """The level of a release as people write it: "4.1-IV0", or "4.1" and "4.1.2" for the newest of that release.

    Raises ValueError.
    """
    wanted = ".".join(release.split(".")[:2])
    levels = [level for level, name in VERSION_NAMES.items() if wanted in (name, name.partition("-")[0])]
    if not levels:
        known = f"{VERSION_NAMES[METADATA_VERSION_MIN]} to {VERSION_NAMES[METADATA_VERSION_LATEST]}"
        raise ValueError(f"there is no metadata.version {release}; known are {known}")
    return levels[-1]


def level_name(metadata_version: int) -> str:
    """A level for people: "4.1-IV0", or the number when klamm does not know it."""
    return VERSION_NAMES.get(metadata_version, str(metadata_version))


def is_lossless(metadata_version: int, other: int) -> bool:
    """Whether a cluster can go from the one level of metadata.version to the other, downward too, and lose nothing."""
    low, high = sorted((metadata_version, other))
    return not any(low < level <= high for level in _CHANGES_RECORDS)


def unmet_dependency(name: str, level: int, levels: Mapping[str, int]) -> str | None:
    """Why the feature cannot be at that level when the others are at `levels`; None if it can (KIP-1022)."""
    for needed, needed_level in DEPENDENCIES.get((name, level), {}).items():
        if levels.get(needed, 0) < needed_level:
            return f"{name} could not be set to {level} because it depends on {needed} level {needed_level}"
    return None


def reason_not_readable(metadata_version: int) -> str | None:
    """Why klamm cannot follow a cluster at that level; None if it can."""
    if METADATA_VERSION_READABLE_MIN <= metadata_version <= METADATA_VERSION_LATEST:
        return None
    low, high = level_name(METADATA_VERSION_READABLE_MIN), level_name(METADATA_VERSION_LATEST)
    return f"the cluster is at metadata.version {level_name(metadata_version)}; klamm reads {low} to {high}"


def reason_not_writable(metadata_version: int) -> str | None:
    """Why klamm cannot be the active controller of a cluster at that level; None if it can."""
    if METADATA_VERSION_WRITABLE_MIN <= metadata_version <= METADATA_VERSION_LATEST:
        return None
    low, high = level_name(METADATA_VERSION_WRITABLE_MIN), level_name(METADATA_VERSION_LATEST)
    return f"the cluster is at metadata.version {level_name(metadata_version)}; klamm writes {low} to {high}"


BOOTSTRAP: Final[Mapping[str, int]] = default_levels(METADATA_VERSION_LATEST)
"""The levels that `kafka-storage format` of 4.3 finalizes, in its order; kraft.version is not a metadata record."""


def is_elr_supported(metadata_version: int) -> bool:
    """Eligible leader replicas (KIP-966) have fields in the records from 4.0-IV1 on."""
    return metadata_version >= 23


def is_cordoned_log_dirs_supported(metadata_version: int) -> bool:
    """Registrations tell which log directories take no new replicas, from 4.3-IV0 on."""
    return metadata_version >= CORDONED_LOG_DIRS_SINCE

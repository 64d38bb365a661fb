"""The features of Kafka 4.3 and their levels: what a node offers, what a new cluster starts with.

Levels of metadata.version: 7 = 3.3-IV3 ... 30 = 4.3-IV0. klamm writes at 22 (4.0-IV0) and above.
"""

from __future__ import annotations

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

BOOTSTRAP: dict[str, int] = {
    METADATA_VERSION: METADATA_VERSION_LATEST,
    ELR_VERSION: 1,
    GROUP_VERSION: 1,
    SHARE_VERSION: 1,
    STREAMS_VERSION: 1,
    TRANSACTION_VERSION: 2,
}
"""The levels `kafka-storage format` of 4.3 finalizes, in its order; kraft.version is not a metadata record."""

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


def is_elr_supported(metadata_version: int) -> bool:
    """Eligible leader replicas (KIP-966) have fields in the records from 4.0-IV1 on."""
    return metadata_version >= 23


def is_cordoned_log_dirs_supported(metadata_version: int) -> bool:
    """Registrations tell which log directories take no new replicas, from 4.3-IV0 on."""
    return metadata_version >= 30

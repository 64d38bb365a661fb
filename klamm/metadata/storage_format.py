"""Log directories before their first use: what `klamm format` and a first start write into them.

`meta.properties` is written last, so that a directory that was formatted half is formatted again. The files are those
of `kafka-storage format` with `--standalone` or `--initial-controllers`; without a voter set where the node is no voter
from the beginning, or `controller.quorum.voters` names the voters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from klamm.kproto.metadata_records import FeatureLevelRecord
from klamm.kproto.schema import Message
from klamm.kproto.uuids import METADATA_TOPIC_ID, uuid_text
from klamm.log import partition_metadata
from klamm.log.leftovers import parse_name
from klamm.log.log_dir import LogDir
from klamm.log.log_dirs import LogDirs
from klamm.log.meta_properties import MetaProperties
from klamm.metadata import features
from klamm.metadata.raft.voters import Voter, VoterEndpoint, VoterSet
from klamm.metadata.snapshot_file import BOOTSTRAP_FILE, BOOTSTRAP_SNAPSHOT, encode_snapshot, file_name

METADATA_PARTITION_DIR = "__cluster_metadata-0"


class StorageError(Exception):
    """Log directories that cannot be used, in words for the person who starts the node."""


class Storage(NamedTuple):
    """Who the log directories belong to. `directory_id` is that of the directory with the metadata log."""

    cluster_id: str
    node_id: int
    directory_id: bytes
    was_formatted: bool
    """Whether this call has formatted them."""


class FormatOptions(NamedTuple):
    """`cluster_id` None draws one. `feature_levels`: other levels than those a new 4.3 cluster has;
    with a lower metadata.version the rest is as a new cluster of that release has it.

    `controller_endpoints` are where this node's controller listens, written into the voter set; `is_standalone` is
    false when the voters are static (`controller.quorum.voters`) or the node is to find them. `initial_voters` are all
    voters of a new quorum (KIP-853): a node that is one of them gets the directory id that it has there.
    `metadata_dir` is one of the log directories, the first if None.
    """

    node_id: int
    cluster_id: str | None = None
    controller_endpoints: tuple[VoterEndpoint, ...] = ()
    is_standalone: bool = True
    feature_levels: Mapping[str, int] = {}
    metadata_dir: str | None = None
    initial_voters: VoterSet = VoterSet(())


def open_storage(log_dirs: LogDirs, options: FormatOptions) -> Storage:
    """Open (lock) the directories and format what has not been. Directories that are new beside others join them.

    Raises StorageError, LogDirError, InvalidMetaProperties; the directories are released again then.
    """
    found = log_dirs.open()
    try:
        return _agree(log_dirs, found, options)
    except BaseException:
        for directory in log_dirs.directories:
            directory.release()
        raise


def metadata_directory(log_dirs: LogDirs, path: str | None) -> LogDir:
    """The log directory that holds the metadata log. Raises StorageError when `path` is none of them."""
    if path is None:
        return log_dirs.directories[0]
    for directory in log_dirs.directories:
        if directory.path == path:
            return directory
    raise StorageError(
        f"metadata.log.dir={path} is none of log.dirs: {', '.join(d.path for d in log_dirs.directories)}"
    )


def _agree(log_dirs: LogDirs, found: MetaProperties | None, options: FormatOptions) -> Storage:
    metadata_dir = metadata_directory(log_dirs, options.metadata_dir)
    if metadata_dir.failure is not None:
        raise StorageError(f"{metadata_dir.path}, the directory of the metadata log, fails: {metadata_dir.reason}")
    if found is not None:
        if found.node_id != options.node_id:
            raise StorageError(f"log.dirs belong to node {found.node_id}, configured is node.id={options.node_id}")
        if options.cluster_id not in (None, found.cluster_id):
            raise StorageError(f"log.dirs belong to cluster {found.cluster_id}, asked for is {options.cluster_id}")
        if metadata_dir.path not in log_dirs.directory_ids:
            raise StorageError(f"{metadata_dir.path} should hold the metadata log, but is new beside other log.dirs")
    for directory in log_dirs.healthy:
        stranger = f"{directory.path}/{METADATA_PARTITION_DIR}"
        if directory is not metadata_dir and log_dirs.disk.exists(stranger):
            raise StorageError(f"{stranger} is there, but the metadata log is to be in {metadata_dir.path}")
    cluster_id = found.cluster_id if found else options.cluster_id or uuid_text(log_dirs.entropy.uuid())
    ids = log_dirs.directory_ids
    for directory in log_dirs.healthy:
        if directory.path not in ids and (names := _partitions_in(directory)):
            raise StorageError(f"{directory.path} has no meta.properties but holds data ({names[0]}): whose is it?")
    fresh = {d.path: log_dirs.entropy.uuid() for d in log_dirs.healthy if d.path not in ids}
    if found is None:
        own = options.initial_voters.voter(options.node_id)
        if own is not None:
            fresh[metadata_dir.path] = own.directory_id
        voters = _first_voters(options, own, fresh[metadata_dir.path])
        _write_quorum(metadata_dir, voters, options, log_dirs.clock.time_ms())
    for directory in log_dirs.healthy:
        if (directory_id := fresh.get(directory.path)) is not None:
            directory.write_meta_properties(MetaProperties(cluster_id, options.node_id, directory_id))
            ids[directory.path] = directory_id
    return Storage(cluster_id, options.node_id, ids[metadata_dir.path], found is None)


def _first_voters(options: FormatOptions, own: Voter | None, directory_id: bytes) -> VoterSet | None:
    """The voter set that this node starts with; None when it is to learn it."""
    if options.initial_voters.voters:
        return None if own is None else options.initial_voters
    if not options.is_standalone:
        return None
    return VoterSet((Voter(options.node_id, directory_id, options.controller_endpoints),))


def _partitions_in(directory: LogDir) -> list[str]:
    """What there is beside a half-made format. Raises OSError."""
    disk, path = directory.disk, directory.path
    names = [name for name in disk.list_directory(path) if name != METADATA_PARTITION_DIR and parse_name(name)]
    return [name for name in names if disk.is_directory(f"{path}/{name}")]


def bootstrap_records(feature_levels: Mapping[str, int] | None = None) -> list[Message]:
    """The records of bootstrap.checkpoint: the given levels, the others as the release of metadata.version had them.

    Raises StorageError for a level that klamm cannot write.
    """
    levels = features.levels_of_new_cluster(feature_levels or {})
    for name, level in levels.items():
        supported = features.SUPPORTED.get(name)
        if supported is None:
            raise StorageError(f"there is no feature {name}; known are {', '.join(sorted(features.SUPPORTED))}")
        low = features.METADATA_VERSION_WRITABLE_MIN if name == features.METADATA_VERSION else supported.min_version
        if not low <= level <= supported.max_version:
            raise StorageError(f"{name}={level} is not within {low} to {supported.max_version}")
        if (unmet := features.unmet_dependency(name, level, levels)) is not None:
            raise StorageError(unmet)
    # A level of 0 is what a cluster has anyway: Kafka writes no record for it.
    return [
        FeatureLevelRecord(name=name, feature_level=level)
        for name, level in levels.items()
        if level and name != features.KRAFT_VERSION
    ]


def _write_quorum(metadata_dir: LogDir, voters: VoterSet | None, options: FormatOptions, now_ms: int) -> None:
    disk = metadata_dir.disk
    level = options.feature_levels.get(features.METADATA_VERSION, features.METADATA_VERSION_LATEST)
    rows = bootstrap_records(options.feature_levels)
    if voters is not None and options.feature_levels.get(features.KRAFT_VERSION) == 0:
        raise StorageError(f"{features.KRAFT_VERSION}=0 has no voter set: name the voters by controller.quorum.voters")
    data = encode_snapshot(rows, level, timestamp_ms=now_ms)
    directory = f"{metadata_dir.path}/{METADATA_PARTITION_DIR}"
    disk.make_directory(directory)
    disk.write_atomic(f"{metadata_dir.path}/{BOOTSTRAP_FILE}", data)
    partition_metadata.write_topic_id(disk, f"{directory}/{partition_metadata.FILE}", METADATA_TOPIC_ID)
    if voters is not None:
        snapshot = encode_snapshot(
            [],
            level,
            timestamp_ms=now_ms,
            last_contained_log_timestamp=now_ms,
            kraft_version=1,
            voters=voters,
        )
        disk.write_atomic(f"{directory}/{file_name(BOOTSTRAP_SNAPSHOT)}", snapshot)
        disk.protect(f"{directory}/{file_name(BOOTSTRAP_SNAPSHOT)}")

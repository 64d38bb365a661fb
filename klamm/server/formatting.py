"""Formatting log directories by a node's configuration, outside of a node: for commands and for prepared clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from klamm.kproto.uuids import uuid_bytes
from klamm.log.io_thread import InlineIo
from klamm.log.log_dirs import LogDirs
from klamm.metadata.raft.voters import Voter, VoterEndpoint, VoterSet
from klamm.metadata.storage_format import FormatOptions, Storage, open_storage
from klamm.seams import Entropy, StoppedClock, SystemEntropy
from klamm.server.config.addresses import parse_address
from klamm.server.config.profiles import CONTROLLER

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.server.config.broker_config import BrokerConfig


class Formatted(NamedTuple):
    """`failures`: path and reason of every directory that could not be formatted."""

    storage: Storage
    failures: list[tuple[str, str]]


def format_directories(
    config: BrokerConfig,
    disk: Disk,
    *,
    cluster_id: str | None = None,
    is_standalone: bool = True,
    initial_voters: VoterSet | None = None,
    feature_levels: Mapping[str, int] | None = None,
    entropy: Entropy | None = None,
) -> Formatted:
    """Format the node's log directories and release them again; what is formatted already stays.

    Raises LogDirError, StorageError, InvalidMetaProperties, OSError.
    """
    io = InlineIo()
    log_dirs = LogDirs(
        config.log_dirs,
        disk=disk,
        clock=StoppedClock(),
        entropy=entropy or SystemEntropy(),
        writer=io,
        flusher=io,
        metadata_path=config.metadata_log_dir,
    )
    options = FormatOptions(
        config.node_id,
        cluster_id,
        is_standalone=is_standalone and not config.quorum_voters,
        feature_levels=feature_levels or {},
        metadata_dir=config.metadata_log_dir,
        initial_voters=initial_voters or VoterSet(()),
    )
    storage = open_storage(log_dirs, options)
    log_dirs.release()
    failures = [(d.path, d.reason) for d in log_dirs.directories if d.failure is not None]
    return Formatted(storage, failures)


def parse_initial_controllers(text: str, listener_name: str = CONTROLLER) -> VoterSet:
    """`id@host:port:directory-id` entries, separated by commas, as kafka-storage takes them. Raises ValueError."""
    found = VoterSet.of(_initial_controller(entry.strip(), listener_name) for entry in text.split(","))
    if len(set(found.ids)) != len(found.ids):
        raise ValueError(f"every initial controller needs an id of its own: {found.ids}")
    return found


def _initial_controller(entry: str, listener_name: str) -> Voter:
    node_id, _, rest = entry.partition("@")
    host_port, _, directory_id = rest.rpartition(":")
    address = parse_address(host_port)
    if not node_id.isdecimal() or address is None:
        raise ValueError(f"{entry}: id@host:port:directory-id was expected")
    return Voter(int(node_id), uuid_bytes(directory_id), (VoterEndpoint(listener_name, address.host, address.port),))

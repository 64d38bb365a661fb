"""Who log directories belong to: their `meta.properties` must agree before anything in them is touched.

A directory whose identity cannot be read is taken offline; one that belongs to somebody else keeps the node from
starting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from klamm.log.log_dir import LogDir, LogDirError
from klamm.log.meta_properties import InvalidMetaProperties, MetaProperties, MissingIdentity

if TYPE_CHECKING:
    from klamm.seams import Entropy


def open_all(directories: Sequence[LogDir]) -> list[LogDir]:
    """Lock the directories; those that could be. Raises LogDirError, and has released them all then."""
    opened: list[LogDir] = []
    seen = set()
    try:
        for directory in directories:
            path = directory.path.rstrip("/")
            if path in seen:
                raise LogDirError(f"log.dirs has {directory.path} twice")
            seen.add(path)
            directory.open()
            if directory.failure is None:
                opened.append(directory)
    except BaseException:
        for directory in opened:
            directory.release()
        raise
    return opened


def identify(opened: Sequence[LogDir], entropy: Entropy) -> tuple[MetaProperties | None, dict[str, bytes]]:
    """Read every `meta.properties`: (whose they are, path to directory id of those that have one).

    A directory from before directory ids gets one. Raises LogDirError.
    """
    found: MetaProperties | None = None
    first = ""
    ids: dict[str, bytes] = {}
    for directory in opened:
        try:
            properties = directory.read_meta_properties()
            if properties is None:
                continue
            directory_id = properties.directory_id
            if directory_id is None:
                directory_id = entropy.uuid()
                directory.write_meta_properties(properties._replace(directory_id=directory_id))
        except MissingIdentity as error:
            raise LogDirError(str(error)) from None
        except (InvalidMetaProperties, OSError) as error:
            directory.failure = error if isinstance(error, OSError) else OSError(str(error))
            directory.release()
            continue
        if found is not None and (found.cluster_id, found.node_id) != (properties.cluster_id, properties.node_id):
            raise LogDirError(
                f"{directory.path} belongs to node {properties.node_id} of cluster {properties.cluster_id}, "
                f"{first} to node {found.node_id} of cluster {found.cluster_id}"
            )
        if directory_id in ids.values():
            raise LogDirError(f"{directory.path} has the directory id of another log directory")
        ids[directory.path] = directory_id
        if found is None:
            found, first = properties, directory.path
    return found, ids

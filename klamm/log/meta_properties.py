"""`meta.properties`: which cluster, node and directory a log directory belongs to.

Java properties, version 1. One in every log directory; the directory id differs in each (KIP-858).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from klamm.kproto.uuids import uuid_bytes, uuid_text

if TYPE_CHECKING:
    from klamm.log.disk import Disk

FILE: Final = "meta.properties"


class InvalidMetaProperties(Exception):
    """A `meta.properties` that cannot be used, in words for the person who starts the node."""


class MissingIdentity(InvalidMetaProperties):
    """A file of version 0 that does not say whose it is: Kafka does not start beside it."""


class MetaProperties(NamedTuple):
    """`cluster_id` is text, as users choose it; `directory_id` is 16 bytes, None in a file from before KIP-858."""

    cluster_id: str
    node_id: int
    directory_id: bytes | None


def read(disk: Disk, path: str) -> MetaProperties | None:
    """None if there is no file: the directory has not been formatted. Raises InvalidMetaProperties."""
    try:
        text = disk.read(path).decode("latin-1")
    except FileNotFoundError:
        return None
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.lstrip().startswith(("#", "!")):
            values[name.strip()] = value.strip().replace("\\:", ":").replace("\\=", "=")
    # A file without a version is one of version 0, from a cluster that once ran on ZooKeeper.
    version = values.get("version", "0")
    if version not in ("0", "1"):
        raise InvalidMetaProperties(f"{path}: version {version!r}, expected 1")
    directory_id = values.get("directory.id")
    try:
        return MetaProperties(
            values["cluster.id"],
            int(values["broker.id" if version == "0" else "node.id"]),
            None if directory_id is None else uuid_bytes(directory_id),
        )
    except KeyError as error:
        kind = MissingIdentity if version == "0" else InvalidMetaProperties
        raise kind(f"{path}: {error.args[0]} is missing") from None
    except ValueError as error:
        raise InvalidMetaProperties(f"{path}: {error}") from None


def write(disk: Disk, path: str, properties: MetaProperties) -> None:
    """Replace the file. The directory id must be known."""
    assert properties.directory_id is not None
    cluster_id = properties.cluster_id.replace("=", "\\=").replace(":", "\\:")
    lines = (
        "#",
        f"cluster.id={cluster_id}",
        f"directory.id={uuid_text(properties.directory_id)}",
        f"node.id={properties.node_id}",
        "version=1",
    )
    disk.write_atomic(path, "".join(f"{line}\n" for line in lines).encode("latin-1"))

"""`partition.metadata`: which topic id a partition directory belongs to.

Two lines, `version: 0` and `topic_id: <uuid>`, without a newline at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from klamm.kproto.uuids import ZERO, uuid_bytes, uuid_text

if TYPE_CHECKING:
    from klamm.log.disk import Disk

FILE: Final = "partition.metadata"


class InconsistentTopicId(Exception):
    """A `partition.metadata` file that does not follow its form, or names another topic."""


def read_topic_id(disk: Disk, path: str) -> bytes | None:
    """The topic id (16 bytes), None if there is no file. Raises InconsistentTopicId."""
    try:
        text = disk.read(path).decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise InconsistentTopicId(f"{path} is no text") from None
    try:
        fields = dict(line.split(": ", 1) for line in text.splitlines() if line)
        if fields["version"] != "0":
            raise InconsistentTopicId(f"{path} has version {fields['version']}, known is 0")
        topic_id = uuid_bytes(fields["topic_id"].strip())
    except (KeyError, ValueError):
        raise InconsistentTopicId(f"{path} holds no version and topic id") from None
    if topic_id == ZERO:
        raise InconsistentTopicId(f"{path} holds the zero topic id")
    return topic_id


def write_topic_id(disk: Disk, path: str, topic_id: bytes) -> None:
    """Replace the file."""
    disk.write_atomic(path, f"version: 0\ntopic_id: {uuid_text(topic_id)}".encode())

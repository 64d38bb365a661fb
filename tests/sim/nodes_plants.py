"""Planted bugs for whole nodes: each breaks one promise, in a test only, and the ledgers must find it.

Where the bug lies in the Raft core or in the log, it is the one that their own simulations plant.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest import mock

from klamm.log.faulty_disk import FaultyDisk
from tests.sim import log_plants

Planting = Callable[[], AbstractContextManager[object]]


def _metadata_is_not_synced() -> AbstractContextManager[object]:
    """What the metadata log tells to be synced is only written."""
    fsync = FaultyDisk.open

    def open_(self: FaultyDisk, path: str, *, create: bool = False) -> object:
        file = fsync(self, path, create=create)
        return _Unsyncable(file) if "__cluster_metadata" in path and path.endswith(".log") else file

    return mock.patch.object(FaultyDisk, "open", open_)


class _Unsyncable:
    """A file whose syncs do nothing."""

    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def fsync(self) -> None:
        pass


PLANTS: dict[str, tuple[str, Planting]] = {
    "skip the fsync": ("1", log_plants.skip_the_fsync),
    "answer before the fsync": ("1", log_plants.answer_before_the_fsync),
    "skip the fsync of the metadata": ("1", _metadata_is_not_synced),
}
"""Bug: the layout in which it shows, and what plants it."""


def planted(name: str) -> AbstractContextManager[object]:
    """The nodes with that bug."""
    return PLANTS[name][1]()


def layout_of(name: str) -> str:
    """The name of the layout in which the bug shows."""
    return PLANTS[name][0]

"""The facts of any file: its kind decides who reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from klamm.log.dump import data_files
from klamm.log.dump.data_files import DataFile
from klamm.log.dump.facts import DumpOptions, Fact, Facts
from klamm.log.dump.index_facts import index_facts, txn_index_facts
from klamm.log.dump.segment_facts import segment_facts
from klamm.log.dump.state_facts import state_facts

if TYPE_CHECKING:
    from klamm.log.disk import Disk


def dump(disk: Disk, file: DataFile, options: DumpOptions) -> Facts:
    """A `file` fact, then those of the file, as they are read. Raises OSError."""
    start: Fact = {"fact": "file", "file": file.path, "kind": file.kind, "size": disk.size(file.path)}
    if file.pending is not None:
        start["pending"] = file.pending
    yield start
    yield from _BY_KIND.get(file.kind, state_facts)(disk, file, options)


_BY_KIND: Final[dict[str, Callable[[Disk, DataFile, DumpOptions], Facts]]] = {
    data_files.LOG: segment_facts,
    data_files.METADATA_SNAPSHOT: segment_facts,
    data_files.OFFSET_INDEX: index_facts,
    data_files.TIME_INDEX: index_facts,
    data_files.TXN_INDEX: txn_index_facts,
}

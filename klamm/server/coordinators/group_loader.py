"""Reads a partition of `__consumer_offsets` into a group machine, a buffer at a time.

What fits one buffer is loaded at once, so that a small broker serves its groups from the moment it leads them; more is
loaded between other work. A damaged log is not served from: its groups stay at COORDINATOR_LOAD_IN_PROGRESS.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.seams import Clock, Timer
from klamm.server.coordinators.coordinator_log import CoordinatorPartition, Replayed, read_entries
from klamm.server.coordinators.group_machine import GroupMachine
from klamm.server.coordinators.group_records import GROUP_RECORD_TYPES

log = logging.getLogger(__name__)


def replay_all(machine: GroupMachine, entries: Iterable[Replayed]) -> None:
    """Rebuild `machine` from entries in the order of the log."""
    for entry in entries:
        machine.replay(entry)


class GroupLoader:
    """One load; `loaded(end_offset)` is called behind the last record, unless the load was stopped before."""

    def __init__(
        self,
        machine: GroupMachine,
        partition: CoordinatorPartition,
        buffer_size_bytes: int,
        clock: Clock,
        loaded: Callable[[int], None],
    ) -> None:
        self._machine, self._partition, self._clock = machine, partition, clock
        self._buffer_size_bytes = buffer_size_bytes
        self._loaded = loaded
        self._timer: Timer | None = None

    def start(self) -> None:
        self._load(self._partition.log_start_offset)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _load(self, offset: int) -> None:
        try:
            after = self._load_buffer(offset)
        except (KafkaError, ProtocolError) as error:
            log.error("cannot load groups from offset %d on: %s", offset, error)
            return
        if after == offset or not self._partition.read(after, 1):
            self._loaded(after)
        else:
            self._timer = self._clock.call_later(0, lambda: self._load(after))

    def _load_buffer(self, offset: int) -> int:
        """Replay one buffer; gives the offset behind it, or `offset` when the log ends there."""
        data = self._partition.read(offset, self._buffer_size_bytes)
        for after, entries in read_entries(data, offset, GROUP_RECORD_TYPES):
            replay_all(self._machine, entries)
            offset = after
        return offset

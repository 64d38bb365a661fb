"""The group machine: all groups and offsets of one `__consumer_offsets` partition.

Commands are grouped by what they are about (`joins`, `members`, `offsets`, `listing`); this module has what is common
to them, above all `apply`. Other group protocols get their own record types and commands beside the classic one's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from klamm.kproto import group_records as g
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.seams import Clock, Entropy
from klamm.server.coordinators.classic_group import ClassicGroup, answer_join, answer_sync, join_error
from klamm.server.coordinators.classic_join import ClassicJoin
from klamm.server.coordinators.classic_protocol import ClassicProtocol
from klamm.server.coordinators.classic_rebalance import ClassicRebalance
from klamm.server.coordinators.coordinator_log import EndTransaction, Replayed
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.group_listing import GroupListing
from klamm.server.coordinators.group_records import empty_group_record
from klamm.server.coordinators.group_settings import GroupSettings
from klamm.server.coordinators.offset_commands import OffsetCommands
from klamm.server.coordinators.offset_table import OffsetTable
from klamm.server.coordinators.turn import Turn

_EXPIRY: Final = ("expiry",)


class GroupMachine:
    """One partition's groups: rebuilt by `replay`, started by `loaded`, changed by the decisions of its commands."""

    def __init__(self, settings: GroupSettings, clock: Clock, entropy: Entropy) -> None:
        self._settings, self._clock = settings, clock
        self.groups: dict[str, ClassicGroup] = {}
        self.offset_table = OffsetTable()
        self._rebalance = ClassicRebalance(self.groups, settings, clock)
        self.joins = ClassicJoin(self.groups, self._rebalance, settings, entropy)
        self.members = ClassicProtocol(self.groups, self._rebalance)
        self.offsets = OffsetCommands(self.groups, self.offset_table, self._rebalance, settings, clock)
        self.listing = GroupListing(self.groups, self.offsets)
        self._appliers: dict[type[Message], Callable[[Any, Any, int], None]] = {
            g.LegacyOffsetCommitKey: self._apply_legacy_offset,
            g.OffsetCommitKey: self._apply_offset,
            g.GroupMetadataKey: self._apply_group,
        }

    # Records

    def apply(self, record: CoordinatorRecord) -> None:
        """Take in a record that has just been appended."""
        self._appliers[type(record.key)](record.key, record.value, -1)

    def replay(self, replayed: Replayed) -> None:
        """Take in an entry of the log that is being loaded."""
        entry = replayed.entry
        if isinstance(entry, EndTransaction):
            self.offset_table.end_transaction(entry.producer_id, entry.commit)
        else:
            self._appliers[type(entry.key)](entry.key, entry.value, replayed.producer_id)

    def _apply_offset(self, key: g.OffsetCommitKey, value: g.OffsetCommitValue | None, producer_id: int) -> None:
        if value is not None and key.group not in self.groups:
            # A group without members: someone keeps offsets here and assigns partitions by hand.
            self.groups[key.group] = ClassicGroup(key.group, self._clock.time_ms())
        self.offset_table.apply(key, value, producer_id)

    def _apply_legacy_offset(
        self, key: g.LegacyOffsetCommitKey, value: g.LegacyOffsetCommitValue | None, producer_id: int
    ) -> None:
        """Record type 0, from before Kafka 0.9: the same with less in it."""
        self._apply_offset(
            g.OffsetCommitKey(group=key.group, topic=key.topic, partition=key.partition),
            None
            if value is None
            else g.OffsetCommitValue(
                offset=value.offset, metadata=value.metadata, commit_timestamp=value.commit_timestamp
            ),
            producer_id,
        )

    def _apply_group(self, key: g.GroupMetadataKey, value: g.GroupMetadataValue | None, producer_id: int) -> None:
        if value is None:
            self.groups.pop(key.group, None)
            return
        group = self.groups.get(key.group)
        if group is None:
            group = self.groups[key.group] = ClassicGroup(key.group, self._clock.time_ms())
        group.restore(value)

    # Life

    def loaded(self) -> Decision[None, CoordinatorRecord]:
        """The log has been replayed: members have a session's time to be heard of, and expiry begins."""
        turn = Turn()
        for group in self.groups.values():
            for member in list(group.members.values()):
                self._rebalance.keep_alive(turn, group, member)
            if len(group.members) > self._settings.max_size:
                self._rebalance.prepare(turn, group, f"loaded with {len(group.members)} members, more than allowed")
        self._schedule_expiry(turn)
        return turn.decide(None)

    def unload(self, code: int) -> None:
        """Another broker leads now: whoever waits is told `code`."""
        for group in self.groups.values():
            for member in group.members.values():
                answer_join(member, join_error(code, member.member_id))
                answer_sync(member, code)

    def create_group(self, group_id: str) -> Decision[None, CoordinatorRecord]:
        """A new group, written down before its first member is heard any further."""
        if group_id in self.groups:
            return Decision(None)
        return Decision(None, [empty_group_record(group_id, self._clock.time_ms())])

    def expire(self) -> Decision[None, CoordinatorRecord]:
        """The regular check for what has outlived offsets.retention.minutes; it schedules the next one."""
        turn = Turn()
        self.offsets.expire(turn)
        self._schedule_expiry(turn)
        return turn.decide(None)

    def _schedule_expiry(self, turn: Turn) -> None:
        turn.set_timer(_EXPIRY, self._settings.offsets_retention_check_interval_ms, self.expire)

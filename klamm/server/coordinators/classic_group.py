"""A group of the classic protocol as its coordinator holds it: states, members, and who waits for what.

The state is of two kinds. Generation, protocol, leader and assignments are in the log and come back with it; members
that are joining, waiting or due are known to the leading broker only and are gone after a restart, as in Kafka.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Final

from klamm.kproto import errors
from klamm.kproto.consumer_protocol import ConsumerProtocolSubscription
from klamm.kproto.errors import ProtocolError
from klamm.kproto.group_records import GroupMetadataValue
from klamm.kproto.messages.join_group import JoinGroupResponse
from klamm.kproto.messages.sync_group import SyncGroupResponse
from klamm.server.coordinators.partitioner import java_bucket

CONSUMER: Final = "consumer"
"""The protocol type of consumers; only theirs can the coordinator look into."""

Protocols = Mapping[str, bytes]
"""Protocol name -> metadata, the preferred one first."""


class GroupState(Enum):
    """Values are the names that clients see."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


EMPTY, PREPARING_REBALANCE, COMPLETING_REBALANCE, STABLE, DEAD = GroupState


class ClassicMember:
    """One member. `protocols` are all it supports; after a reload only the one that was selected."""

    __slots__ = (
        "assignment",
        "awaiting_join",
        "awaiting_sync",
        "client_host",
        "client_id",
        "group_instance_id",
        "is_new",
        "member_id",
        "protocol_type",
        "protocols",
        "rebalance_timeout_ms",
        "session_timeout_ms",
    )

    def __init__(
        self,
        member_id: str,
        group_instance_id: str | None,
        client_id: str,
        client_host: str,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        protocol_type: str,
        protocols: Protocols,
        assignment: bytes = b"",
    ) -> None:
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocol_type = protocol_type
        self.protocols = protocols
        self.assignment = assignment
        self.is_new = False
        """Has not yet been through a rebalance: it cannot send heartbeats, so only its join times out."""
        self.awaiting_join: asyncio.Future[JoinGroupResponse] | None = None
        self.awaiting_sync: asyncio.Future[SyncGroupResponse] | None = None

    @property
    def is_static(self) -> bool:
        return self.group_instance_id is not None

    @property
    def is_alive_without_heartbeat(self) -> bool:
        """Whoever waits for us cannot send heartbeats; a new member's wait is limited by its own timeout."""
        return not self.is_new and (self.awaiting_join is not None or self.awaiting_sync is not None)

    def has_protocols(self, protocols: Protocols) -> bool:
        """Whether they are the same, in the same order."""
        return list(self.protocols.items()) == list(protocols.items())

    def metadata(self, protocol: str | None) -> bytes:
        return b"" if protocol is None else self.protocols.get(protocol, b"")


class ClassicGroup:
    """One group; the coordinator's commands change it and `restore` brings back what a record says."""

    def __init__(self, group_id: str, now_ms: int) -> None:
        self.group_id = group_id
        self.state = EMPTY
        self.previous_state = DEAD
        self.state_timestamp_ms: int | None = now_ms
        self.generation_id = 0
        self.protocol_type: str | None = None
        self.protocol_name: str | None = None
        self.leader_id: str | None = None
        self.members: dict[str, ClassicMember] = {}
        self.static_members: dict[str, str] = {}
        """Instance id -> member id (KIP-345)."""
        self.pending_join: set[str] = set()
        """Member ids given out that have not joined with them yet (KIP-394)."""
        self.pending_sync: dict[str, None] = {}
        """Members of this generation that have not asked for their assignment yet."""
        self.new_member_added = False
        """Someone joined during the initial delay, which is therefore prolonged."""
        self.subscribed_topics: frozenset[str] | None = None
        """Topics of all members of a consumer group; None when they cannot be known."""

    def transition(self, state: GroupState, now_ms: int) -> None:
        self.previous_state, self.state = self.state, state
        self.state_timestamp_ms = now_ms

    def restore(self, value: GroupMetadataValue) -> None:
        """Become what the record says. Members that are known already keep who waits for them."""
        self.protocol_type = value.protocol_type or None
        self.protocol_name = value.protocol
        self.generation_id = value.generation
        self.leader_id = value.leader
        self.state_timestamp_ms = None if value.current_state_timestamp == -1 else value.current_state_timestamp
        before, self.members = self.members, {}
        self.static_members = {}
        for saved in value.members:
            member = before.get(saved.member_id)
            if member is None:
                member = ClassicMember(
                    saved.member_id,
                    saved.group_instance_id,
                    saved.client_id,
                    saved.client_host,
                    saved.session_timeout if saved.rebalance_timeout == -1 else saved.rebalance_timeout,
                    saved.session_timeout,
                    value.protocol_type,
                    {value.protocol or "": saved.subscription},
                )
            member.assignment = saved.assignment
            self.members[saved.member_id] = member
            if saved.group_instance_id is not None:
                self.static_members[saved.group_instance_id] = saved.member_id
        self.previous_state, self.state = self.state, STABLE if self.members else EMPTY
        self.subscribed_topics = self._subscribed_topics()

    # Members

    def add(self, member: ClassicMember) -> None:
        """Take a member in; the first one decides the protocol type, and leads when nobody does."""
        if not self.members:
            self.protocol_type = member.protocol_type
        if self.leader_id is None:
            self.leader_id = member.member_id
        if member.group_instance_id is not None:
            self.static_members[member.group_instance_id] = member.member_id
        self.members[member.member_id] = member
        self.pending_join.discard(member.member_id)

    def remove(self, member_id: str) -> None:
        """Forget a member, or a member id that was given out; the oldest member left leads next."""
        member = self.members.pop(member_id, None)
        if member is not None and member.group_instance_id is not None:
            self.static_members.pop(member.group_instance_id, None)
        if self.leader_id == member_id:
            self.leader_id = next(iter(self.members), None)
        self.pending_join.discard(member_id)
        self.pending_sync.pop(member_id, None)

    def replace_static(self, instance_id: str, new_member_id: str) -> ClassicMember:
        """Give a static member's place to a newcomer with its instance id; calls the old one waits for are fenced."""
        old_id = self.static_members[instance_id]
        old = self.members[old_id]
        answer_join(old, join_error(errors.FENCED_INSTANCE_ID, old_id))
        answer_sync(old, errors.FENCED_INSTANCE_ID)
        new = ClassicMember(
            new_member_id,
            instance_id,
            old.client_id,
            old.client_host,
            old.rebalance_timeout_ms,
            old.session_timeout_ms,
            old.protocol_type,
            old.protocols,
            old.assignment,
        )
        # In the place of the old one: the order of members is that of joining.
        self.members = {new.member_id if k == old_id else k: new if k == old_id else m for k, m in self.members.items()}
        if self.leader_id == old_id:
            self.leader_id = new_member_id
        if old_id in self.pending_sync:
            del self.pending_sync[old_id]
        self.static_members[instance_id] = new_member_id
        return new

    def check_member(self, member_id: str, instance_id: str | None) -> int:
        """NONE, or why the caller is not the member it says it is."""
        if instance_id is not None:
            known = self.static_members.get(instance_id)
            if known is None:
                return errors.UNKNOWN_MEMBER_ID
            if known != member_id:
                return errors.FENCED_INSTANCE_ID
        return errors.NONE if member_id in self.members else errors.UNKNOWN_MEMBER_ID

    @property
    def awaiting_join_count(self) -> int:
        return sum(m.awaiting_join is not None for m in self.members.values())

    @property
    def has_all_joined(self) -> bool:
        return not self.pending_join and all(m.awaiting_join is not None for m in self.members.values())

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest that any member asked for."""
        return max((m.rebalance_timeout_ms for m in self.members.values()), default=0)

    @property
    def can_rebalance(self) -> bool:
        return self.state in (EMPTY, COMPLETING_REBALANCE, STABLE)

    def elect_joined_leader(self) -> bool:
        """Make sure that the leader is among those who joined; False when nobody did."""
        if self.leader_id is None:
            return False
        if self.members[self.leader_id].awaiting_join is None:
            joined = next((m.member_id for m in self.members.values() if m.awaiting_join is not None), None)
            if joined is None:
                return False
            self.leader_id = joined
        return True

    # Protocols

    def supports(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether a member with `protocols` could be in this group: one of them must be everyone's."""
        if self.state is EMPTY:
            return bool(protocol_type) and bool(protocols)
        return protocol_type == self.protocol_type and any(
            all(name in m.protocols for m in self.members.values()) for name in protocols
        )

    def select_protocol(self) -> str:
        """The candidate with the most votes; each member votes for the first that it prefers.

        Between equals Kafka takes the one that comes first in a hash table, so do we.
        """
        members = self.members.values()
        first = next(iter(members))
        candidates = [name for name in first.protocols if all(name in m.protocols for m in members)]
        votes = dict.fromkeys(candidates, 0)
        for member in members:
            votes[next(name for name in member.protocols if name in votes)] += 1
        return min(votes, key=lambda name: (-votes[name], java_bucket(name)))

    def next_generation(self, now_ms: int) -> None:
        """After the join phase: choose the protocol, or be empty."""
        self.generation_id += 1
        self.protocol_name = self.select_protocol() if self.members else None
        self.subscribed_topics = self._subscribed_topics()
        self.transition(COMPLETING_REBALANCE if self.members else EMPTY, now_ms)
        self.pending_sync.clear()

    def is_subscribed(self, topic: str) -> bool:
        """Whether a consumer group reads `topic`; when that cannot be known, a consumer group counts as reading it."""
        if self.subscribed_topics is None:
            return self.protocol_type == CONSUMER
        return topic in self.subscribed_topics

    def _subscribed_topics(self) -> frozenset[str] | None:
        if self.protocol_type != CONSUMER:
            return None
        if not self.members:
            return frozenset()
        if self.protocol_name is None:
            return None
        topics: set[str] = set()
        for member in self.members.values():
            try:
                # int16 version in front; every version begins with the fields of version 0.
                topics.update(ConsumerProtocolSubscription.decode(member.metadata(self.protocol_name)[2:], 0).topics)
            except ProtocolError:
                return None
        return frozenset(topics)


def join_error(code: int, member_id: str) -> JoinGroupResponse:
    """A join that failed. Versions below 7 show the null protocol name as an empty one."""
    return JoinGroupResponse(error_code=code, protocol_name=None, leader="", member_id=member_id, members=[])


def answer_join(member: ClassicMember, response: JoinGroupResponse) -> None:
    """Complete the join that `member` waits for, if it does."""
    waiting, member.awaiting_join = member.awaiting_join, None
    if waiting is not None and not waiting.done():
        waiting.set_result(response)


def answer_sync(
    member: ClassicMember,
    error_code: int,
    assignment: bytes = b"",
    protocol_type: str | None = None,
    protocol_name: str | None = None,
) -> bool:
    """Complete the sync that `member` waits for; False when it waits for none."""
    waiting, member.awaiting_sync = member.awaiting_sync, None
    if waiting is None:
        return False
    if not waiting.done():
        waiting.set_result(
            SyncGroupResponse(
                error_code=error_code, assignment=assignment, protocol_type=protocol_type, protocol_name=protocol_name
            )
        )
    return True

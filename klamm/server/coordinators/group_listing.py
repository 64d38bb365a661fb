"""DescribeGroups, ListGroups and DeleteGroups, for the groups of one machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from klamm.kproto import errors
from klamm.kproto.messages.delete_groups import DeleteGroupsResponse
from klamm.kproto.messages.describe_groups import DescribeGroupsResponse
from klamm.kproto.messages.list_groups import ListGroupsResponse
from klamm.log.machine import Decision
from klamm.server.coordinators.classic_group import DEAD, EMPTY, STABLE, ClassicGroup
from klamm.server.coordinators.classic_rebalance import Groups
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from klamm.server.coordinators.group_records import group_tombstone
from klamm.server.coordinators.offset_commands import OffsetCommands
from klamm.server.coordinators.turn import Turn

DescribedGroup = DescribeGroupsResponse.DescribedGroup
ListedGroup = ListGroupsResponse.ListedGroup
Described = Decision[list[DescribedGroup], CoordinatorRecord]
Listed = Decision[list[ListedGroup], CoordinatorRecord]
DeletedGroup = DeleteGroupsResponse.DeletableGroupResult

_TYPE: Final = "classic"
_NOT_FOUND_SINCE: Final = 6  # DescribeGroups


def described_error(group_id: str, code: int, message: str | None = None) -> DescribedGroup:
    return DescribedGroup(
        error_code=code,
        error_message=message,
        group_id=group_id,
        group_state="",
        protocol_type="",
        protocol_data="",
        members=[],
    )


class GroupListing:
    """What administrators ask of the groups."""

    def __init__(self, groups: Groups, offsets: OffsetCommands) -> None:
        self._groups, self._offsets = groups, offsets

    def describe_groups(self, api_version: int, group_ids: Sequence[str]) -> Described:
        return Turn().decide([self._describe(api_version, group_id) for group_id in group_ids])

    def _describe(self, api_version: int, group_id: str) -> DescribedGroup:
        group = self._groups.get(group_id)
        if group is None:
            answer = described_error(group_id, errors.NONE)
            if api_version >= _NOT_FOUND_SINCE:
                answer.error_code = errors.GROUP_ID_NOT_FOUND
                answer.error_message = f"Group {group_id} not found."
            answer.group_state = DEAD.value
            return answer
        # Before the group is stable its protocol, hence what the metadata means, is not settled.
        protocol = group.protocol_name if group.state is STABLE else None
        return DescribedGroup(
            error_code=errors.NONE,
            group_id=group_id,
            group_state=group.state.value,
            protocol_type=group.protocol_type or "",
            protocol_data=protocol or "",
            members=[
                DescribedGroup.DescribedGroupMember(
                    member_id=m.member_id,
                    group_instance_id=m.group_instance_id,
                    client_id=m.client_id,
                    client_host=m.client_host,
                    member_metadata=m.metadata(protocol),
                    member_assignment=m.assignment,
                )
                for m in group.members.values()
            ],
        )

    def list_groups(self, states: Iterable[str], types: Iterable[str]) -> Listed:
        """The groups in one of `states` and of one of `types`, compared without case; none given means all."""
        wanted = {state.strip().lower() for state in states}
        kinds = {kind.lower() for kind in types}
        if kinds and _TYPE not in kinds:
            return Turn().decide([])
        return Turn().decide(
            [_listed(g) for g in self._groups.values() if not wanted or g.state.value.lower() in wanted]
        )

    def delete_groups(self, group_ids: Iterable[str]) -> Decision[list[DeletedGroup], CoordinatorRecord]:
        """Delete groups that have no members, with their offsets."""
        turn = Turn()
        results = []
        for group_id in group_ids:
            group = self._groups.get(group_id)
            code = errors.NONE
            if group is None or group.state is DEAD:
                code = errors.GROUP_ID_NOT_FOUND
            elif group.state is not EMPTY:
                code = errors.NON_EMPTY_GROUP
            else:
                self._offsets.delete_all(turn, group_id)
                turn.records.append(group_tombstone(group_id))
            results.append(DeletedGroup(group_id=group_id, error_code=code))
        return turn.decide(results)


def _listed(group: ClassicGroup) -> ListedGroup:
    return ListedGroup(
        group_id=group.group_id,
        protocol_type=group.protocol_type or "",
        group_state=group.state.value,
        group_type=_TYPE,
    )

"""Where a leader's log begins and ends, for a follower whose offset the leader does not have (ListOffsets)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from klamm.kproto import errors
from klamm.kproto.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse

if TYPE_CHECKING:
    from klamm.kproto.schema import Message

LATEST: Final = -1
EARLIEST_LOCAL: Final = -4
_VERSION: Final = 9
"""Replicas do not negotiate. Every broker that speaks KRaft with directories has this one."""

Topic = ListOffsetsRequest.ListOffsetsTopic
Answered = Callable[["Message | Exception"], None]


class LeaderOffsets:
    """Asks one leader. `send(request, version, answered)` brings a request there."""

    def __init__(self, node_id: int, send: Callable[[Message, int, Answered], None]) -> None:
        self._node_id = node_id
        self._send = send

    def ask(self, topic: str, index: int, leader_epoch: int, told: Callable[[tuple[int, int] | None], None]) -> None:
        """Call `told((start, end))`, or `told(None)` when the leader does not say."""

        def latest(end: int | None) -> None:
            if end is None:
                told(None)
            else:
                self._ask(topic, index, leader_epoch, EARLIEST_LOCAL, lambda start: earliest(start, end))

        def earliest(start: int | None, end: int) -> None:
            told(None if start is None else (start, end))

        self._ask(topic, index, leader_epoch, LATEST, latest)

    def _ask(
        self, topic: str, index: int, leader_epoch: int, timestamp: int, told: Callable[[int | None], None]
    ) -> None:
        row = Topic.ListOffsetsPartition(partition_index=index, current_leader_epoch=leader_epoch, timestamp=timestamp)
        request = ListOffsetsRequest(replica_id=self._node_id, topics=[Topic(name=topic, partitions=[row])])
        self._send(request, _VERSION, lambda answer: told(_offset(answer)))


def _offset(answer: Message | Exception) -> int | None:
    if not isinstance(answer, ListOffsetsResponse) or not answer.topics or not answer.topics[0].partitions:
        return None
    row = answer.topics[0].partitions[0]
    return None if row.error_code != errors.NONE or row.offset < 0 else row.offset

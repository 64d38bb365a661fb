"""What answers to fetches have in common, whether consumers or followers ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.fetch import FetchResponse
from klamm.server.current_leader import address_of, current_leader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from klamm.log.partition_log import PartitionLog
    from klamm.metadata.image.image import MetadataImage
    from klamm.server.fetch_sessions import Want

Topic = FetchResponse.FetchableTopicResponse
Data = Topic.PartitionData

_LEADERS_SINCE: Final = 16
_WRONG_BROKER: Final = frozenset({errors.NOT_LEADER_OR_FOLLOWER, errors.FENCED_LEADER_EPOCH})


def missing(index: int, code: int) -> Data:
    """A partition that is not there. Unlike one that cannot be read it has an (empty) list of aborted transactions."""
    return Data(partition_index=index, error_code=code, high_watermark=-1, aborted_transactions=[], records=b"")


def unreadable(index: int, code: int) -> Data:
    """A partition that is here and cannot be read as asked."""
    return Data(partition_index=index, error_code=code, high_watermark=-1, aborted_transactions=None, records=b"")


def diverging_epoch(log: PartitionLog, want: Want) -> Data.EpochEndOffset | None:
    """Where the log parts from that of who fetches and tells its last epoch, if it does (KIP-595).

    Raises KafkaError (OFFSET_OUT_OF_RANGE).
    """
    last_epoch = want.last_fetched_epoch
    epoch, end_offset = log.end_offset_for_epoch(last_epoch)
    if end_offset < 0 or epoch < 0:
        raise KafkaError(errors.OFFSET_OUT_OF_RANGE, f"epoch {last_epoch} is not known")
    if want.fetch_offset < log.log_start_offset:
        raise KafkaError(errors.OFFSET_OUT_OF_RANGE, f"the log starts at {log.log_start_offset}")
    if epoch < last_epoch or end_offset < want.fetch_offset:
        return Data.EpochEndOffset(epoch=epoch, end_offset=end_offset)
    return None


def response(
    results: Iterable[tuple[Want, Data]],
    session_id: int,
    version: int,
    image: MetadataImage | None,
    listener: str | None = None,
) -> FetchResponse:
    """The answer, which `want` of each result remembers; who has asked the wrong broker is told of the right one.

    `listener`: the one by which clients reach the leaders; None for followers, who are not told addresses.
    """
    topics: list[Topic] = []
    last: Topic | None = None
    name: str | bytes | None = None
    lost: list[tuple[Want, Data]] = []
    for want, data in results:
        if last is None or want.topic != name:
            name = want.topic
            last = Topic(topic_id=name, partitions=[]) if isinstance(name, bytes) else Topic(topic=name, partitions=[])
            topics.append(last)
        last.partitions.append(data)
        want.high_watermark, want.log_start_offset = data.high_watermark, data.log_start_offset
        if data.error_code and data.error_code in _WRONG_BROKER:
            lost.append((want, data))
    answer = FetchResponse(session_id=session_id, responses=topics)
    if lost and version >= _LEADERS_SINCE:
        _tell_leaders(answer, lost, image, listener)
    return answer


def _tell_leaders(
    answer: FetchResponse, lost: list[tuple[Want, Data]], image: MetadataImage | None, listener: str | None
) -> None:
    nodes: dict[int, FetchResponse.NodeEndpoint] = {}
    for want, data in lost:
        leader_id, leader_epoch = current_leader(image, want.topic, want.index)
        data.current_leader = Data.LeaderIdAndEpoch(leader_id=leader_id, leader_epoch=leader_epoch)
        address = None if listener is None else address_of(image, leader_id, listener)
        if address is not None:
            nodes[leader_id] = FetchResponse.NodeEndpoint(**address._asdict())
    answer.node_endpoints = list(nodes.values())

"""OffsetFetch v1-10: v2 null topics for all, top-level error; v5 leader epoch (KIP-320); v7 require_stable (KIP-447).

v8 several groups (KIP-709); v9 the member that asks (KIP-848); v10 topic ids in place of names (KIP-848).
"""

from __future__ import annotations

from collections.abc import Sequence

from klamm.kproto import errors
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from klamm.metadata.image.topics import TopicsImage
from klamm.server.broker import Broker
from klamm.server.coordinators.answers import Answer, chain, gather
from klamm.server.coordinators.offset_commands import no_offset
from klamm.server.request import RequestContext

AskedGroup = OffsetFetchRequest.OffsetFetchRequestGroup
AskedTopic = AskedGroup.OffsetFetchRequestTopics
Group = OffsetFetchResponse.OffsetFetchResponseGroup
Topic = Group.OffsetFetchResponseTopics
OldTopic = OffsetFetchResponse.OffsetFetchResponseTopic

_TOP_LEVEL_ERROR_SINCE = 2
_GROUPS_SINCE = 8
_TOPIC_IDS_SINCE = 10


def handle(broker: Broker, context: RequestContext, request: OffsetFetchRequest) -> Answer[OffsetFetchResponse]:
    version = context.api_version
    if version < _GROUPS_SINCE:
        asked = _one_group(request)
        return chain(
            broker.groups.fetch_offsets(asked, request.require_stable), lambda group: _old_form(version, asked, group)
        )
    topics = broker.metadata.image.topics
    fetch = _fetch_by_id if version >= _TOPIC_IDS_SINCE else _fetch_by_name
    groups = [_in_list(fetch(broker, topics, group, request.require_stable)) for group in request.groups]
    return chain(gather(groups), lambda found: OffsetFetchResponse(groups=found))


def _in_list(answer: Answer[Group]) -> Answer[list[Group]]:
    return chain(answer, lambda group: [group])


def _fetch_by_name(broker: Broker, topics: TopicsImage, asked: AskedGroup, require_stable: bool) -> Answer[Group]:
    for topic in asked.topics or ():
        known = topics.by_name.get(topic.name)
        if known is not None:
            topic.topic_id = known.topic_id
    return broker.groups.fetch_offsets(asked, require_stable)


def _fetch_by_id(broker: Broker, topics: TopicsImage, asked: AskedGroup, require_stable: bool) -> Answer[Group]:
    """Ids become names for the coordinator; what has no name is answered with UNKNOWN_TOPIC_ID."""
    if asked.topics is None:
        return chain(broker.groups.fetch_offsets(asked, require_stable), lambda group: _with_ids(topics, group))
    known, unknown = [], []
    for topic in asked.topics:
        found = topics.by_id.get(topic.topic_id)
        if found is None:
            unknown.append(_unknown(topic))
        else:
            topic.name = found.name
            known.append(topic)
    asked.topics = known

    def with_unknown(group: Group) -> Group:
        if not group.error_code:
            group.topics = group.topics + unknown
        return group

    return chain(broker.groups.fetch_offsets(asked, require_stable), with_unknown)


def _unknown(topic: AskedTopic) -> Topic:
    return Topic(
        topic_id=topic.topic_id,
        partitions=[no_offset(index, errors.UNKNOWN_TOPIC_ID) for index in topic.partition_indexes],
    )


def _with_ids(topics: TopicsImage, group: Group) -> Group:
    """All offsets of a group, by id: those of topics that are gone have none and are left out."""
    found = []
    for topic in group.topics:
        known = topics.by_name.get(topic.name)
        if known is not None:
            topic.topic_id = known.topic_id
            found.append(topic)
    group.topics = found
    return group


def _one_group(request: OffsetFetchRequest) -> AskedGroup:
    topics: Sequence[OffsetFetchRequest.OffsetFetchRequestTopic] | None = request.topics
    return AskedGroup(
        group_id=request.group_id,
        topics=None
        if topics is None
        else [AskedTopic(name=t.name, partition_indexes=t.partition_indexes) for t in topics],
    )


def _old_form(version: int, asked: AskedGroup, group: Group) -> OffsetFetchResponse:
    if group.error_code and version < _TOP_LEVEL_ERROR_SINCE:
        # Version 1 has no place for it but the partitions that were asked for.
        topics = [
            Topic(name=t.name, partitions=[no_offset(i, group.error_code) for i in t.partition_indexes])
            for t in asked.topics or ()
        ]
    else:
        topics = group.topics
    return OffsetFetchResponse(
        error_code=group.error_code,
        topics=[
            OldTopic(
                name=topic.name,
                partitions=[
                    OldTopic.OffsetFetchResponsePartition(
                        partition_index=p.partition_index,
                        committed_offset=p.committed_offset,
                        committed_leader_epoch=p.committed_leader_epoch,
                        metadata=p.metadata,
                        error_code=p.error_code,
                    )
                    for p in topic.partitions
                ],
            )
            for topic in topics
        ],
    )

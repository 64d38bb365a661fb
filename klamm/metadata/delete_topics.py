"""DeleteTopics takes names and ids: which topics are meant, and what is wrong with the rest."""

from __future__ import annotations

import asyncio
from collections import Counter

from klamm.kproto import errors
from klamm.kproto.errors import info
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from klamm.kproto.schema import ZERO_UUID, Message
from klamm.log.machine import Decision
from klamm.metadata.controller.topics import TopicControl
from klamm.metadata.image.topics import TopicsImage

Result = DeleteTopicsResponse.DeletableTopicResult


def decide(
    request: DeleteTopicsRequest, topics: TopicsImage, control: TopicControl
) -> Decision[DeleteTopicsResponse, Message]:
    """Delete what can be; every name and id is answered once. A failed id is answered without its name."""
    results: list[Result] = []

    def tell(name: str | None, topic_id: bytes, code: int, message: str | None = None) -> None:
        text = message if message is not None or code == errors.NONE else info(code).message
        results.append(Result(name=name, topic_id=topic_id, error_code=code, error_message=text))

    names = Counter(request.topic_names)
    ids: Counter[bytes] = Counter()
    for topic in request.topics:
        if topic.name is None and topic.topic_id == ZERO_UUID:
            tell(None, ZERO_UUID, errors.INVALID_REQUEST, "Neither topic name nor id were specified.")
        elif topic.name is None:
            ids[topic.topic_id] += 1
        elif topic.topic_id == ZERO_UUID:
            names[topic.name] += 1
        else:
            message = "You may not specify both topic name and topic id."
            tell(topic.name, topic.topic_id, errors.INVALID_REQUEST, message)
    wanted: dict[bytes, str] = {}
    for topic_id, count in ids.items():
        if count > 1:
            tell(None, topic_id, errors.INVALID_REQUEST, "Duplicate topic id.")
        elif (found := topics.by_id.get(topic_id)) is None:
            tell(None, topic_id, errors.UNKNOWN_TOPIC_ID)
        else:
            wanted[topic_id] = found.name
    for name, count in names.items():
        image = topics.by_name.get(name)
        if count > 1:
            tell(name, ZERO_UUID, errors.INVALID_REQUEST, "Duplicate topic name.")
        elif image is None:
            tell(name, ZERO_UUID, errors.UNKNOWN_TOPIC_OR_PARTITION)
        elif image.topic_id in ids:
            wanted.pop(image.topic_id, None)
            message = "The provided topic name maps to an ID that was already supplied."
            tell(name, image.topic_id, errors.INVALID_REQUEST, message)
        else:
            wanted[image.topic_id] = name
    decision = control.delete_topics(wanted)
    assert not isinstance(decision.response, asyncio.Future)
    for topic_id, code in decision.response.items():
        tell(wanted[topic_id], topic_id, code)
    return Decision(DeleteTopicsResponse(throttle_time_ms=0, responses=results), decision.records)

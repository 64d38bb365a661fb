"""DeleteTopics where `delete.topic.enable` forbids it; the rest is the controller's (tests/metadata)."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from klamm.testing import Cluster
from klamm.testing.wire import WireClient


@pytest.mark.parametrize(
    ("version", "code"),
    [(1, errors.INVALID_REQUEST), (3, errors.TOPIC_DELETION_DISABLED), (6, errors.TOPIC_DELETION_DISABLED)],
)
def test_deletion_can_be_disabled(version: int, code: int) -> None:
    request = DeleteTopicsRequest(timeout_ms=1000)
    if version >= 6:
        request.topics = [DeleteTopicsRequest.DeleteTopicState(name="t", topic_id=bytes(16))]
    else:
        request.topic_names = ["t"]
    with Cluster(config={"delete.topic.enable": "false"}) as cluster:
        cluster.create_topic("t")
        with WireClient(cluster.bootstrap_servers) as client:
            (result,) = client.ask(request, version, DeleteTopicsResponse).responses
        assert (result.name, result.error_code) == ("t", code)
        assert cluster.topics() == ["t"]

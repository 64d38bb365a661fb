"""Metadata names a topic once, however often it is asked for."""

from __future__ import annotations

from klamm.kproto.messages.metadata import MetadataRequest, MetadataResponse
from klamm.server import authorized
from klamm.testing import Cluster
from klamm.testing.wire import WireClient

Topic = MetadataRequest.MetadataRequestTopic


def test_each_topic_once(cluster: Cluster, wire: WireClient) -> None:
    cluster.create_topic("t", partitions=1)
    known = wire.ask(MetadataRequest(topics=[Topic(name="t")] * 2), 12, MetadataResponse).topics
    assert [t.name for t in known] == ["t"]
    asked = [Topic(name="t"), Topic(name="no"), Topic(name="no")]
    request = MetadataRequest(topics=asked, allow_auto_topic_creation=False)
    assert [t.name for t in wire.ask(request, 12, MetadataResponse).topics] == ["t", "no"]


def test_names_do_not_count_beside_an_id(cluster: Cluster, wire: WireClient) -> None:
    cluster.create_topic("by-id", partitions=1)
    (known,) = wire.ask(MetadataRequest(topics=[Topic(name="by-id")]), 12, MetadataResponse).topics
    asked = [Topic(name="no"), Topic(name=None, topic_id=known.topic_id)]
    request = MetadataRequest(topics=asked, allow_auto_topic_creation=False)
    assert [t.name for t in wire.ask(request, 12, MetadataResponse).topics] == ["by-id"]


def test_operations_on_topics_that_do_not_exist(wire: WireClient) -> None:
    asked = [Topic(name="no"), Topic(name="a/b")]
    request = MetadataRequest(topics=asked, allow_auto_topic_creation=False, include_topic_authorized_operations=True)
    found = wire.ask(request, 12, MetadataResponse).topics
    assert [t.topic_authorized_operations for t in found] == [authorized.TOPIC] * 2

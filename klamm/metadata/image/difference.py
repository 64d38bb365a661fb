"""What changes between two images that no records lie between: a snapshot has taken the place of the log."""

from __future__ import annotations

from klamm.metadata.image.image import MetadataDelta, MetadataImage
from klamm.metadata.image.topics import TopicDelta, TopicImage, TopicsDelta, TopicsImage

_TABLES = ("scram_credentials", "acls", "delegation_tokens")


def difference(before: MetadataImage, after: MetadataImage) -> MetadataDelta:
    """The delta on top of `before` that builds an image equal to `after`; readers react to it as to any other."""
    delta = MetadataDelta(before)
    if after.features != before.features:
        delta.features = dict(after.features)
    old, new = before.cluster, after.cluster
    if changed := {i for i in {**old.brokers, **new.brokers} if old.brokers.get(i) != new.brokers.get(i)}:
        delta.brokers = {broker_id: new.brokers.get(broker_id) for broker_id in sorted(changed)}
    controllers = {i: c for i, c in new.controllers.items() if old.controllers.get(i) != c}
    if controllers:
        delta.controllers = controllers
    topics = _topics(before.topics, after.topics)
    if topics.changed_topics or topics.deleted_topics:
        delta.topics = topics
    if after.configs != before.configs:
        resources = {**before.configs, **after.configs}
        delta.configs = {
            resource: dict(after.configs.get(resource, {}))
            for resource in resources
            if before.configs.get(resource) != after.configs.get(resource)
        }
    if after.next_producer_id != before.next_producer_id:
        delta.next_producer_id = after.next_producer_id
    if after.client_quotas != before.client_quotas:
        entities = {**before.client_quotas, **after.client_quotas}
        delta.client_quotas = {
            entity: dict(after.client_quotas.get(entity, {}))
            for entity in entities
            if before.client_quotas.get(entity) != after.client_quotas.get(entity)
        }
    for name in _TABLES:
        if getattr(before, name) != getattr(after, name):
            delta.replace_table(name, getattr(after, name))
    return delta


def _topics(before: TopicsImage, after: TopicsImage) -> TopicsDelta:
    delta = TopicsDelta(before)
    for topic_id, topic in before.by_id.items():
        if topic_id not in after.by_id:
            delta.deleted_topics[topic_id] = topic
    for topic_id, topic in after.by_id.items():
        known = before.by_id.get(topic_id) or TopicImage(topic.name, topic_id, {})
        changes = {i: p for i, p in topic.partitions.items() if known.partitions.get(i) != p}
        if changes or topic_id not in before.by_id:
            changed = delta.changed_topics[topic_id] = TopicDelta(known)
            changed.partition_changes = changes
    return delta

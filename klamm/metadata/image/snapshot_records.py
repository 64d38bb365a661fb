"""An image as the records that make it again, in the order of Kafka's snapshots."""

from __future__ import annotations

from collections.abc import Iterator

from klamm.kproto import metadata_records as m
from klamm.kproto.schema import Message
from klamm.metadata.features import METADATA_VERSION
from klamm.metadata.image.image import MetadataImage


def image_records(image: MetadataImage) -> Iterator[Message]:
    """metadata.version first, because it decides how the rest is read; topics before what names them."""
    levels = sorted(image.features.items(), key=lambda item: (item[0] != METADATA_VERSION, item[0]))
    for name, level in levels:
        yield m.FeatureLevelRecord(name=name, feature_level=level)
    for broker in image.cluster.brokers.values():
        yield broker.to_record()
    for controller in image.cluster.controllers.values():
        yield controller.to_record()
    for topic in image.topics.by_id.values():
        yield m.TopicRecord(name=topic.name, topic_id=topic.topic_id)
        for number, partition in topic.partitions.items():
            yield partition.to_record(topic.topic_id, number)
    for (resource_type, resource_name), configs in image.configs.items():
        for key, value in configs.items():
            yield m.ConfigRecord(resource_type=resource_type, resource_name=resource_name, name=key, value=value)
    for entity, quotas in image.client_quotas.items():
        rows = [m.ClientQuotaRecord.EntityData(entity_type=kind, entity_name=name) for kind, name in entity]
        for key, rate in quotas.items():
            yield m.ClientQuotaRecord(entity=rows, key=key, value=rate, remove=False)
    if image.next_producer_id:
        yield m.ProducerIdsRecord(broker_id=-1, broker_epoch=-1, next_producer_id=image.next_producer_id)
    yield from image.acls.values()
    yield from image.scram_credentials.values()
    yield from image.delegation_tokens.values()

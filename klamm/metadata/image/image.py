"""The whole metadata at one offset (`MetadataImage`) and the changes since (`MetadataDelta`).

An image is never changed: readers keep one for as long as they need it. What a delta did not touch is shared.
Transactions are not seen here: whoever feeds a delta leaves aborted records out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from klamm.kproto import metadata_records as m
from klamm.kproto.errors import ProtocolError
from klamm.kproto.schema import Message
from klamm.metadata.features import ELR_VERSION, METADATA_VERSION, METADATA_VERSION_MIN, is_elr_supported
from klamm.metadata.image.cluster import (
    BrokerRegistration,
    ClusterImage,
    ControllerRegistration,
    broker_from_record,
    controller_from_record,
)
from klamm.metadata.image.topics import EMPTY_TOPICS, TopicsDelta, TopicsImage

TOPIC_RESOURCE = 2
BROKER_RESOURCE = 4
CLIENT_METRICS_RESOURCE = 16
GROUP_RESOURCE = 32
"""Resource types of configs (`resource_type` in records and requests)."""

ConfigResource = tuple[int, str]
"""(resource type, name); a broker resource named "" is the default of all brokers."""
QuotaEntity = tuple[tuple[str, str | None], ...]
"""Sorted pairs (entity type, name); a null name is the default entity."""


class MetadataImage(NamedTuple):
    """`offset` and `epoch` are those of the last record in it, -1 for the empty image. No table may be changed."""

    offset: int
    epoch: int
    features: Mapping[str, int]
    cluster: ClusterImage
    topics: TopicsImage
    configs: Mapping[ConfigResource, Mapping[str, str]]
    next_producer_id: int
    client_quotas: Mapping[QuotaEntity, Mapping[str, float]]
    scram_credentials: Mapping[tuple[int, str], m.UserScramCredentialRecord]
    acls: Mapping[bytes, m.AccessControlEntryRecord]
    delegation_tokens: Mapping[str, m.DelegationTokenRecord]

    @property
    def metadata_version(self) -> int:
        """The finalized level; the lowest that Kafka knows before one is."""
        return self.features.get(METADATA_VERSION, METADATA_VERSION_MIN)

    @property
    def is_elr_enabled(self) -> bool:
        """Whether eligible leader replicas (KIP-966) are kept."""
        return self.features.get(ELR_VERSION, 0) > 0 and is_elr_supported(self.metadata_version)

    def config(self, resource_type: int, name: str) -> Mapping[str, str]:
        """The dynamic configs set on one resource; empty if there are none."""
        return self.configs.get((resource_type, name), _NOTHING)


_NOTHING: Mapping[str, str] = {}
EMPTY = MetadataImage(-1, -1, {}, ClusterImage({}, {}), EMPTY_TOPICS, {}, 0, {}, {}, {}, {})


class MetadataDelta:
    """Changes on top of `image`. A part that did not change is None; readers look at what they react to."""

    def __init__(self, image: MetadataImage) -> None:
        self.image = image
        self.topics: TopicsDelta | None = None
        self.features: dict[str, int] | None = None
        self.brokers: dict[int, BrokerRegistration | None] | None = None
        """Brokers that changed; None for one that was unregistered."""
        self.controllers: dict[int, ControllerRegistration] | None = None
        self.configs: dict[ConfigResource, dict[str, str]] | None = None
        """The resources whose configs changed, with all of the configs each has now."""
        self.next_producer_id: int | None = None
        self.client_quotas: dict[QuotaEntity, dict[str, float]] | None = None
        self._tables: dict[str, dict[Any, Any]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed but the offset (no-op records)."""
        return (
            self.topics is None
            and self.features is None
            and self.brokers is None
            and self.controllers is None
            and self.configs is None
            and self.next_producer_id is None
            and self.client_quotas is None
            and not self._tables
        )

    def apply(self, record: Message) -> None:
        """Take one record in. Raises ProtocolError for one that does not fit what was before."""
        replay = _REPLAY.get(type(record))
        if replay is None:
            raise ProtocolError(f"{type(record).__name__} is no metadata record")
        replay(self, record)

    def build(self, offset: int, epoch: int) -> MetadataImage:
        """The image after the changes, the last of which is at `offset`."""
        image = self.image
        if self.is_empty:
            return image._replace(offset=offset, epoch=epoch)
        cluster = image.cluster
        if self.brokers is not None:
            after = {**cluster.brokers, **self.brokers}
            cluster = cluster._replace(brokers={i: broker for i, broker in sorted(after.items()) if broker is not None})
        if self.controllers is not None:
            cluster = cluster._replace(controllers={**cluster.controllers, **self.controllers})
        return MetadataImage(
            offset,
            epoch,
            image.features if self.features is None else self.features,
            cluster,
            image.topics if self.topics is None else self.topics.build(),
            image.configs if self.configs is None else _merged(image.configs, self.configs),
            image.next_producer_id if self.next_producer_id is None else self.next_producer_id,
            image.client_quotas if self.client_quotas is None else _merged(image.client_quotas, self.client_quotas),
            self._tables.get("scram_credentials", image.scram_credentials),
            self._tables.get("acls", image.acls),
            self._tables.get("delegation_tokens", image.delegation_tokens),
        )

    # The records, one by one.

    def _register_broker(self, record: m.RegisterBrokerRecord) -> None:
        self._changed_brokers()[record.broker_id] = broker_from_record(record)

    def _unregister_broker(self, record: m.UnregisterBrokerRecord) -> None:
        self._broker(record.broker_id)
        self._changed_brokers()[record.broker_id] = None

    def _change_broker(self, record: m.BrokerRegistrationChangeRecord) -> None:
        self._changed_brokers()[record.broker_id] = self._broker(record.broker_id).merge(record)

    def _fence_broker(self, record: m.FenceBrokerRecord) -> None:
        self._changed_brokers()[record.id] = self._broker(record.id)._replace(fenced=True)

    def _unfence_broker(self, record: m.UnfenceBrokerRecord) -> None:
        self._changed_brokers()[record.id] = self._broker(record.id)._replace(fenced=False)

    def _register_controller(self, record: m.RegisterControllerRecord) -> None:
        if self.controllers is None:
            self.controllers = {}
        self.controllers[record.controller_id] = controller_from_record(record)

    def _feature_level(self, record: m.FeatureLevelRecord) -> None:
        if self.features is None:
            self.features = dict(self.image.features)
        if record.feature_level:
            self.features[record.name] = record.feature_level
        else:
            self.features.pop(record.name, None)

    def _create_topic(self, record: m.TopicRecord) -> None:
        self._topics().create(record)

    def _create_partition(self, record: m.PartitionRecord) -> None:
        self._topics().create_partition(record)

    def _change_partition(self, record: m.PartitionChangeRecord) -> None:
        self._topics().change_partition(record)

    def _remove_topic(self, record: m.RemoveTopicRecord) -> None:
        name = self._topics().remove(record)
        resource = TOPIC_RESOURCE, name
        if resource in self.image.configs or (self.configs is not None and resource in self.configs):
            self._changed_configs(resource).clear()

    def _clear_elr(self, record: m.ClearElrRecord) -> None:
        self._topics().clear_elr(record)

    def _config(self, record: m.ConfigRecord) -> None:
        configs = self._changed_configs((record.resource_type, record.resource_name))
        if record.value is None:
            configs.pop(record.name, None)
        else:
            configs[record.name] = record.value

    def _producer_ids(self, record: m.ProducerIdsRecord) -> None:
        self.next_producer_id = record.next_producer_id

    def _client_quota(self, record: m.ClientQuotaRecord) -> None:
        if self.client_quotas is None:
            self.client_quotas = {}
        entity = tuple(sorted((e.entity_type, e.entity_name) for e in record.entity))
        quotas = self.client_quotas.get(entity)
        if quotas is None:
            quotas = self.client_quotas[entity] = dict(self.image.client_quotas.get(entity, {}))
        if record.remove:
            quotas.pop(record.key, None)
        else:
            quotas[record.key] = record.value

    def _scram_credential(self, record: m.UserScramCredentialRecord) -> None:
        self._table("scram_credentials")[record.mechanism, record.name] = record

    def _remove_scram_credential(self, record: m.RemoveUserScramCredentialRecord) -> None:
        self._table("scram_credentials").pop((record.mechanism, record.name), None)

    def _acl(self, record: m.AccessControlEntryRecord) -> None:
        self._table("acls")[record.id] = record

    def _remove_acl(self, record: m.RemoveAccessControlEntryRecord) -> None:
        self._table("acls").pop(record.id, None)

    def _delegation_token(self, record: m.DelegationTokenRecord) -> None:
        self._table("delegation_tokens")[record.token_id] = record

    def _remove_delegation_token(self, record: m.RemoveDelegationTokenRecord) -> None:
        self._table("delegation_tokens").pop(record.token_id, None)

    def _nothing(self, record: Message) -> None:
        """A record without state: no-ops, the frames of transactions, the ZooKeeper migration that is long over."""

    # What the records change, copied from the image on the first touch.

    def _topics(self) -> TopicsDelta:
        if self.topics is None:
            self.topics = TopicsDelta(self.image.topics)
        return self.topics

    def _changed_brokers(self) -> dict[int, BrokerRegistration | None]:
        if self.brokers is None:
            self.brokers = {}
        return self.brokers

    def _broker(self, broker_id: int) -> BrokerRegistration:
        broker = self.image.cluster.brokers.get(broker_id)
        if self.brokers is not None and broker_id in self.brokers:
            broker = self.brokers[broker_id]
        if broker is None:
            raise ProtocolError(f"a change of broker {broker_id}, which is not registered")
        return broker

    def _changed_configs(self, resource: ConfigResource) -> dict[str, str]:
        if self.configs is None:
            self.configs = {}
        configs = self.configs.get(resource)
        if configs is None:
            configs = self.configs[resource] = dict(self.image.configs.get(resource, _NOTHING))
        return configs

    def replace_table(self, name: str, table: Mapping[Any, Any]) -> None:
        """Put `table` in the place of `scram_credentials`, `acls` or `delegation_tokens`."""
        self._tables[name] = dict(table)

    def _table(self, name: str) -> dict[Any, Any]:
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = dict(getattr(self.image, name))
        return table


def _merged(before: Mapping[Any, Any], changed: Mapping[Any, Any]) -> dict[Any, Any]:
    """`before` with the tables of `changed` in their place; a resource without entries goes."""
    after = {**before, **changed}
    for key, table in changed.items():
        if not table:
            del after[key]
    return after


_REPLAY: dict[type[Message], Callable[[MetadataDelta, Any], None]] = {
    m.RegisterBrokerRecord: MetadataDelta._register_broker,
    m.UnregisterBrokerRecord: MetadataDelta._unregister_broker,
    m.BrokerRegistrationChangeRecord: MetadataDelta._change_broker,
    m.FenceBrokerRecord: MetadataDelta._fence_broker,
    m.UnfenceBrokerRecord: MetadataDelta._unfence_broker,
    m.RegisterControllerRecord: MetadataDelta._register_controller,
    m.FeatureLevelRecord: MetadataDelta._feature_level,
    m.TopicRecord: MetadataDelta._create_topic,
    m.PartitionRecord: MetadataDelta._create_partition,
    m.PartitionChangeRecord: MetadataDelta._change_partition,
    m.RemoveTopicRecord: MetadataDelta._remove_topic,
    m.ClearElrRecord: MetadataDelta._clear_elr,
    m.ConfigRecord: MetadataDelta._config,
    m.ProducerIdsRecord: MetadataDelta._producer_ids,
    m.ClientQuotaRecord: MetadataDelta._client_quota,
    m.UserScramCredentialRecord: MetadataDelta._scram_credential,
    m.RemoveUserScramCredentialRecord: MetadataDelta._remove_scram_credential,
    m.AccessControlEntryRecord: MetadataDelta._acl,
    m.RemoveAccessControlEntryRecord: MetadataDelta._remove_acl,
    m.DelegationTokenRecord: MetadataDelta._delegation_token,
    m.RemoveDelegationTokenRecord: MetadataDelta._remove_delegation_token,
    m.NoOpRecord: MetadataDelta._nothing,
    m.ZkMigrationStateRecord: MetadataDelta._nothing,
    m.BeginTransactionRecord: MetadataDelta._nothing,
    m.EndTransactionRecord: MetadataDelta._nothing,
    m.AbortTransactionRecord: MetadataDelta._nothing,
}

"""What the controller must know about configuration keys, answered from the tables in `server/config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from klamm.metadata.controller.configs import EffectiveConfig
from klamm.metadata.image.image import BROKER_RESOURCE, CLIENT_METRICS_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE
from klamm.server.config import definitions as keys
from klamm.server.config.alter import check_changes
from klamm.server.config.definitions import Kind, definitions
from klamm.server.config.describe import created_topic_configs
from klamm.server.config.keys import LIST, Required
from klamm.server.config.values import render

if TYPE_CHECKING:
    from klamm.server.config.broker_config import BrokerConfig

KINDS: dict[int, Kind] = {
    TOPIC_RESOURCE: keys.TOPIC,
    BROKER_RESOURCE: keys.BROKER,
    CLIENT_METRICS_RESOURCE: keys.CLIENT_METRICS,
    GROUP_RESOURCE: keys.GROUP,
}
"""Resource type of the protocol -> kind of the tables."""


class ServerConfigRules:
    """`ConfigRules` for one node."""

    def __init__(self, config: BrokerConfig) -> None:
        self._config = config

    def validate(self, resource_type: int, name: str, configs: Mapping[str, str], existing: Mapping[str, str]) -> None:
        """Refuse settings that a resource must not have. Raises KafkaError."""
        layers = self._config.layers(existing)
        gone: dict[str, str | None] = {key: None for key in existing if key not in configs}
        check_changes(KINDS[resource_type], name, layers, {**gone, **configs})

    def is_list(self, resource_type: int, key: str) -> bool:
        known = definitions(KINDS[resource_type]).get(key)
        return known is not None and known.type == LIST

    def default(self, resource_type: int, key: str) -> str | None:
        known = definitions(KINDS[resource_type]).get(key)
        if known is None or isinstance(known.default, Required):
            return None
        return render(known.default, known.type)

    def effective_topic_configs(
        self, configs: Mapping[str, str], node: Mapping[str, str], cluster: Mapping[str, str]
    ) -> Sequence[EffectiveConfig]:
        """What CreateTopics tells of a new topic's configuration (KIP-525)."""
        layers = self._config.layers(configs, cluster, node)
        return [
            EffectiveConfig(entry.name, entry.value, entry.read_only, entry.source, entry.is_sensitive)
            for entry in created_topic_configs(layers)
        ]

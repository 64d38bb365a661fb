"""The settings in force now: what the node was started with, under what the metadata image holds.

Values are looked up per image, so that a published change is seen by the next reader; nothing here is cached longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from klamm.log.log_config import LogConfig
from klamm.metadata.image.image import BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE, MetadataImage
from klamm.server.config.keys import Value
from klamm.server.config.layers import Layers, group_values, topic_values

if TYPE_CHECKING:
    from klamm.server.config.broker_config import BrokerConfig


class Settings:
    """Effective settings of one broker."""

    def __init__(self, config: BrokerConfig, node_id: int) -> None:
        self._config = config
        self._node = str(node_id)
        self._plain: dict[str, Value | None] | None = None

    def layers(self, image: MetadataImage, resource_type: int, name: str, broker: str | None = None) -> Layers:
        """All that is set above the defaults for one resource; `broker` names another broker than this one."""
        resource: Mapping[str, str] = {} if resource_type == BROKER_RESOURCE else image.config(resource_type, name)
        return self._config.layers(
            resource,
            image.config(BROKER_RESOURCE, ""),
            image.config(BROKER_RESOURCE, self._node if broker is None else broker),
        )

    def broker(self, image: MetadataImage, name: str) -> Value | None:
        """One broker setting, dynamic ones included."""
        return self.layers(image, BROKER_RESOURCE, self._node).broker_value(name)

    def topic(self, image: MetadataImage, topic: str) -> dict[str, Value | None]:
        """Every topic setting in force for `topic`."""
        layers = self.layers(image, TOPIC_RESOURCE, topic)
        if layers.resource or layers.dynamic_default or layers.dynamic_broker:
            return topic_values(layers)
        if self._plain is None:
            self._plain = topic_values(layers)
        return self._plain

    def log_config(self, image: MetadataImage, topic: str) -> LogConfig:
        """What the logs of `topic` go by."""
        return LogConfig(self.topic(image, topic))

    def min_insync_replicas(self, image: MetadataImage, topic: str) -> int:
        value = self.topic(image, topic)["min.insync.replicas"]
        assert isinstance(value, int)
        return value

    def group(self, image: MetadataImage, group_id: str) -> dict[str, Value | None]:
        """Every group setting in force for `group_id`."""
        return group_values(self.layers(image, GROUP_RESOURCE, group_id))

"""Topics that nobody created by hand: those asked for by name, and the internal ones."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from klamm.kproto import errors
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.server.topic_listing import INTERNAL_TOPICS

if TYPE_CHECKING:
    from klamm.metadata.node_metadata import MetadataNode
    from klamm.server.config.broker_config import BrokerConfig
    from klamm.server.to_controller import ToController

log = logging.getLogger(__name__)

Creatable = CreateTopicsRequest.CreatableTopic

_INTERNAL: Final = {
    "__consumer_offsets": ("offsets.topic.num.partitions", "offsets.topic.replication.factor"),
    "__transaction_state": ("transaction.state.log.num.partitions", "transaction.state.log.replication.factor"),
    "__share_group_state": (
        "share.coordinator.state.topic.num.partitions",
        "share.coordinator.state.topic.replication.factor",
    ),
}


class TopicCreation:
    """Creates topics with the broker's defaults; internal ones with their own counts and configurations."""

    def __init__(self, config: BrokerConfig, metadata: MetadataNode, controller: ToController) -> None:
        self._config = config
        self._controller = controller
        self._metadata = metadata
        self.auto_create = config.bool("auto.create.topics.enable")

    async def create(self, names: list[str]) -> dict[str, int]:
        """Create the topics that do not exist yet; gives the error codes of those that could not be."""
        request = CreateTopicsRequest(topics=[self._creatable(name) for name in names], timeout_ms=30000)
        response = await self._controller.send(request).future()
        assert isinstance(response, CreateTopicsResponse)
        failed = {}
        for result in response.topics:
            if result.error_code not in (errors.NONE, errors.TOPIC_ALREADY_EXISTS):
                code = result.error_code
                failed[result.name] = errors.LEADER_NOT_AVAILABLE if code == errors.INVALID_REPLICATION_FACTOR else code
        return failed

    async def ensure_internal_topic(self, name: str) -> bool:
        """Create an internal topic unless it is there; False when it cannot be (too few brokers)."""
        if name in self._metadata.image.topics.by_name:
            return True
        failed = await self.create([name])
        if failed:
            log.warning("the topic %s cannot be created: %s", name, errors.name_of(failed[name]))
        return not failed

    def _creatable(self, name: str) -> Creatable:
        if name not in INTERNAL_TOPICS:
            return Creatable(name=name, num_partitions=-1, replication_factor=-1, assignments=[], configs=[])
        partitions, replicas = _INTERNAL[name]
        return Creatable(
            name=name,
            num_partitions=self._config.int(partitions),
            replication_factor=self._config.int(replicas),
            assignments=[],
            configs=[
                Creatable.CreatableTopicConfig(name=key, value=value) for key, value in self._internal_configs(name)
            ],
        )

    def _internal_configs(self, name: str) -> list[tuple[str, str]]:
        """What Kafka's coordinators ask for their topics."""
        config = self._config
        if name == "__consumer_offsets":
            return [
                ("cleanup.policy", "compact"),
                ("compression.type", "producer"),
                ("segment.bytes", str(config.int("offsets.topic.segment.bytes"))),
            ]
        if name == "__transaction_state":
            return [
                ("cleanup.policy", "compact"),
                ("compression.type", "uncompressed"),
                ("min.insync.replicas", str(config.int("transaction.state.log.min.isr"))),
                ("segment.bytes", str(config.int("transaction.state.log.segment.bytes"))),
                ("unclean.leader.election.enable", "false"),
            ]
        return [
            ("cleanup.policy", "delete"),
            ("compression.type", "producer"),
            ("min.insync.replicas", str(config.int("share.coordinator.state.topic.min.isr"))),
            ("retention.ms", "-1"),
            ("segment.bytes", str(config.int("share.coordinator.state.topic.segment.bytes"))),
        ]

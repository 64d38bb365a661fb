"""The active controller as one machine: its parts decide on the newest state, records change it.

The state is an image that runs ahead of the committed one by what has been appended but is not committed yet; being
immutable, it is taken back by forgetting it. `seal` cuts it after each batch, for whoever publishes committed images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from klamm.kproto.schema import Message
from klamm.metadata.controller.activation import ControllerRegistrations
from klamm.metadata.controller.alter_partition import IsrControl
from klamm.metadata.controller.broker_sessions import Timers
from klamm.metadata.controller.brokers import BrokerControl
from klamm.metadata.controller.client_quotas import ClientQuotaControl
from klamm.metadata.controller.configs import ConfigControl, ConfigRules
from klamm.metadata.controller.elections import ElectionControl, ElectionSettings
from klamm.metadata.controller.feature_levels import FeatureControl, QuorumVersion
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.controller.partition_reassignments import ReassignmentControl
from klamm.metadata.controller.producer_ids import ProducerIdControl
from klamm.metadata.controller.topics import TopicControl, TopicDefaults
from klamm.metadata.image.image import MetadataDelta, MetadataImage
from klamm.seams import Entropy


class ControllerSettings(NamedTuple):
    """`static_configs` are the node's own topic-level defaults: min.insync.replicas, unclean.leader.election.enable.

    `local_broker_id`: the broker in this process, when this node is the quorum's only voter; else None.
    """

    node_id: int
    cluster_id: str
    topic_defaults: TopicDefaults
    static_configs: Mapping[str, str]
    session_timeout_ms: float
    local_broker_id: int | None
    elections: ElectionSettings = ElectionSettings()
    static_voters: tuple[int, ...] = ()


class Controller:
    """A `Machine` over metadata records. `next_offset` gives the offset of the next record to be appended."""

    def __init__(
        self,
        settings: ControllerSettings,
        image: MetadataImage,
        rules: ConfigRules,
        next_offset: Callable[[], int],
        entropy: Entropy,
        quorum: QuorumVersion,
    ) -> None:
        self._image = image
        self._delta: MetadataDelta | None = None
        self.leadership = Leadership(self.state, settings.node_id, settings.static_configs)
        self.brokers = BrokerControl(
            self.state,
            next_offset,
            self.leadership,
            settings.cluster_id,
            settings.local_broker_id,
            settings.session_timeout_ms,
        )
        self.isr = IsrControl(self.state, self.leadership, self.brokers.checked)
        self.elections = ElectionControl(self.state, self.leadership, settings.elections)
        self.reassignments = ReassignmentControl(self.state, self.leadership)
        self.controllers = ControllerRegistrations(self.state)
        self.configs = ConfigControl(self.state, rules)
        self.topics = TopicControl(self.state, self.configs, rules, settings.topic_defaults, settings.node_id, entropy)
        self.producer_ids = ProducerIdControl(self.state, self.brokers)
        self.quotas = ClientQuotaControl(self.state)
        self.features = FeatureControl(
            self.state, settings.node_id, settings.static_configs, quorum, settings.static_voters
        )

    def on_leadership(self) -> Timers:
        """The timers of a new active controller: sessions of the brokers, and elections."""
        return [*self.brokers.on_leadership(), *self.elections.on_leadership()]

    def state(self) -> MetadataImage:
        """The newest state, uncommitted batches included."""
        return self._image

    def apply(self, record: Message) -> None:
        """Take in one record of the batch that was just appended."""
        if self._delta is None:
            self._delta = MetadataDelta(self._image)
        self._delta.apply(record)

    def seal(self, offset: int, epoch: int) -> tuple[MetadataDelta, MetadataImage] | None:
        """End the batch whose last record is at `offset`; None when nothing was applied since the last one."""
        delta, self._delta = self._delta, None
        if delta is None:
            return None
        self._image = delta.build(offset, epoch)
        return delta, self._image

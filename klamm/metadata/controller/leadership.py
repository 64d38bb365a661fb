"""Who leads which partition when a broker comes, goes, or comes back without its last records.

Reads an image and gives records; the partitions that matter are found by going over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from klamm.kproto.metadata_records import PartitionChangeRecord
from klamm.kproto.uuids import UNASSIGNED_DIR
from klamm.metadata.controller.partition_change import Election, ElectionRules, Target, change_partition
from klamm.metadata.image.image import BROKER_RESOURCE, TOPIC_RESOURCE, MetadataImage
from klamm.metadata.image.partition import PartitionRegistration
from klamm.metadata.image.topics import TopicImage

MIN_INSYNC_REPLICAS = "min.insync.replicas"
UNCLEAN_LEADER_ELECTION = "unclean.leader.election.enable"

Selection = Callable[[PartitionRegistration], bool]


def effective_topic_config(
    image: MetadataImage, topic: str, key: str, node_id: int, static_configs: Mapping[str, str]
) -> str | None:
    """A topic's value, else the controller's own dynamic one, the cluster's default, the static one."""
    for configs in (
        image.config(TOPIC_RESOURCE, topic),
        image.config(BROKER_RESOURCE, str(node_id)),
        image.config(BROKER_RESOURCE, ""),
        static_configs,
    ):
        if (value := configs.get(key)) is not None:
            return value
    return None


class Leadership:
    """Changes of ISR and leader over all partitions. `node_id` and `static_configs` are the controller's own."""

    def __init__(self, state: Callable[[], MetadataImage], node_id: int, static_configs: Mapping[str, str]) -> None:
        self._state = state
        self._node_id = node_id
        self._static_configs = static_configs

    def after_fencing(self, broker_id: int) -> list[PartitionChangeRecord]:
        """The broker leaves every ISR; others take over what it led."""
        return self._update(lambda partition: broker_id in partition.isr, remove=broker_id)

    def after_unfencing(self, broker_id: int) -> list[PartitionChangeRecord]:
        """What has no leader may get one now."""
        return self._update(lambda partition: not partition.has_leader, add=broker_id)

    def after_unregistering(self, broker_id: int) -> list[PartitionChangeRecord]:
        """The broker leaves every ISR. It stays in ELRs, where a leader is only looked for again."""
        return [
            *self.after_fencing(broker_id),
            *self._update(lambda partition: broker_id in partition.elr, remove=broker_id),
        ]

    def after_lost_directory(self, broker_id: int, directory: bytes) -> list[PartitionChangeRecord]:
        """A log directory has failed: the broker leaves the ISR of all that it has there (KIP-858)."""
        return self._update(
            lambda partition: broker_id in partition.replicas and partition.directory(broker_id) == directory,
            remove=broker_id,
        )

    def after_lost_replicas(
        self, broker_id: int, topic_id: bytes, partition_ids: Sequence[int]
    ) -> list[PartitionChangeRecord]:
        """The same for single partitions."""
        topic = self._state().topics.by_id.get(topic_id)
        wanted = [] if topic is None else [topic.partitions.get(number) for number in partition_ids]
        return self._update(
            lambda partition: any(partition is other for other in wanted) and broker_id in partition.replicas,
            remove=broker_id,
        )

    def after_assignment(
        self, topic_id: bytes, partition_id: int, broker_id: int, directory: bytes
    ) -> PartitionChangeRecord | None:
        """The broker's replica is in `directory`; None when that is known."""
        topic = self._state().topics.by_id[topic_id]
        partition = topic.partitions[partition_id]
        rules = self.rules_of(topic)(partition)._replace(election=Election.ONLINE)
        return change_partition(partition, topic_id, partition_id, rules, Target(directories={broker_id: directory}))

    def after_unclean_shutdown(self, broker_id: int) -> list[PartitionChangeRecord]:
        """A new incarnation that cannot prove a clean stop may lack records: it leaves every ISR and ELR."""
        if not self._state().is_elr_enabled:
            return self.after_fencing(broker_id)
        return [
            *self._update(lambda partition: broker_id in partition.isr, unclean=broker_id),
            *self._update(lambda partition: broker_id in partition.elr, unclean=broker_id),
        ]

    def rules_of(
        self, topic: TopicImage, remove: int | None = None, add: int | None = None, unclean: int | None = None
    ) -> Callable[[PartitionRegistration], ElectionRules]:
        """The rules for the partitions of one topic. `remove` and `unclean` may not lead, `add` may though fenced.

        Elections are unclean where the topic allows it (unclean.leader.election.enable).
        """
        image = self._state()
        brokers, elr_enabled = image.cluster.brokers, image.is_elr_enabled
        election = Election.UNCLEAN if self.is_unclean_allowed(topic.name) else Election.ONLINE
        # Kafka takes the replication factor of partition 0 for that of the topic.
        replicas = len(topic.partitions[0].replicas)
        minimum = min(int(self._config(image, topic.name, MIN_INSYNC_REPLICAS) or 1), replicas)

        def default_directory(broker_id: int) -> bytes:
            broker = brokers.get(broker_id)
            return UNASSIGNED_DIR if broker is None else broker.default_directory()

        def rules(partition: PartitionRegistration) -> ElectionRules:
            def is_alive(broker_id: int) -> bool:
                if broker_id in (remove, unclean):
                    return False
                broker = brokers.get(broker_id)
                if broker is None or not (broker_id == add or broker.is_active):
                    return False
                return broker.has_online_directory(partition.directory(broker_id))

            return ElectionRules(is_alive, elr_enabled, minimum, election, default_directory)

        return rules

    def is_unclean_allowed(self, topic: str) -> bool:
        return self._config(self._state(), topic, UNCLEAN_LEADER_ELECTION) == "true"

    def _update(
        self, selected: Selection, remove: int | None = None, add: int | None = None, unclean: int | None = None
    ) -> list[PartitionChangeRecord]:
        records = []
        for topic, partitions in select(self._state(), selected):
            rules_of = self.rules_of(topic, remove, add, unclean)
            for partition_id, partition in partitions:
                isr = [broker_id for broker_id in partition.isr if broker_id not in (remove, unclean)]
                target = Target(isr=isr, unclean_shutdown=unclean)
                record = change_partition(partition, topic.topic_id, partition_id, rules_of(partition), target)
                if record is not None:
                    records.append(record)
        return records

    def _config(self, image: MetadataImage, topic: str, key: str) -> str | None:
        return effective_topic_config(image, topic, key, self._node_id, self._static_configs)


def select(
    image: MetadataImage, selected: Selection
) -> Iterator[tuple[TopicImage, list[tuple[int, PartitionRegistration]]]]:
    """The topics that have such partitions, with the number and state of each of those."""
    for topic in image.topics.by_id.values():
        found = [(number, partition) for number, partition in topic.partitions.items() if selected(partition)]
        if found:
            yield topic, found

"""AlterPartitionReassignments and ListPartitionReassignments (KIP-455, KIP-860).

Starting a reassignment only adds the new replicas. It ends with the ISR change that brings the last of them in sync,
wherever that change comes from; one that needs nobody to catch up ends at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
)
from klamm.kproto.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)
from klamm.kproto.metadata_records import PartitionChangeRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.controller.manual_assignment import check_manual_assignment, misassigned
from klamm.metadata.controller.partition_change import Election, Target, change_partition
from klamm.metadata.controller.reassignment import is_reassigning, reassign, replication_factor, revert
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.image.partition import PartitionRegistration
from klamm.metadata.image.topics import TopicImage

Asked = AlterPartitionReassignmentsRequest.ReassignableTopic.ReassignablePartition
AlteredTopic = AlterPartitionReassignmentsResponse.ReassignableTopicResponse
Altered = AlteredTopic.ReassignablePartitionResponse
OngoingTopic = ListPartitionReassignmentsResponse.OngoingTopicReassignment
Ongoing = OngoingTopic.OngoingPartitionReassignment


class ReassignmentControl:
    """Decides where partitions move."""

    def __init__(self, state: Callable[[], MetadataImage], leadership: Leadership) -> None:
        self._state = state
        self._leadership = leadership

    def alter(
        self, request: AlterPartitionReassignmentsRequest
    ) -> Decision[AlterPartitionReassignmentsResponse, Message]:
        """Start, replace or (with null replicas) cancel reassignments. Errors are told partition by partition."""
        records: list[Message] = []
        # Asked for nothing, a real controller answers with the defaults of the message.
        response = AlterPartitionReassignmentsResponse(
            throttle_time_ms=0,
            allow_replication_factor_change=request.allow_replication_factor_change if request.topics else True,
            error_code=errors.NONE,
            error_message=None if request.topics else "",
            responses=[],
        )
        for topic in request.topics:
            told = AlteredTopic(name=topic.name, partitions=[])
            response.responses.append(told)
            for asked in topic.partitions:
                code, message = errors.NONE, None
                try:
                    record = self._alter(topic.name, asked, request.allow_replication_factor_change)
                    if record is not None:
                        records.append(record)
                except KafkaError as error:
                    code = error.code
                    # The general message of an error is left to the client, which knows it.
                    message = None if code == errors.NO_REASSIGNMENT_IN_PROGRESS else error.message
                told.partitions.append(
                    Altered(partition_index=asked.partition_index, error_code=code, error_message=message)
                )
        return Decision(response, records)

    def list_ongoing(
        self, request: ListPartitionReassignmentsRequest
    ) -> Decision[ListPartitionReassignmentsResponse, Message]:
        """What moves now, of the partitions that are asked for (null topics: of all)."""
        image = self._state()
        wanted: list[tuple[TopicImage, Iterable[int]]] = []
        if request.topics is None:
            wanted = [(topic, topic.partitions) for topic in image.topics.by_id.values()]
        else:
            for asked in request.topics:
                if (topic := image.topics.by_name.get(asked.name)) is not None:
                    wanted.append((topic, asked.partition_indexes))
        rows = [OngoingTopic(name=topic.name, partitions=_ongoing(topic, numbers)) for topic, numbers in wanted]
        response = ListPartitionReassignmentsResponse(
            throttle_time_ms=0,
            error_code=errors.NONE,
            error_message=None,
            topics=[row for row in rows if row.partitions],
        )
        return Decision(response)

    def _alter(self, name: str, asked: Asked, allow_factor_change: bool) -> PartitionChangeRecord | None:
        topic = self._state().topics.by_name.get(name)
        if topic is None:
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}.")
        partition = topic.partitions.get(asked.partition_index)
        if partition is None:
            message = f"Unable to find partition {name}:{asked.partition_index}."
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION, message)
        if asked.replicas is None:
            return self._cancel(topic, partition, asked.partition_index)
        return self._change(topic, partition, asked.partition_index, asked.replicas, allow_factor_change)

    def _cancel(
        self, topic: TopicImage, partition: PartitionRegistration, partition_id: int
    ) -> PartitionChangeRecord | None:
        if not is_reassigning(partition):
            raise KafkaError(errors.NO_REASSIGNMENT_IN_PROGRESS)
        before = revert(partition)
        if before.is_unclean and not self._leadership.is_unclean_allowed(topic.name):
            raise misassigned(
                f"Unable to revert partition assignment for {topic.name}:{partition_id} because it would require an "
                "unclean leader election."
            )
        target = Target(isr=before.isr, replicas=before.replicas, removing=(), adding=())
        rules = self._leadership.rules_of(topic)(partition)
        return change_partition(partition, topic.topic_id, partition_id, rules, target)

    def _change(
        self,
        topic: TopicImage,
        partition: PartitionRegistration,
        partition_id: int,
        replicas: Sequence[int],
        allow_factor_change: bool,
    ) -> PartitionChangeRecord | None:
        check_manual_assignment(self._state().cluster, replicas)
        factor = replication_factor(partition)
        if not allow_factor_change and len(replicas) != factor:
            message = f"The replication factor is changed from {factor} to {len(replicas)}"
            raise KafkaError(errors.INVALID_REPLICATION_FACTOR, message)
        wanted = reassign(partition.replicas, replicas)
        # What was going or coming before and does neither now keeps its place in the record, as Kafka leaves it.
        target = Target(replicas=wanted.replicas, removing=wanted.removing or None, adding=wanted.adding or None)
        rules = self._leadership.rules_of(topic)(partition)._replace(election=Election.ONLINE)
        return change_partition(partition, topic.topic_id, partition_id, rules, target)


def _ongoing(topic: TopicImage, partition_ids: Iterable[int]) -> list[Ongoing]:
    rows = []
    for number in partition_ids:
        partition = topic.partitions.get(number)
        if partition is not None and is_reassigning(partition):
            rows.append(
                Ongoing(
                    partition_index=number,
                    replicas=list(partition.replicas),
                    adding_replicas=list(partition.adding_replicas),
                    removing_replicas=list(partition.removing_replicas),
                )
            )
    return rows

"""AlterPartition: a leader proposes the ISR of its partitions, and the controller takes it or says why not.

Who asks must be what the controller thinks he is: the broker's epoch, leader epoch and partition epoch are checked
before what he asks for, in Kafka's order (KIP-497, KIP-704, KIP-841, KIP-903).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from klamm.kproto import errors
from klamm.kproto.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.controller.partition_change import Target, change_partition
from klamm.metadata.image.cluster import BrokerRegistration
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.image.partition import NO_LEADER_CHANGE, RECOVERED, RECOVERING, PartitionRegistration
from klamm.metadata.image.topics import TopicImage

Asked = AlterPartitionRequest.TopicData.PartitionData
Member = Asked.BrokerState
TopicTold = AlterPartitionResponse.TopicData
Told = TopicTold.PartitionData
UNKNOWN_EPOCH = -1
"""A member's broker epoch that is not checked: that of a leader that speaks version 2, or does not know it."""


class IsrControl:
    """`checked` gives the broker of an id and epoch, or raises KafkaError STALE_BROKER_EPOCH."""

    def __init__(
        self,
        state: Callable[[], MetadataImage],
        leadership: Leadership,
        checked: Callable[[int, int], BrokerRegistration],
    ) -> None:
        self._state = state
        self._leadership = leadership
        self._checked = checked

    def alter_partition(self, request: AlterPartitionRequest) -> Decision[AlterPartitionResponse, Message]:
        """Errors are told partition by partition. Raises KafkaError STALE_BROKER_EPOCH.

        NOT_CONTROLLER is told when the leader is ahead: the controller is probably not the active one any more.
        NEW_LEADER_ELECTED comes with a change: the new ISR ended a reassignment that moved the leadership too.
        """
        self._checked(request.broker_id, request.broker_epoch)
        records: list[Message] = []
        response = AlterPartitionResponse(throttle_time_ms=0, error_code=errors.NONE, topics=[])
        for asked in request.topics:
            topic = self._state().topics.by_id.get(asked.topic_id)
            rows = [
                _failed(row, errors.UNKNOWN_TOPIC_ID) if topic is None else self._alter(request, topic, row, records)
                for row in asked.partitions
            ]
            response.topics.append(TopicTold(topic_id=asked.topic_id, partitions=rows))
        return Decision(response, records)

    def _alter(self, request: AlterPartitionRequest, topic: TopicImage, asked: Asked, records: list[Message]) -> Told:
        partition = topic.partitions.get(asked.partition_index)
        if partition is None:
            return _failed(asked, errors.UNKNOWN_TOPIC_OR_PARTITION)
        members = _members(asked)
        if code := _refusal(request.broker_id, partition, asked, members) or self._ineligible(members):
            return _failed(asked, code)
        target = Target(isr=[member.broker_id for member in members], leader_recovery_state=asked.leader_recovery_state)
        rules = self._leadership.rules_of(topic)(partition)
        change = change_partition(partition, topic.topic_id, asked.partition_index, rules, target)
        if change is not None:
            records.append(change)
            partition = partition.merge(change)
            if change.leader not in (request.broker_id, NO_LEADER_CHANGE):
                return _failed(asked, errors.NEW_LEADER_ELECTED)
        return Told(
            partition_index=asked.partition_index,
            error_code=errors.NONE,
            leader_id=partition.leader,
            leader_epoch=partition.leader_epoch,
            isr=list(partition.isr),
            leader_recovery_state=partition.leader_recovery_state,
            partition_epoch=partition.partition_epoch,
        )

    def _ineligible(self, members: Sequence[Member]) -> int:
        """A member must be registered, stay, be unfenced, and be the incarnation that the leader knows (KIP-903)."""
        brokers = self._state().cluster.brokers
        for member in members:
            broker = brokers.get(member.broker_id)
            if broker is None or not broker.is_active:
                return errors.INELIGIBLE_REPLICA
            if member.broker_epoch not in (UNKNOWN_EPOCH, broker.broker_epoch):
                return errors.INELIGIBLE_REPLICA
        return errors.NONE


def _members(asked: Asked) -> Sequence[Member]:
    if asked.new_isr and not asked.new_isr_with_epochs:
        return [Member(broker_id=broker_id, broker_epoch=UNKNOWN_EPOCH) for broker_id in asked.new_isr]
    return asked.new_isr_with_epochs


def _refusal(broker_id: int, partition: PartitionRegistration, asked: Asked, members: Sequence[Member]) -> int:
    """Why this change may not be made by this broker; NONE when it may."""
    if asked.leader_epoch > partition.leader_epoch or asked.partition_epoch > partition.partition_epoch:
        return errors.NOT_CONTROLLER
    if asked.leader_epoch < partition.leader_epoch:
        return errors.FENCED_LEADER_EPOCH
    if broker_id != partition.leader:
        return errors.INVALID_REQUEST
    if asked.partition_epoch < partition.partition_epoch:
        return errors.INVALID_UPDATE_VERSION
    isr = [member.broker_id for member in members]
    is_valid = len(set(isr)) == len(isr) and set(isr) <= set(partition.replicas) and partition.leader in isr
    if not is_valid or asked.leader_recovery_state not in (RECOVERED, RECOVERING):
        return errors.INVALID_REQUEST
    if asked.leader_recovery_state == RECOVERING and (
        len(isr) > 1 or partition.leader_recovery_state == RECOVERED
    ):  # one that recovers is alone in the ISR, and nobody goes back to recovering
        return errors.INVALID_REQUEST
    return errors.NONE


def _failed(asked: Asked, code: int) -> Told:
    return Told(
        partition_index=asked.partition_index, error_code=code, leader_id=0, leader_epoch=0, isr=[], partition_epoch=0
    )

"""Changes of in-sync replicas on their way to the controller: one AlterPartition request at a time, for all partitions.

What a request did not settle is sent again with the next; what a refusal means for a partition is its own rule
(`log/isr.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.alter_partition import AlterPartitionRequest, AlterPartitionResponse

if TYPE_CHECKING:
    from klamm.kproto.schema import Message
    from klamm.log.isr import IsrChange
    from klamm.seams import Clock, Timer
    from klamm.server.partition import Partition
    from klamm.server.to_controller import ToController

log = logging.getLogger(__name__)

RETRY_MS: Final = 50.0
Key = tuple[bytes, int]
Asked = AlterPartitionRequest.TopicData
Answered = AlterPartitionResponse.TopicData.PartitionData


class IsrChanges:
    """The changes that the controller has not answered yet. `settled` is called when answers have been dealt with."""

    def __init__(
        self,
        to_controller: ToController,
        clock: Clock,
        node_id: int,
        broker_epoch: Callable[[], int],
        settled: Callable[[], None],
    ) -> None:
        self._to_controller = to_controller
        self._clock = clock
        self._node_id = node_id
        self._broker_epoch = broker_epoch
        self._settled = settled
        self._unsettled: dict[Key, tuple[Partition, IsrChange]] = {}
        self._is_in_flight = False
        self._timer: Timer | None = None
        self._is_closed = False

    def propose(self, partition: Partition, change: IsrChange) -> None:
        """Send `change` with the next request; refused (OPERATION_NOT_ATTEMPTED) while an older one is unsettled."""
        key = partition.topic_id, partition.index
        assert partition.replication is not None
        if key in self._unsettled:
            partition.replication.refused(change, errors.OPERATION_NOT_ATTEMPTED)
            return
        self._unsettled[key] = partition, change
        # What else this turn brings goes with the same request.
        self._send_after(0)

    def close(self) -> None:
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _send_after(self, delay_ms: float) -> None:
        if self._timer is None and not self._is_in_flight and not self._is_closed:
            self._timer = self._clock.call_later(delay_ms, self._send)

    def _send(self) -> None:
        self._timer = None
        # What the metadata has overtaken meanwhile is not asked for any more.
        self._unsettled = {key: (p, change) for key, (p, change) in self._unsettled.items() if _is_wanted(p, change)}
        if self._is_in_flight or not self._unsettled or self._is_closed:
            return
        sent = dict(self._unsettled)
        topics: dict[bytes, Asked] = {}
        for (topic_id, index), (_, change) in sent.items():
            topic = topics.setdefault(topic_id, Asked(topic_id=topic_id, partitions=[]))
            isr = [Asked.PartitionData.BrokerState(broker_id=i, broker_epoch=epoch) for i, epoch in change.isr]
            topic.partitions.append(
                Asked.PartitionData(
                    partition_index=index,
                    leader_epoch=change.leader_epoch,
                    new_isr_with_epochs=isr,
                    leader_recovery_state=change.leader_recovery_state,
                    partition_epoch=change.partition_epoch,
                )
            )
        self._is_in_flight = True
        request = AlterPartitionRequest(
            broker_id=self._node_id, broker_epoch=self._broker_epoch(), topics=list(topics.values())
        )
        self._to_controller.send(request).then(lambda answer: self._answered(sent, answer))

    def _answered(self, sent: dict[Key, tuple[Partition, IsrChange]], answer: Message | Exception) -> None:
        self._is_in_flight = False
        if self._is_closed:
            return
        code = errors.UNKNOWN_SERVER_ERROR
        if isinstance(answer, AlterPartitionResponse):
            code = answer.error_code
        elif isinstance(answer, KafkaError):
            code = answer.code
        if code:
            # Nothing is known of any partition; with STALE_BROKER_EPOCH this broker is about to register again.
            log.info("the in-sync replicas of %d partitions could not be changed: %s", len(sent), errors.name_of(code))
            self._send_after(RETRY_MS)
            return
        rows = {
            (topic.topic_id, row.partition_index): row
            for topic in cast(AlterPartitionResponse, answer).topics
            for row in topic.partitions
        }
        for key, (partition, change) in sent.items():
            found = rows.get(key)
            if found is not None:
                del self._unsettled[key]
                self._settle(partition, change, found)
        if self._unsettled:
            is_retry = any(key in self._unsettled for key in sent)
            self._send_after(RETRY_MS if is_retry else 0)
        self._settled()

    def _settle(self, partition: Partition, change: IsrChange, row: Answered) -> None:
        replication = partition.replication
        if replication is None:
            return
        name = f"{partition.topic}-{partition.index}"
        if row.error_code:
            log.info("%s: in-sync replicas not changed to %s: %s", name, change.isr, errors.name_of(row.error_code))
            if replication.refused(change, row.error_code):
                self._unsettled[partition.topic_id, partition.index] = partition, change
            return
        if replication.altered(change, row.leader_epoch, row.partition_epoch, row.isr, row.leader_recovery_state):
            log.info("%s: in-sync replicas are %s now", name, row.isr)
            partition.isr_changed()


def _is_wanted(partition: Partition, change: IsrChange) -> bool:
    return partition.replication is not None and partition.replication.is_under_way(change)

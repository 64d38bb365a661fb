"""Where replicas are: what brokers tell of their log directories, and of those that have failed (KIP-858).

A replica in a directory that its broker does not have online cannot lead; nobody but its broker says where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from klamm.kproto import errors
from klamm.kproto.messages.assign_replicas_to_dirs import AssignReplicasToDirsRequest, AssignReplicasToDirsResponse
from klamm.kproto.metadata_records import BrokerRegistrationChangeRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.image.cluster import BrokerRegistration
from klamm.metadata.image.image import MetadataImage

Asked = AssignReplicasToDirsRequest.DirectoryData
Told = AssignReplicasToDirsResponse.DirectoryData
Checked = Callable[[int, int], BrokerRegistration]


class DirectoryControl:
    """Decides AssignReplicasToDirs and what follows from a failed directory.

    `checked` gives the broker of an id and epoch, or raises KafkaError STALE_BROKER_EPOCH.
    """

    def __init__(self, state: Callable[[], MetadataImage], leadership: Leadership, checked: Checked) -> None:
        self._state = state
        self._leadership = leadership
        self._checked = checked

    def assign(self, request: AssignReplicasToDirsRequest) -> Decision[AssignReplicasToDirsResponse, Message]:
        """Note where a broker has its replicas. Errors are told partition by partition.

        A replica in a directory that is offline leaves the ISR. Raises KafkaError as `checked` does.
        """
        broker = self._checked(request.broker_id, request.broker_epoch)
        records: list[Message] = []
        response = AssignReplicasToDirsResponse(throttle_time_ms=0, error_code=errors.NONE, directories=[])
        lost: list[Asked] = []
        for directory in request.directories:
            if not broker.has_online_directory(directory.id):
                lost.append(directory)
            topics = [
                Told.TopicData(
                    topic_id=topic.topic_id,
                    partitions=[
                        Told.TopicData.PartitionData(
                            partition_index=row.partition_index,
                            error_code=self._assign(broker, directory.id, topic.topic_id, row.partition_index, records),
                        )
                        for row in topic.partitions
                    ],
                )
                for topic in directory.topics
            ]
            response.directories.append(Told(id=directory.id, topics=topics))
        for directory in lost:
            for topic in directory.topics:
                asked = [row.partition_index for row in topic.partitions]
                records += self._leadership.after_lost_replicas(broker.broker_id, topic.topic_id, asked)
        return Decision(response, records)

    def _assign(
        self, broker: BrokerRegistration, directory: bytes, topic_id: bytes, index: int, records: list[Message]
    ) -> int:
        topic = self._state().topics.by_id.get(topic_id)
        if topic is None:
            return errors.UNKNOWN_TOPIC_ID
        partition = topic.partitions.get(index)
        if partition is None:
            return errors.UNKNOWN_TOPIC_OR_PARTITION
        if broker.broker_id not in partition.replicas:
            return errors.NOT_LEADER_OR_FOLLOWER
        record = self._leadership.after_assignment(topic_id, index, broker.broker_id, directory)
        if record is not None:
            records.append(record)
        return errors.NONE

    def offline(self, broker: BrokerRegistration, directories: Sequence[bytes]) -> list[Message]:
        """A broker tells (in every heartbeat) which of its directories have failed."""
        lost = [directory for directory in broker.log_dirs if directory in directories]
        if not lost:
            return []
        records: list[Message] = []
        for directory in lost:
            records += self._leadership.after_lost_directory(broker.broker_id, directory)
        left = [directory for directory in broker.log_dirs if directory not in lost]
        records.append(
            BrokerRegistrationChangeRecord(broker_id=broker.broker_id, broker_epoch=broker.broker_epoch, log_dirs=left)
        )
        return records

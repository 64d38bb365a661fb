"""Elections that somebody asks for, and those the controller holds by itself from time to time.

The preferred leader (the first replica) is brought back every `leader.imbalance.check.interval.seconds`; where a topic
allows it, an unclean leader is looked for every five minutes. No clock here: the driver's timers come back as commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse
from klamm.kproto.schema import Message
from klamm.log.machine import Decision, SetTimer
from klamm.metadata.controller.leadership import Leadership, select
from klamm.metadata.controller.partition_change import Election, Target, change_partition
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.image.partition import PartitionRegistration
from klamm.metadata.image.topics import TopicImage

PREFERRED, UNCLEAN = 0, 1
"""Election types of ElectLeaders."""
_ELECTIONS = {PREFERRED: Election.PREFERRED, UNCLEAN: Election.UNCLEAN}
_UNAVAILABLE = {
    PREFERRED: errors.PREFERRED_LEADER_NOT_AVAILABLE,
    UNCLEAN: errors.ELIGIBLE_LEADERS_NOT_AVAILABLE,
}
ELECTIONS_MAX = 1000
"""Elections in one go; when there are more, the rest follows after a moment."""
RECORDS_PER_REQUEST_MAX = 10_000
_AGAIN_MS = 10.0
_PREFERRED_TIMER, _UNCLEAN_TIMER = "elect-preferred", "elect-unclean"

ElectedTopic = ElectLeadersResponse.ReplicaElectionResult
Elected = ElectedTopic.PartitionResult


class ElectionSettings(NamedTuple):
    """`balance_interval_ms`: leader.imbalance.check.interval.seconds; None when auto.leader.rebalance.enable is false.

    `unclean_interval_ms`: Kafka's unclean.leader.election.interval.ms. leader.imbalance.per.broker.percentage has no
    meaning for a KRaft controller.
    """

    balance_interval_ms: float | None = 300_000.0
    unclean_interval_ms: float = 300_000.0


class ElectionControl:
    """Decides ElectLeaders and the elections by timer."""

    def __init__(self, state: Callable[[], MetadataImage], leadership: Leadership, settings: ElectionSettings) -> None:
        self._state = state
        self._leadership = leadership
        self._settings = settings

    def on_leadership(self) -> Sequence[SetTimer]:
        """The timers of a new active controller."""
        timers = [SetTimer(_UNCLEAN_TIMER, self._settings.unclean_interval_ms, self.elect_unclean)]
        if self._settings.balance_interval_ms is not None:
            timers.append(SetTimer(_PREFERRED_TIMER, self._settings.balance_interval_ms, self.balance))
        return timers

    def elect_leaders(self, request: ElectLeadersRequest) -> Decision[ElectLeadersResponse, Message]:
        """Errors are told partition by partition; of all partitions (null) those that need no election are not told.

        Raises KafkaError POLICY_VIOLATION for too many elections.
        """
        kind = request.election_type
        if kind not in _ELECTIONS:
            return Decision(_no_such_election(request))
        records: list[Message] = []
        response = ElectLeadersResponse(throttle_time_ms=0, error_code=errors.NONE, replica_election_results=[])
        for name, partition_ids in self._asked(request):
            rows = [self._elect(name, number, kind, records) for number in partition_ids]
            if request.topic_partitions is None:
                rows = [row for row in rows if row.error_code != errors.ELECTION_NOT_NEEDED]
            response.replica_election_results.append(ElectedTopic(topic=name, partition_result=rows))
        if len(records) > RECORDS_PER_REQUEST_MAX:
            raise KafkaError(errors.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
        return Decision(response, records)

    def balance(self) -> Decision[int, Message]:
        """Give partitions back to their preferred leaders. The answer is how many changed."""
        records: list[Message] = []
        for topic, partitions in select(self._state(), lambda partition: not _has_preferred_leader(partition)):
            self._elect_all(topic, partitions, Election.PREFERRED, records)
        interval_ms = self._settings.balance_interval_ms
        assert interval_ms is not None
        return _periodic(records, SetTimer(_PREFERRED_TIMER, interval_ms, self.balance))

    def elect_unclean(self) -> Decision[int, Message]:
        """Rather a leader that lacks records than none, where a topic says so. The answer is how many changed."""
        records: list[Message] = []
        for topic, partitions in select(self._state(), lambda partition: not partition.has_leader):
            if self._leadership.is_unclean_allowed(topic.name):
                self._elect_all(topic, partitions, Election.UNCLEAN, records)
        return _periodic(records, SetTimer(_UNCLEAN_TIMER, self._settings.unclean_interval_ms, self.elect_unclean))

    def _asked(self, request: ElectLeadersRequest) -> Iterable[tuple[str, Iterable[int]]]:
        if request.topic_partitions is None:
            return [(topic.name, topic.partitions) for topic in self._state().topics.by_name.values()]
        return [(topic.topic, topic.partitions) for topic in request.topic_partitions]

    def _elect(self, name: str, number: int, kind: int, records: list[Message]) -> Elected:
        topic = self._state().topics.by_name.get(name)
        if topic is None:
            return _told(number, errors.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}")
        partition = topic.partitions.get(number)
        if partition is None:
            return _told(number, errors.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{number}")
        if _has_preferred_leader(partition) if kind == PREFERRED else partition.has_leader:
            return _told(number, errors.ELECTION_NOT_NEEDED)
        before = len(records)
        self._elect_all(topic, [(number, partition)], _ELECTIONS[kind], records)
        return _told(number, errors.NONE if len(records) > before else _UNAVAILABLE[kind])

    def _elect_all(
        self,
        topic: TopicImage,
        partitions: Iterable[tuple[int, PartitionRegistration]],
        election: Election,
        records: list[Message],
    ) -> None:
        rules_of = self._leadership.rules_of(topic)
        for number, partition in partitions:
            rules = rules_of(partition)._replace(election=election)
            record = change_partition(partition, topic.topic_id, number, rules, Target())
            if record is not None:
                records.append(record)


def _has_preferred_leader(partition: PartitionRegistration) -> bool:
    return partition.leader == partition.replicas[0]


def _periodic(records: list[Message], timer: SetTimer) -> Decision[int, Message]:
    if len(records) >= ELECTIONS_MAX:
        timer = timer._replace(delay_ms=_AGAIN_MS)
    return Decision(min(len(records), ELECTIONS_MAX), records[:ELECTIONS_MAX], [timer])


def _told(partition_id: int, code: int, message: str | None = None) -> Elected:
    if code != errors.NONE and message is None:
        message = errors.info(code).message
    return Elected(partition_id=partition_id, error_code=code, error_message=message)


def _no_such_election(request: ElectLeadersRequest) -> ElectLeadersResponse:
    """An unknown election type: an error for the whole, and again for every partition that is named."""
    message = f"Unknown election type {request.election_type}"
    rows = [
        ElectedTopic(
            topic=topic.topic,
            partition_result=[
                ElectedTopic.PartitionResult(partition_id=i, error_code=errors.INVALID_REQUEST, error_message=message)
                for i in topic.partitions
            ],
        )
        for topic in request.topic_partitions or ()
    ]
    return ElectLeadersResponse(throttle_time_ms=0, error_code=errors.INVALID_REQUEST, replica_election_results=rows)

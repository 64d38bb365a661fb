"""Creating and deleting topics and partitions: checks in Kafka's order, then records in Kafka's order.

A topic is one atomic unit: its record, its configs, its partitions. A request is one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.kproto.metadata_records import RemoveTopicRecord, TopicRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.configs import SET, Alteration, ConfigControl, ConfigRules, Failure
from klamm.metadata.controller.manual_assignment import check_manual_assignment, misassigned
from klamm.metadata.controller.placement import UsableBroker, place
from klamm.metadata.controller.topic_names import (
    CLUSTER_METADATA,
    has_collision_chars,
    invalid_name_reason,
    unify_collision_chars,
)
from klamm.metadata.image.image import BROKER_RESOURCE, TOPIC_RESOURCE, MetadataImage
from klamm.metadata.image.partition import RECOVERED, PartitionRegistration
from klamm.seams import Entropy

PARTITIONS_PER_REQUEST_MAX = 10_000
CreatableTopic = CreateTopicsRequest.CreatableTopic
Result = CreateTopicsResponse.CreatableTopicResult


class TopicDefaults(NamedTuple):
    """`num.partitions` and `default.replication.factor`, for requests that leave them to the broker (-1)."""

    num_partitions: int = 1
    replication_factor: int = 1


class TopicControl:
    """Decides CreateTopics, CreatePartitions and DeleteTopics. `node_id` is the controller's own."""

    def __init__(
        self,
        state: Callable[[], MetadataImage],
        configs: ConfigControl,
        rules: ConfigRules,
        defaults: TopicDefaults,
        node_id: int,
        entropy: Entropy,
    ) -> None:
        self._state = state
        self._configs = configs
        self._rules = rules
        self._defaults = defaults
        self._node_id = node_id
        self._entropy = entropy

    def create_topics(self, request: CreateTopicsRequest) -> Decision[CreateTopicsResponse, Message]:
        """Errors are told topic by topic; the good ones are created (or, with validate_only, described)."""
        counts: dict[str, int] = {}
        for topic in request.topics:
            counts[topic.name] = counts.get(topic.name, 0) + 1
        wanted = [t for t in request.topics if counts[t.name] == 1 and t.name != CLUSTER_METADATA]
        try:
            self._limit_partitions(wanted)
        except KafkaError as error:
            # The error of the whole request: the response has no place for it but its topics.
            results = [_failed(name, Failure(error.code, error.message)) for name in counts]
            return Decision(CreateTopicsResponse(throttle_time_ms=0, topics=results), [])
        collisions = self._collisions(wanted)
        records: list[Message] = []
        results = [self._create(topic, collisions, records) for topic in wanted]
        for name, count in counts.items():
            if count > 1:
                results.append(_failed(name, Failure(errors.INVALID_REQUEST, "Duplicate topic name.")))
            elif name == CLUSTER_METADATA:
                message = f"Creation of internal topic {CLUSTER_METADATA} is prohibited."
                results.append(_failed(name, Failure(errors.INVALID_REQUEST, message)))
        response = CreateTopicsResponse(throttle_time_ms=0, topics=results)
        return Decision(response, [] if request.validate_only else records)

    def create_partitions(self, request: CreatePartitionsRequest) -> Decision[CreatePartitionsResponse, Message]:
        """Add partitions to topics; existing keys are not moved."""
        names = [topic.name for topic in request.topics]
        response = CreatePartitionsResponse(throttle_time_ms=0, results=[])
        records: list[Message] = []

        def tell(name: str, code: int, message: str | None) -> None:
            row = CreatePartitionsResponse.CreatePartitionsTopicResult
            response.results.append(row(name=name, error_code=code, error_message=message))

        for name in dict.fromkeys(names):
            if names.count(name) > 1:
                tell(name, errors.INVALID_REQUEST, "Duplicate topic name.")
        for topic in request.topics:
            if names.count(topic.name) > 1:
                continue
            try:
                records += self._new_partitions(topic)
                tell(topic.name, errors.NONE, None)
            except KafkaError as error:
                # UNKNOWN_TOPIC_OR_PARTITION comes without a message here, unlike anywhere else.
                unknown = error.code == errors.UNKNOWN_TOPIC_OR_PARTITION
                tell(topic.name, error.code, None if unknown else error.message)
        return Decision(response, [] if request.validate_only else records)

    def delete_topics(self, topic_ids: Iterable[bytes]) -> Decision[dict[bytes, int], Message]:
        """Error code by topic id: NONE or UNKNOWN_TOPIC_ID."""
        known = self._state().topics.by_id
        codes = {i: errors.NONE if i in known else errors.UNKNOWN_TOPIC_ID for i in topic_ids}
        return Decision(codes, [RemoveTopicRecord(topic_id=i) for i, code in codes.items() if code == errors.NONE])

    def _limit_partitions(self, topics: Sequence[CreatableTopic]) -> None:
        total = 0
        for topic in topics:
            if topic.assignments:
                total += len(topic.assignments)
            else:
                total += self._defaults.num_partitions if topic.num_partitions == -1 else max(topic.num_partitions, 0)
        if total > PARTITIONS_PER_REQUEST_MAX:
            raise KafkaError(errors.POLICY_VIOLATION, "Excessively large number of partitions per request.")

    def _collisions(self, topics: Sequence[CreatableTopic]) -> Mapping[str, str]:
        """Unified form -> an existing topic of that form, when one of `topics` needs to know."""
        if not any(has_collision_chars(topic.name) for topic in topics):
            return {}
        names = self._state().topics.by_name
        return {unify_collision_chars(name): name for name in names if has_collision_chars(name)}

    def _create(self, topic: CreatableTopic, collisions: Mapping[str, str], records: list[Message]) -> Result:
        reason = invalid_name_reason(topic.name)
        failure = Failure(errors.INVALID_TOPIC_EXCEPTION, reason) if reason else None
        if has_collision_chars(topic.name) and (other := collisions.get(unify_collision_chars(topic.name))):
            message = f"Topic '{topic.name}' collides with existing topic: {other}"
            failure = Failure(errors.INVALID_TOPIC_EXCEPTION, message)
        if topic.name in self._state().topics.by_name:
            failure = Failure(errors.TOPIC_ALREADY_EXISTS, f"Topic '{topic.name}' already exists.")
        config_records: list[Message] = []
        if failure is None:
            failure = self._new_configs(topic, config_records)
        if failure is not None:
            return _failed(topic.name, failure)
        try:
            partitions = self._assigned(topic) if topic.assignments else self._placed(topic)
        except KafkaError as error:
            return _failed(topic.name, Failure(error.code, error.message))
        topic_id = self._entropy.uuid()
        records.append(TopicRecord(name=topic.name, topic_id=topic_id))
        records += config_records
        records += [partition.to_record(topic_id, number) for number, partition in enumerate(partitions)]
        return self._described(topic, topic_id, partitions)

    def _new_configs(self, topic: CreatableTopic, records: list[Message]) -> Failure | None:
        nulls = [config.name for config in topic.configs if config.value is None]
        if nulls:
            return Failure(errors.INVALID_CONFIG, f"Null value not supported for topic configs: {','.join(nulls)}")
        values = {config.name: config.value for config in topic.configs}  # of a repeated name the last counts
        if not values:
            return None
        changes = [Alteration(name, SET, value) for name, value in values.items()]
        return self._configs.alter((TOPIC_RESOURCE, topic.name), changes, records, is_new=True)

    def _assigned(self, topic: CreatableTopic) -> list[PartitionRegistration]:
        if topic.replication_factor != -1:
            raise _refused("A manual partition assignment was specified, but replication factor was not set to -1.")
        if topic.num_partitions != -1:
            raise _refused("A manual partition assignment was specified, but numPartitions was not set to -1.")
        partitions: dict[int, PartitionRegistration] = {}
        replication_factor = None
        for assignment in topic.assignments:
            number = assignment.partition_index
            if number in partitions:
                raise misassigned(f"Found multiple manual partition assignments for partition {number}")
            partitions[number] = self._checked(assignment.broker_ids, replication_factor, number)
            replication_factor = len(assignment.broker_ids)
        if any(number not in partitions for number in range(len(partitions))):
            raise misassigned("partitions should be a consecutive 0-based integer sequence")
        return [partitions[number] for number in range(len(partitions))]

    def _checked(self, replicas: Sequence[int], replication_factor: int | None, number: int) -> PartitionRegistration:
        """A partition on brokers that the user chose. Raises KafkaError INVALID_REPLICA_ASSIGNMENT."""
        check_manual_assignment(self._state().cluster, replicas, replication_factor)
        partition = self._partition(replicas)
        if partition is None:
            raise misassigned(
                f"All brokers specified in the manual partition assignment for partition {number} are fenced or in "
                "controlled shutdown."
            )
        return partition

    def _placed(self, topic: CreatableTopic) -> list[PartitionRegistration]:
        if topic.replication_factor < -1 or topic.replication_factor == 0:
            message = "Replication factor must be larger than 0, or -1 to use the default value."
            raise KafkaError(errors.INVALID_REPLICATION_FACTOR, message)
        if topic.num_partitions < -1 or topic.num_partitions == 0:
            message = "Number of partitions was set to an invalid non-positive value."
            raise KafkaError(errors.INVALID_PARTITIONS, message)
        count = self._defaults.num_partitions if topic.num_partitions == -1 else topic.num_partitions
        factor = self._defaults.replication_factor if topic.replication_factor == -1 else topic.replication_factor
        try:
            return self._place(count, factor)
        except KafkaError as error:
            prefix = f"Unable to replicate the partition {factor} time(s): "
            message = error.message if error.message.startswith(prefix) else prefix + error.message
            raise KafkaError(error.code, message) from None

    def _place(self, count: int, replication_factor: int) -> list[PartitionRegistration]:
        brokers = [
            UsableBroker(b.broker_id, b.rack, b.fenced)
            for b in self._state().cluster.brokers.values()
            if b.takes_replicas
        ]
        partitions = []
        for replicas in place(count, replication_factor, brokers, self._entropy.randrange):
            partition = self._partition(replicas)
            if partition is None:
                raise KafkaError(
                    errors.INVALID_REPLICATION_FACTOR,
                    f"Unable to replicate the partition {replication_factor} time(s): All brokers are currently "
                    "fenced or in controlled shutdown.",
                )
            partitions.append(partition)
        return partitions

    def _partition(self, replicas: Sequence[int]) -> PartitionRegistration | None:
        """A new partition whose ISR are the replicas on active brokers; None when there are none."""
        cluster = self._state().cluster
        isr = tuple(broker_id for broker_id in replicas if cluster.is_active(broker_id))
        if not isr:
            return None
        directories = tuple(cluster.brokers[broker_id].default_directory() for broker_id in replicas)
        return PartitionRegistration(tuple(replicas), directories, isr, (), (), isr[0], RECOVERED, 0, 0)

    def _new_partitions(self, topic: CreatePartitionsRequest.CreatePartitionsTopic) -> list[Message]:
        image = self._state().topics.by_name.get(topic.name)
        if image is None:
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)
        count = len(image.partitions)
        if topic.count == count:
            raise KafkaError(errors.INVALID_PARTITIONS, f"Topic already has {count} partition(s).")
        if topic.count < count:
            message = (
                f"The topic {topic.name} currently has {count} partition(s); {topic.count} would not be an increase."
            )
            raise KafkaError(errors.INVALID_PARTITIONS, message)
        additional = topic.count - count
        if topic.assignments is not None and len(topic.assignments) != additional:
            raise misassigned(
                f"Attempted to add {additional} additional partition(s), but only {len(topic.assignments)} "
                "assignment(s) were specified."
            )
        if additional > PARTITIONS_PER_REQUEST_MAX:
            raise KafkaError(errors.POLICY_VIOLATION, "Excessively large number of partitions per request.")
        replication_factor = len(image.partitions[0].replicas)
        if topic.assignments is not None:
            new = [self._checked(a.broker_ids, replication_factor, count + i) for i, a in enumerate(topic.assignments)]
        else:
            new = self._place(additional, replication_factor)
        return [partition.to_record(image.topic_id, count + i) for i, partition in enumerate(new)]

    def _described(
        self, topic: CreatableTopic, topic_id: bytes, partitions: Collection[PartitionRegistration]
    ) -> Result:
        image = self._state()
        effective = self._rules.effective_topic_configs(
            {config.name: config.value or "" for config in topic.configs},
            image.config(BROKER_RESOURCE, str(self._node_id)),
            image.config(BROKER_RESOURCE, ""),
        )
        return Result(
            name=topic.name,
            topic_id=topic_id,
            error_code=errors.NONE,
            error_message=None,
            num_partitions=len(partitions),
            replication_factor=len(next(iter(partitions)).replicas),
            configs=[
                Result.CreatableTopicConfigs(
                    name=c.name,
                    value=None if c.is_sensitive else c.value,
                    read_only=c.is_read_only,
                    config_source=c.source,
                    is_sensitive=c.is_sensitive,
                )
                for c in effective
            ],
        )


def _failed(name: str, failure: Failure) -> Result:
    return Result(name=name, error_code=failure.code, error_message=failure.message)


def _refused(message: str) -> KafkaError:
    return KafkaError(errors.INVALID_REQUEST, message)

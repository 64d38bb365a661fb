"""Dynamic configs of topics, brokers, groups and client metrics: what an alteration writes.

What a key means (its type, its range) is known to `ConfigRules`, which the server gives; here is only what the
controller adds: which values change, what must go with them, and what ELR forbids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.alter_configs import AlterConfigsRequest, AlterConfigsResponse
from klamm.kproto.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from klamm.kproto.metadata_records import ClearElrRecord, ConfigRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.leadership import MIN_INSYNC_REPLICAS
from klamm.metadata.controller.topic_names import invalid_name_reason
from klamm.metadata.features import CORDONED_LOG_DIRS_SINCE, is_cordoned_log_dirs_supported, level_name
from klamm.metadata.image.image import (
    BROKER_RESOURCE,
    CLIENT_METRICS_RESOURCE,
    GROUP_RESOURCE,
    TOPIC_RESOURCE,
    ConfigResource,
    MetadataImage,
)

CORDONED_LOG_DIRS = "cordoned.log.dirs"
SET, DELETE, APPEND, SUBTRACT = range(4)
"""Operations of IncrementalAlterConfigs (`config_operation`)."""
_OPERATION_NAMES = {APPEND: "APPEND", SUBTRACT: "SUBTRACT"}
_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_VALUE_LENGTH_MAX = 32_767
_VALUE_TOO_LONG = (
    f"The configuration value cannot be added because it exceeds the maximum value size of {_VALUE_LENGTH_MAX} bytes."
)
_RESOURCE_TYPES = (TOPIC_RESOURCE, BROKER_RESOURCE, CLIENT_METRICS_RESOURCE, GROUP_RESOURCE)


class EffectiveConfig(NamedTuple):
    """One config of a topic as CreateTopics tells it; `source` as in DescribeConfigs (1 topic ... 5 default)."""

    name: str
    value: str | None
    is_read_only: bool
    source: int
    is_sensitive: bool


class ConfigRules(Protocol):
    """What the controller has to know about config keys."""

    def validate(self, resource_type: int, name: str, configs: Mapping[str, str], existing: Mapping[str, str]) -> None:
        """Refuse `configs`, all that the resource would have. Raises KafkaError (INVALID_CONFIG, INVALID_REQUEST)."""
        ...

    def is_list(self, resource_type: int, key: str) -> bool:
        """Whether values can be appended and subtracted."""
        ...

    def default(self, resource_type: int, key: str) -> str | None:
        """What a resource without the key has by Kafka's own defaults."""
        ...

    def effective_topic_configs(
        self, configs: Mapping[str, str], node: Mapping[str, str], cluster: Mapping[str, str]
    ) -> Sequence[EffectiveConfig]:
        """All configs of a topic with `configs`, sorted by name, over the dynamic ones of this node and the cluster."""
        ...


class Alteration(NamedTuple):
    """One change to one key. `value` is None for DELETE."""

    key: str
    operation: int
    value: str | None


class Failure(NamedTuple):
    """An error of one item of a request."""

    code: int
    message: str | None


class ConfigControl:
    """Decides alterations, of single resources and of whole requests."""

    def __init__(self, state: Callable[[], MetadataImage], rules: ConfigRules) -> None:
        self._state = state
        self._rules = rules

    def incremental_alter(
        self, request: IncrementalAlterConfigsRequest
    ) -> Decision[IncrementalAlterConfigsResponse, Message]:
        """KIP-339. Each resource is changed whole or not at all; all records go into one batch."""
        response = IncrementalAlterConfigsResponse(throttle_time_ms=0, responses=[])
        records: list[Message] = []
        twice = _seen_twice([(r.resource_type, r.resource_name) for r in request.resources])
        for resource in request.resources:
            where = resource.resource_type, resource.resource_name
            changes = [Alteration(c.name, c.config_operation, c.value) for c in resource.configs]
            failure = _invalid_resource(where, twice) or malformed(changes)
            if failure is None:
                failure = self.alter(where, changes, records)
            response.responses.append(
                IncrementalAlterConfigsResponse.AlterConfigsResourceResponse(
                    error_code=failure.code if failure else errors.NONE,
                    error_message=failure.message if failure else None,
                    resource_type=resource.resource_type,
                    resource_name=resource.resource_name,
                )
            )
        return Decision(response, [] if request.validate_only else records)

    def legacy_alter(self, request: AlterConfigsRequest) -> Decision[AlterConfigsResponse, Message]:
        """The first AlterConfigs: what is not named goes back to its default."""
        response = AlterConfigsResponse(throttle_time_ms=0, responses=[])
        records: list[Message] = []
        twice = _seen_twice([(r.resource_type, r.resource_name) for r in request.resources])
        for resource in request.resources:
            where = resource.resource_type, resource.resource_name
            changes = [Alteration(c.name, SET, c.value) for c in resource.configs]
            failure = _invalid_resource(where, twice) or malformed(changes)
            if failure is None:
                named = {change.key for change in changes}
                implied = [key for key in self._state().config(*where) if key not in named]
                failure = self.alter(where, changes, records, implied)
            response.responses.append(
                AlterConfigsResponse.AlterConfigsResourceResponse(
                    error_code=failure.code if failure else errors.NONE,
                    error_message=failure.message if failure else None,
                    resource_type=resource.resource_type,
                    resource_name=resource.resource_name,
                )
            )
        return Decision(response, [] if request.validate_only else records)

    def alter(
        self,
        resource: ConfigResource,
        changes: Sequence[Alteration],
        records: list[Message],
        deleted: Sequence[str] = (),
        is_new: bool = False,
    ) -> Failure | None:
        """Add the records of one resource to `records`, or give the reason why not.

        `deleted` are keys that go without having been named. `is_new`: a topic that the same batch creates.
        """
        current = self._state().config(*resource)
        altered: list[ConfigRecord] = []
        for change in changes:
            try:
                new = value_after(self._rules, resource[0], current, change)
            except KafkaError as error:
                return Failure(error.code, error.message)
            # A broker reloads what a config stands for (a key store) even if its value stays (KAFKA-14136).
            if new != current.get(change.key) or resource[0] == BROKER_RESOURCE:
                altered.append(_record(resource, change.key, new))
        implied = [_record(resource, key, None) for key in deleted]
        failure = self._refusal(resource, altered, implied, current, is_new)
        if failure is None:
            records += altered
            records += implied
            records += self._clear_elr(resource, [*altered, *implied])
        return failure

    def _refusal(
        self,
        resource: ConfigResource,
        altered: Sequence[ConfigRecord],
        implied: Sequence[ConfigRecord],
        current: Mapping[str, str],
        is_new: bool,
    ) -> Failure | None:
        after = dict(current)
        for record in (*altered, *implied):
            if resource[0] == BROKER_RESOURCE and (forbidden := self._forbidden_by_level(record)) is not None:
                return Failure(errors.INVALID_CONFIG, forbidden)
            if record.value is None:
                after.pop(record.name, None)
            elif len(record.value) > _VALUE_LENGTH_MAX:
                return Failure(errors.INVALID_CONFIG, _VALUE_TOO_LONG)
            else:
                after[record.name] = record.value
        if (invalid := _invalid_name(resource)) is not None:
            return invalid
        try:
            self._rules.validate(*resource, after, current)
        except KafkaError as error:
            return Failure(error.code, error.message)
        return None if is_new else self._missing(*resource)

    def _missing(self, resource_type: int, name: str) -> Failure | None:
        """Whether there is what the configs are for: a topic, or a registered broker or controller."""
        image = self._state()
        if resource_type == TOPIC_RESOURCE and name not in image.topics.by_name:
            return Failure(errors.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
        if resource_type == BROKER_RESOURCE and name:
            node_id = int(name)
            if node_id not in image.cluster.brokers and node_id not in image.cluster.controllers:
                return Failure(errors.BROKER_ID_NOT_REGISTERED, f"No node with id {node_id} found.")
        return None

    def _forbidden_by_level(self, record: ConfigRecord) -> str | None:
        """Why the levels of the cluster's features forbid the change of a broker's config."""
        if record.name == MIN_INSYNC_REPLICAS and self._state().is_elr_enabled:
            # ELR reads one minimum for the whole cluster: it must exist, and no broker may differ (KIP-966).
            if record.resource_name:
                return "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
            if record.value is None:
                return "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
        if record.name == CORDONED_LOG_DIRS and not is_cordoned_log_dirs_supported(self._state().metadata_version):
            what = "The cordoned.log.dirs configuration value cannot be set because it requires"
            return f"{what} metadata.version >= {level_name(CORDONED_LOG_DIRS_SINCE)}"
        return None

    def _clear_elr(self, resource: ConfigResource, altered: Sequence[ConfigRecord]) -> list[Message]:
        """A new minimum makes what was written down as eligible meaningless."""
        if not self._state().is_elr_enabled:
            return []
        topic = resource[1] if resource[0] == TOPIC_RESOURCE else ""
        return [ClearElrRecord(topic_name=topic) for record in altered if record.name == MIN_INSYNC_REPLICAS]


def malformed(changes: Sequence[Alteration]) -> Failure | None:
    """Why the changes of one resource cannot be read: a key that comes twice, no value, no such operation."""
    if len({change.key for change in changes}) != len(changes):
        return Failure(errors.INVALID_REQUEST, "Error due to duplicate config keys")
    nulls = [change.key for change in changes if change.value is None and change.operation != DELETE]
    if nulls:
        return Failure(errors.INVALID_REQUEST, f"Null value not supported for : {','.join(nulls)}")
    for change in changes:
        # Kafka 4.3 fails within and its controller steps down; an answer is what the sender needs.
        if change.operation not in (SET, DELETE, APPEND, SUBTRACT):
            return Failure(errors.INVALID_REQUEST, f"Unknown operation {change.operation} for {change.key}")
    return None


def value_after(rules: ConfigRules, resource_type: int, current: Mapping[str, str], change: Alteration) -> str | None:
    """What a resource has for a key after a change, None when that is deleted.

    Raises KafkaError: INVALID_CONFIG for appending to or subtracting from what is no list.
    """
    key, operation, value = change
    if operation not in (APPEND, SUBTRACT):
        return None if operation == DELETE else value
    if not rules.is_list(resource_type, key):
        name = _OPERATION_NAMES[operation]
        raise KafkaError(errors.INVALID_CONFIG, f"Can't {name} to key {key} because its type is not LIST.")
    before = current.get(key, rules.default(resource_type, key))
    return edited_list(before or "", operation, value or "")


def edited_list(before: str, operation: int, value: str) -> str:
    """The entries of `before` with those of `value` appended or subtracted, each once."""
    entries = [entry for entry in before.split(",") if entry]
    # Split as Java does: empty strings at the end are no entries, unless there is nothing else.
    for entry in value.rstrip(",").split(",") if value.strip(",") or not value else ():
        if operation == APPEND and entry not in entries:
            entries.append(entry)
        elif operation == SUBTRACT and entry in entries:
            entries.remove(entry)
    return ",".join(entries)


def _record(resource: ConfigResource, key: str, value: str | None) -> ConfigRecord:
    return ConfigRecord(resource_type=resource[0], resource_name=resource[1], name=key, value=value)


def _seen_twice(resources: Sequence[ConfigResource]) -> set[ConfigResource]:
    return {resource for resource in resources if resources.count(resource) > 1} if len(resources) > 1 else set()


def _invalid_resource(where: ConfigResource, twice: set[ConfigResource]) -> Failure | None:
    if where in twice:
        return Failure(errors.INVALID_REQUEST, "Each resource must appear at most once.")
    if where[0] not in _RESOURCE_TYPES:
        return Failure(errors.INVALID_REQUEST, f"Unknown resource type {where[0]}")
    return None


def _invalid_name(resource: ConfigResource) -> Failure | None:
    resource_type, name = resource
    if resource_type == TOPIC_RESOURCE:
        if not name:
            return Failure(errors.INVALID_REQUEST, "Default topic resources are not allowed.")
        reason = invalid_name_reason(name)
        return None if reason is None else Failure(errors.INVALID_TOPIC_EXCEPTION, reason)
    if resource_type == BROKER_RESOURCE:
        is_number = not name or _INTEGER.match(name) is not None
        return None if is_number else Failure(errors.INVALID_REQUEST, f"Node id must be an integer, but it is: {name}")
    if name:
        return None
    if resource_type == GROUP_RESOURCE:
        return Failure(errors.INVALID_REQUEST, "Default group resources are not allowed.")
    return Failure(errors.INVALID_REQUEST, "Subscription name can't be empty")

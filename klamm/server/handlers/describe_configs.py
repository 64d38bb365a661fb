"""DescribeConfigs v1-4: every setting of topics, brokers, groups and client metrics subscriptions.

v1 synonyms and sources (KIP-226), v3 types and documentation (KIP-569). Naming no keys means all of them.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResponse
from klamm.metadata.controller.topic_names import invalid_name_reason
from klamm.metadata.image.image import (
    BROKER_RESOURCE,
    TOPIC_RESOURCE,
    MetadataImage,
)
from klamm.server import log_levels
from klamm.server.broker import Broker
from klamm.server.broker_changes import BROKER_LOGGER_RESOURCE, check_broker_id
from klamm.server.config.describe import (
    DYNAMIC_BROKER_LOGGER_CONFIG,
    ConfigEntry,
    Synonym,
    describe_all,
    describe_default_broker,
    documentation_of,
)
from klamm.server.config.keys import STRING, TYPE_CODES
from klamm.server.config_rules import KINDS
from klamm.server.request import RequestContext

Result = DescribeConfigsResponse.DescribeConfigsResult
Entry = Result.DescribeConfigsResourceResult
Asked = DescribeConfigsRequest.DescribeConfigsResource

_STRING = TYPE_CODES[STRING]


_DESCRIBED = frozenset((*KINDS, BROKER_LOGGER_RESOURCE))


def handle(broker: Broker, context: RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    image = broker.metadata.image
    results = []
    if any(asked.resource_type not in _DESCRIBED for asked in request.resources):
        return _refuse(request, errors.INVALID_REQUEST, "there are resources of a type that has no settings")
    for asked in request.resources:
        result = Result(
            error_code=errors.NONE,
            error_message="",
            resource_type=asked.resource_type,
            resource_name=asked.resource_name,
            configs=[],
        )
        results.append(result)
        try:
            entries = _describe(broker, image, asked)
        except KafkaError as error:
            result.error_code = error.code
            # Kafka puts words to a wrong name only; a topic that does not exist has an error without any.
            if error.code != errors.UNKNOWN_TOPIC_OR_PARTITION:
                result.error_message = error.message
            continue
        kind = KINDS.get(asked.resource_type)
        for entry in entries:
            shaped = _shape(entry, request.include_synonyms)
            if request.include_documentation and kind is not None:
                shaped.documentation = documentation_of(kind, entry.name)
            else:
                shaped.documentation = None
            result.configs.append(shaped)
    return DescribeConfigsResponse(throttle_time_ms=0, results=results)


def _refuse(request: DescribeConfigsRequest, code: int, message: str) -> DescribeConfigsResponse:
    """The error of the whole request: the response has no place for it but its resources."""
    results = [
        Result(
            error_code=code,
            error_message=message,
            resource_type=r.resource_type,
            resource_name=r.resource_name,
            configs=[],
        )
        for r in request.resources
    ]
    return DescribeConfigsResponse(throttle_time_ms=0, results=results)


def _describe(broker: Broker, image: MetadataImage, asked: Asked) -> list[ConfigEntry]:
    names, kind, name = asked.configuration_keys, asked.resource_type, asked.resource_name
    if kind == TOPIC_RESOURCE:
        reason = invalid_name_reason(name)
        if reason is not None:
            raise KafkaError(errors.INVALID_TOPIC_EXCEPTION, reason)
        if name not in image.topics.by_name:
            raise KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)
    elif kind == BROKER_RESOURCE:
        if not name:
            return describe_default_broker(broker.settings.layers(image, kind, name), names)
        check_broker_id(broker, name)
    elif kind == BROKER_LOGGER_RESOURCE:
        if not name:
            raise KafkaError(errors.INVALID_REQUEST, "loggers are those of one broker: its id is needed")
        check_broker_id(broker, name)
        return _loggers(names)
    elif not name:
        raise KafkaError(errors.INVALID_REQUEST, "the name of a subscription or group is needed")
    return describe_all(KINDS[kind], broker.settings.layers(image, kind, name), names)


def _loggers(names: list[str] | None) -> list[ConfigEntry]:
    """The levels of this process's loggers (KIP-412)."""
    return [
        ConfigEntry(
            name,
            level,
            DYNAMIC_BROKER_LOGGER_CONFIG,
            _STRING,
            False,
            False,
            (Synonym(name, level, DYNAMIC_BROKER_LOGGER_CONFIG),),
        )
        for name, level in log_levels.loggers().items()
        if not names or name in names
    ]


def _shape(entry: ConfigEntry, include_synonyms: bool) -> Entry:
    shaped = Entry(
        name=entry.name,
        value=entry.value,
        read_only=entry.read_only,
        config_source=entry.source,
        is_sensitive=entry.is_sensitive,
        config_type=entry.type,
    )
    if include_synonyms:
        shaped.synonyms = [
            Entry.DescribeConfigsSynonym(name=s.name, value=s.value, source=s.source) for s in entry.synonyms
        ]
    return shaped

"""AlterConfigs and IncrementalAlterConfigs as pure functions: settings of now and operations to settings after.

They decide and check; nothing is changed here. The refusals are the controller's (INVALID_CONFIG) and, for malformed
operations, those of the broker that hands them on (INVALID_REQUEST).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.metadata.controller.configs import APPEND, DELETE, SET, SUBTRACT, edited_list
from klamm.server.config.definitions import (
    BROKER,
    BROKER_QUOTA,
    CLIENT_METRICS,
    GROUP,
    TOPIC,
    Kind,
    broker_key,
    definitions,
    is_dynamic,
    listener_base_name,
    unknown,
)
from klamm.server.config.keys import LIST, PER_BROKER
from klamm.server.config.layers import Layers
from klamm.server.config.resource_rules import check_client_metrics, check_group, check_topic
from klamm.server.config.values import ConfigError, parse, render

_VALUE_LENGTH_MAX: Final = 32767

# Keys that listeners may have of their own and that may also be set for all brokers.
_CLUSTER_LEVEL_LISTENER_KEYS: Final = frozenset(
    {"max.connections", "max.connection.creation.rate", "num.network.threads"}
)
# Kafka reloads these only when they are set for one listener.
_LISTENER_ONLY_KEYS: Final = frozenset(
    {
        "ssl.keystore.type",
        "ssl.keystore.location",
        "ssl.keystore.password",
        "ssl.key.password",
        "ssl.keystore.key",
        "ssl.keystore.certificate.chain",
        "ssl.truststore.type",
        "ssl.truststore.location",
        "ssl.truststore.password",
        "ssl.truststore.certificates",
    }
)


class Operation(NamedTuple):
    """One change; `value` is None only for DELETE."""

    name: str
    op: int
    value: str | None


def check_operations(operations: Sequence[Operation]) -> None:
    """INVALID_REQUEST for a key that comes twice, an unknown operation, or one other than DELETE without a value."""
    repeated = [name for name, count in Counter(operation.name for operation in operations).items() if count > 1]
    if repeated:
        raise KafkaError(errors.INVALID_REQUEST, f"settings named more than once: {', '.join(repeated)}")
    for name, op, value in operations:
        if op not in (SET, DELETE, APPEND, SUBTRACT):
            raise KafkaError(errors.INVALID_REQUEST, f"{name}: there is no operation of type {op}")
        if value is None and op != DELETE:
            raise KafkaError(errors.INVALID_REQUEST, f"{name}: a null value is only possible when deleting")


def apply_operations(kind: Kind, current: Mapping[str, str], operations: Iterable[Operation]) -> dict[str, str | None]:
    """The settings that change, each with its new value or None when it is deleted (IncrementalAlterConfigs).

    What stays as it is is left out, except for brokers, where setting the same value again makes them reload it
    (KAFKA-14136). INVALID_CONFIG for appending to or subtracting from what is no list.
    """
    changes: dict[str, str | None] = {}
    for name, op, value in operations:
        before = current.get(name)
        after: str | None
        if op == SET:
            after = value
        elif op == DELETE:
            after = None
        else:
            after = _edited_list(kind, name, before, op, value or "")
        if after != before or kind == BROKER:
            changes[name] = after
    return changes


def replace_all(kind: Kind, current: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str | None]:
    """The settings that change when `settings` take the place of all others (the older AlterConfigs)."""
    changes: dict[str, str | None] = {
        name: value for name, value in settings.items() if current.get(name) != value or kind == BROKER
    }
    changes.update({name: None for name in current if name not in settings})
    return changes


def _edited_list(kind: Kind, name: str, before: str | None, op: int, value: str) -> str:
    key = definitions(kind).get(name)
    if key is None or key.type != LIST:
        verb = "append to" if op == APPEND else "subtract from"
        raise KafkaError(errors.INVALID_CONFIG, f"{name}: cannot {verb} a setting that is no list")
    assert not isinstance(key.default, str)
    if before is None:
        default = key.default if isinstance(key.default, tuple) else ()
        before = render(default, LIST) or ""
    return edited_list(before, op, value)


def check_changes(
    kind: Kind,
    resource_name: str,
    layers: Layers,
    changes: Mapping[str, str | None],
) -> dict[str, str]:
    """Check the settings that the resource would have after `changes`, and return them.

    `layers.resource` are the settings of now. KafkaError as the controller answers it.
    """
    after = dict(layers.resource)
    for name, value in changes.items():
        if value is None:
            after.pop(name, None)
        elif len(value) > _VALUE_LENGTH_MAX:
            raise KafkaError(errors.INVALID_CONFIG, f"{name}: the value is longer than {_VALUE_LENGTH_MAX} characters")
        else:
            after[name] = value
    if kind == TOPIC:
        check_topic(layers._replace(resource=after), layers.resource)
    elif kind == GROUP:
        if not resource_name:
            raise KafkaError(errors.INVALID_REQUEST, "settings of groups need the name of a group")
        check_group(layers._replace(resource=after))
    elif kind == CLIENT_METRICS:
        check_client_metrics(resource_name, after)
    elif kind == BROKER:
        check_broker_name(resource_name)
    return after


def check_broker_name(name: str) -> None:
    """The name of a broker resource is a node id, or empty for all brokers; INVALID_REQUEST."""
    if name and not (name.isascii() and name.isdecimal() and int(name) < 1 << 31):
        raise KafkaError(errors.INVALID_REQUEST, f"{name!r} is no broker id")


def check_dynamic_broker_settings(settings: Mapping[str, str], *, per_broker: bool) -> None:
    """Whether brokers can take up `settings` while they run; INVALID_REQUEST, as the broker that is asked answers.

    `per_broker` tells the settings of one broker from those of all. Names that Kafka does not define pass, as plugins
    may know them.
    """
    for name, text in settings.items():
        key = broker_key(name)
        base = listener_base_name(name)
        if key is None:
            continue
        if base is None and not is_dynamic(name):
            raise KafkaError(errors.INVALID_REQUEST, f"{name}: cannot be changed while the broker runs")
        if name in _LISTENER_ONLY_KEYS:
            raise KafkaError(errors.INVALID_REQUEST, f"{name}: can only be changed for a listener, by its prefix")
        if not per_broker and _is_per_broker(name, base):
            raise KafkaError(errors.INVALID_REQUEST, f"{name}: can only be changed for a single broker")
        try:
            if is_dynamic(key.name):
                parse(key, text)
        except ConfigError as error:
            raise KafkaError(errors.INVALID_REQUEST, str(error)) from None


def _is_per_broker(name: str, base: str | None) -> bool:
    if base is not None:
        return base not in _CLUSTER_LEVEL_LISTENER_KEYS
    return name not in definitions(BROKER_QUOTA) and definitions(BROKER)[name].update_mode == PER_BROKER


def check_list_keys(operations: Iterable[Operation]) -> None:
    """Appending to and subtracting from broker settings needs a list that Kafka defines; INVALID_CONFIG."""
    for name, op, _ in operations:
        if op in (APPEND, SUBTRACT) and name not in definitions(BROKER):
            raise KafkaError(errors.INVALID_CONFIG, str(unknown(BROKER, name)))

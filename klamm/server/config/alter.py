"""Which settings a resource may come to have by AlterConfigs and IncrementalAlterConfigs.

Pure checks; nothing is changed here. The refusals are the controller's (INVALID_CONFIG) and, for what a broker cannot
take up while it runs, those of the broker that is asked (INVALID_REQUEST).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
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
)
from klamm.server.config.keys import PER_BROKER
from klamm.server.config.layers import Layers
from klamm.server.config.resource_rules import check_client_metrics, check_group, check_topic
from klamm.server.config.values import ConfigError, parse

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

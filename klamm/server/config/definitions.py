"""All configuration keys by kind and name, and what each one does.

The tables are imported kind by kind and the documentation only when asked for, so that a broker's start pays for
neither more than it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

from klamm.server.config.keys import READ_ONLY, ConfigKey, Value
from klamm.server.config.values import ConfigError
from klamm.server.config.values import parse as parse_key

Kind = Literal["broker", "topic", "group", "client-metrics", "broker-quota", "client-quota", "user-quota", "ip-quota"]
BROKER: Final = "broker"
TOPIC: Final = "topic"
GROUP: Final = "group"
CLIENT_METRICS: Final = "client-metrics"
BROKER_QUOTA: Final = "broker-quota"
CLIENT_QUOTA: Final = "client-quota"
USER_QUOTA: Final = "user-quota"
IP_QUOTA: Final = "ip-quota"

# `listener.name.NAME.KEY` and `listener.name.NAME.MECHANISM.KEY` set KEY for one listener alone.
_LISTENER_PREFIX: Final = r"listener\.name\.([^.]*)\.(.*)"
_LISTENER_MECHANISM_KEYS: Final = (
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
)


class UnknownConfigError(ConfigError):
    """A key that Kafka does not have. `similar` are names that may have been meant."""

    def __init__(self, name: str, kind: str, similar: Iterable[str], origin: str = "") -> None:
        self.similar = tuple(similar)
        hint = f"; did you mean {' or '.join(self.similar)}?" if self.similar else ""
        place = f" ({origin})" if origin else ""
        super().__init__(name, None, f"the name of a {kind} setting", origin)
        self.args = (f"{name}: there is no such {kind} setting{place}{hint}",)


@cache
def definitions(kind: Kind) -> Mapping[str, ConfigKey]:
    """The keys of `kind` by name; read-only, the same object every time."""
    return MappingProxyType({key.name: key for key in _tables(kind)})


def documentation(kind: Kind, name: str) -> str:
    """What the key does, in a sentence; KeyError when there is no such key."""
    return _documentation(kind)[name]


def parse(kind: Kind, name: str, text: str) -> Value:
    """The checked value of `text`; ConfigError when the value, UnknownConfigError when the key is not valid."""
    key = definitions(kind).get(name)
    if key is None:
        raise unknown(kind, name)
    return parse_key(key, text)


def unknown(kind: Kind, name: str, origin: str = "") -> UnknownConfigError:
    """The error for a key that `kind` does not have, with names that are close to it."""
    from difflib import get_close_matches

    return UnknownConfigError(name, kind, get_close_matches(name, definitions(kind), n=2, cutoff=0.75), origin)


def broker_key(name: str) -> ConfigKey | None:
    """The broker key of `name`; of a name with a listener's prefix, the key that it sets for that listener.

    Quota keys count: they can be set on brokers too, though only dynamically.
    """
    keys = definitions(BROKER)
    key = keys.get(name) or definitions(BROKER_QUOTA).get(name)
    if key is None and (base := listener_base_name(name)) is not None:
        key = keys.get(base)
    return key


def listener_base_name(name: str) -> str | None:
    """KEY of `listener.name.NAME.KEY` or `listener.name.NAME.MECHANISM.KEY`, None for any other name."""
    match = re.fullmatch(_LISTENER_PREFIX, name)
    if match is None:
        return None
    rest = match[2]
    return next((key for key in _LISTENER_MECHANISM_KEYS if rest.endswith(key)), rest)


def is_dynamic(name: str) -> bool:
    """Whether brokers take up a change of this key while they run (Kafka's ALL_DYNAMIC_CONFIGS)."""
    key = definitions(BROKER).get(name)
    return key.update_mode != READ_ONLY if key is not None else name in definitions(BROKER_QUOTA)


def _tables(kind: Kind) -> Iterable[ConfigKey]:
    if kind == BROKER:
        return _broker_tables()
    if kind == TOPIC:
        from klamm.server.config.tables.topic import TOPIC_KEYS

        return TOPIC_KEYS
    if kind == GROUP:
        from klamm.server.config.tables.group import GROUP_KEYS

        return GROUP_KEYS
    if kind == CLIENT_METRICS:
        from klamm.server.config.tables.client_metrics import CLIENT_METRICS_KEYS

        return CLIENT_METRICS_KEYS
    from klamm.server.config.tables import quotas

    return {
        BROKER_QUOTA: quotas.BROKER_QUOTA_KEYS,
        CLIENT_QUOTA: quotas.CLIENT_QUOTA_KEYS,
        USER_QUOTA: quotas.CLIENT_QUOTA_KEYS + quotas.SCRAM_KEYS,
        IP_QUOTA: quotas.IP_QUOTA_KEYS,
    }[kind]


def _broker_tables() -> Iterable[ConfigKey]:
    from klamm.server.config.tables.broker_groups import GROUPS_KEYS
    from klamm.server.config.tables.broker_log import LOG_KEYS
    from klamm.server.config.tables.broker_metrics import METRICS_KEYS
    from klamm.server.config.tables.broker_network import NETWORK_KEYS
    from klamm.server.config.tables.broker_node import NODE_KEYS
    from klamm.server.config.tables.broker_remote import REMOTE_KEYS
    from klamm.server.config.tables.broker_replication import REPLICATION_KEYS
    from klamm.server.config.tables.broker_security import SECURITY_KEYS
    from klamm.server.config.tables.broker_share import SHARE_KEYS
    from klamm.server.config.tables.broker_transactions import TRANSACTIONS_KEYS

    return (
        *NODE_KEYS,
        *NETWORK_KEYS,
        *LOG_KEYS,
        *REPLICATION_KEYS,
        *GROUPS_KEYS,
        *SHARE_KEYS,
        *TRANSACTIONS_KEYS,
        *SECURITY_KEYS,
        *REMOTE_KEYS,
        *METRICS_KEYS,
    )


@cache
def _documentation(kind: Kind) -> Mapping[str, str]:
    if kind == BROKER:
        return _broker_documentation()
    if kind == TOPIC:
        from klamm.server.config.docs.topic import TOPIC_DOCS

        return TOPIC_DOCS
    if kind == GROUP:
        from klamm.server.config.docs.group import GROUP_DOCS

        return GROUP_DOCS
    if kind == CLIENT_METRICS:
        from klamm.server.config.docs.client_metrics import CLIENT_METRICS_DOCS

        return CLIENT_METRICS_DOCS
    from klamm.server.config.docs.quotas import QUOTA_DOCS

    return {name: QUOTA_DOCS[name] for name in definitions(kind)}


def _broker_documentation() -> Mapping[str, str]:
    from klamm.server.config.docs.broker_groups import GROUPS_DOCS
    from klamm.server.config.docs.broker_log import LOG_DOCS
    from klamm.server.config.docs.broker_metrics import METRICS_DOCS
    from klamm.server.config.docs.broker_network import NETWORK_DOCS
    from klamm.server.config.docs.broker_node import NODE_DOCS
    from klamm.server.config.docs.broker_remote import REMOTE_DOCS
    from klamm.server.config.docs.broker_replication import REPLICATION_DOCS
    from klamm.server.config.docs.broker_security import SECURITY_DOCS
    from klamm.server.config.docs.broker_share import SHARE_DOCS
    from klamm.server.config.docs.broker_transactions import TRANSACTIONS_DOCS

    return (
        NODE_DOCS
        | NETWORK_DOCS
        | LOG_DOCS
        | REPLICATION_DOCS
        | GROUPS_DOCS
        | SHARE_DOCS
        | TRANSACTIONS_DOCS
        | SECURITY_DOCS
        | REMOTE_DOCS
        | METRICS_DOCS
    )

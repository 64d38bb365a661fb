"""DescribeConfigs as pure functions: what a setting is, where it comes from, and everything that it hides.

The order of synonyms, and the odd cases in which Kafka says DEFAULT_CONFIG of a value that was set, are Kafka's
(its ConfigHelper): clients compare them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from klamm.metadata.controller.hash_order import in_hash_order
from klamm.server.config.definitions import (
    BROKER,
    CLIENT_METRICS,
    GROUP,
    TOPIC,
    Kind,
    broker_key,
    definitions,
    is_dynamic,
    listener_base_name,
)
from klamm.server.config.keys import TYPE_CODES, ConfigKey, Required, Value
from klamm.server.config.layers import Layers, inherited_values, unit_ms
from klamm.server.config.values import parse, render

# ConfigSource of DescribeConfigs.
UNKNOWN_SOURCE: Final = 0
DYNAMIC_TOPIC_CONFIG: Final = 1
DYNAMIC_BROKER_CONFIG: Final = 2
DYNAMIC_DEFAULT_BROKER_CONFIG: Final = 3
STATIC_BROKER_CONFIG: Final = 4
DEFAULT_CONFIG: Final = 5
DYNAMIC_BROKER_LOGGER_CONFIG: Final = 6
CLIENT_METRICS_CONFIG: Final = 7
GROUP_CONFIG: Final = 8

_OWN_SOURCE: Final[dict[str, int]] = {
    TOPIC: DYNAMIC_TOPIC_CONFIG,
    GROUP: GROUP_CONFIG,
    CLIENT_METRICS: CLIENT_METRICS_CONFIG,
}

# Broker keys that say the same in different units, the one that counts first.
_BROKER_SYNONYMS: Final = (
    ("log.roll.ms", "log.roll.hours"),
    ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
)
_FLUSH_SYNONYMS: Final = ("log.flush.interval.ms", "log.flush.scheduler.interval.ms")


class Synonym(NamedTuple):
    name: str
    value: str | None
    source: int


class ConfigEntry(NamedTuple):
    """`value` is None when there is none and when it must not be shown. `type` is a ConfigType of the protocol.

    `synonyms` are in the order in which they count, the one in force first; empty for a plain default of a topic key
    without broker key.
    """

    name: str
    value: str | None
    source: int
    type: int
    is_sensitive: bool
    read_only: bool
    synonyms: tuple[Synonym, ...]


def describe(kind: Kind, name: str, layers: Layers) -> ConfigEntry:
    """One setting of a broker, topic, group or client metrics subscription; KeyError for a name it cannot have."""
    if kind == BROKER:
        return _describe_broker(name, layers)
    return _describe_resource(kind, definitions(kind)[name], layers, inherited_values(kind, layers))


def describe_all(kind: Kind, layers: Layers, names: Iterable[str] | None = None) -> list[ConfigEntry]:
    """Every setting that Kafka lists, in its order; of `names`, when there are any, only those.

    The order is that of a Java map: kafka-topics shows a topic's settings as they come. Internal keys are listed only
    when they were set. A broker also lists what was set and Kafka does not define.
    """
    wanted = set(names or ())
    if kind == BROKER:
        listed = {key.name for key in definitions(BROKER).values() if not key.internal}
        listed |= layers.static.keys() | layers.dynamic_default.keys() | layers.dynamic_broker.keys()
        return [_describe_broker(name, layers) for name in _in_order(listed) if not wanted or name in wanted]
    values = inherited_values(kind, layers)
    keys = definitions(kind)
    return [
        _describe_resource(kind, keys[name], layers, values)
        for name in _in_order(name for name, key in keys.items() if not key.internal or name in layers.resource)
        if not wanted or name in wanted
    ]


_DEFINED_EARLY: Final = (
    "segment.bytes", "flush.messages", "retention.bytes", "max.compaction.lag.ms", "index.interval.bytes",
    "retention.ms",
)  # fmt: skip
"""Topic settings that Kafka defines before those which share a place with them in its map."""


def _in_order(names: Iterable[str]) -> list[str]:
    listed = set(names)
    return in_hash_order([*(name for name in _DEFINED_EARLY if name in listed), *sorted(listed)])


def describe_default_broker(layers: Layers, names: Iterable[str] | None = None) -> list[ConfigEntry]:
    """What is set for all brokers: the resource of type broker whose name is empty."""
    wanted = set(names or ())
    entries = []
    for name in sorted(layers.dynamic_default):
        if not wanted or name in wanted:
            entry = _describe_broker(name, Layers(dynamic_default=layers.dynamic_default))
            own = tuple(s for s in entry.synonyms if s.source == DYNAMIC_DEFAULT_BROKER_CONFIG)
            source = own[0].source if own else DEFAULT_CONFIG
            value = None if entry.is_sensitive else layers.dynamic_default[name]
            entries.append(entry._replace(synonyms=own, source=source, value=value))
    return entries


def created_topic_configs(layers: Layers) -> list[ConfigEntry]:
    """The settings of a new topic as CreateTopics answers them (KIP-525), sorted by name, without synonyms.

    Unlike DescribeConfigs this looks through one layer after another for any of the synonyms, so that
    log.retention.hours in a file shows as STATIC_BROKER_CONFIG.
    """
    entries = []
    for name, key in sorted(definitions(TOPIC).items()):
        if not key.internal or name in layers.resource:
            value, source = _first_layer(key, layers)
            entries.append(ConfigEntry(name, value, source, TYPE_CODES[key.type], False, False, ()))
    return entries


def _first_layer(key: ConfigKey, layers: Layers) -> tuple[str | None, int]:
    if key.name in layers.resource:
        return layers.resource[key.name], DYNAMIC_TOPIC_CONFIG
    for source, settings in _broker_layers(layers):
        for synonym in key.synonyms:
            if synonym in settings:
                unit = unit_ms(synonym)
                text = settings[synonym]
                return (text if unit == 1 else str(int(text) * unit)), source
    return _default_text(key), DEFAULT_CONFIG


def _describe_resource(kind: Kind, key: ConfigKey, layers: Layers, values: Mapping[str, Value | None]) -> ConfigEntry:
    own = layers.resource.get(key.name)
    value = render(parse(key, own) if own is not None else values[key.name], key.type)
    synonyms: list[Synonym] = []
    if own is not None:
        synonyms.append(Synonym(key.name, value, _OWN_SOURCE[kind]))
    if key.synonyms:
        synonyms += _broker_chain(key.synonyms[0], layers)
    elif kind == GROUP:
        synonyms.append(Synonym(key.name, _default_text(key), DEFAULT_CONFIG))
    source = synonyms[0].source if synonyms else DEFAULT_CONFIG
    return ConfigEntry(key.name, value, source, TYPE_CODES[key.type], False, False, tuple(synonyms))


def _describe_broker(name: str, layers: Layers) -> ConfigEntry:
    key = broker_key(name)
    text = layers.broker_text(name)
    if key is None:
        # Kafka cannot tell what it is and takes it for a secret.
        if text is None:
            raise KeyError(name)
        return ConfigEntry(name, None, *_source_and_type(None, name, layers), True, True, _chain(name, layers, True))
    if text is None:
        value = _default_text(key) if key.name == name else None
    else:
        value = render(parse(key, text), key.type) if key.name == name else text
    source, type_ = _source_and_type(key, name, layers)
    hidden = key.is_sensitive
    synonyms = _chain(name, layers, hidden)
    return ConfigEntry(name, None if hidden else value, source, type_, hidden, not is_dynamic(name), synonyms)


def _source_and_type(key: ConfigKey | None, name: str, layers: Layers) -> tuple[int, int]:
    chain = _chain(name, layers, True)
    return (chain[0].source if chain else DEFAULT_CONFIG), (TYPE_CODES[key.type] if key is not None else 0)


def _broker_chain(name: str, layers: Layers) -> tuple[Synonym, ...]:
    return _chain(name, layers, definitions(BROKER)[name].is_sensitive)


def _chain(name: str, layers: Layers, hidden: bool) -> tuple[Synonym, ...]:
    """Every place where the broker key or a synonym of it has a value, in the order in which they count.

    What comes before the first entry of the key's own name is dropped, as Kafka does to keep a listener's own value
    out of the chain of the general one; hence a topic's retention.ms that comes from log.retention.hours has no chain.
    """
    names = broker_synonyms(name)
    found = [
        Synonym(synonym, None if hidden else settings[synonym], source)
        for source, settings in _broker_layers(layers)
        for synonym in names
        if synonym in settings
    ]
    for synonym in names:
        key = definitions(BROKER).get(synonym)
        default = _default_text(key) if key is not None else None
        if default is not None:
            found.append(Synonym(synonym, None if hidden else default, DEFAULT_CONFIG))
    first = next((index for index, synonym in enumerate(found) if synonym.name == name), len(found))
    return tuple(found[first:])


def broker_synonyms(name: str) -> tuple[str, ...]:
    """The broker keys that say the same as `name`, itself included, the one that counts first."""
    for synonyms in _BROKER_SYNONYMS:
        if name in synonyms:
            return synonyms
    if name == _FLUSH_SYNONYMS[0]:
        return _FLUSH_SYNONYMS
    base = listener_base_name(name)
    return (name,) if base is None else (name, base)


def _broker_layers(layers: Layers) -> tuple[tuple[int, Mapping[str, str]], ...]:
    return (
        (DYNAMIC_BROKER_CONFIG, layers.dynamic_broker),
        (DYNAMIC_DEFAULT_BROKER_CONFIG, layers.dynamic_default),
        (STATIC_BROKER_CONFIG, layers.static),
    )


def _default_text(key: ConfigKey) -> str | None:
    return None if isinstance(key.default, Required) else render(key.default, key.type)


def documentation_of(kind: Kind, name: str) -> str | None:
    """The sentence about a setting for include_documentation, None where there is nothing to say."""
    from klamm.server.config.definitions import documentation

    if kind == BROKER and name not in definitions(BROKER):
        return None
    return documentation(kind, name)

"""The layers of settings that a running node looks through, as plain mappings of names to texts.

Pure functions over mappings: nothing here knows of a metadata image. The order is Kafka's: what is set for this broker
hides what is set for all, which hides what the node was started with, which hides the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from klamm.server.config.definitions import BROKER, GROUP, TOPIC, Kind, definitions
from klamm.server.config.keys import Required, Value
from klamm.server.config.values import parse

_UNITS_MS: Final = (("minutes", 60_000), ("hours", 3_600_000))
# A dynamic value hides the static ones that say the same in other words: Kafka takes them out of its properties.
HIDDEN_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "log.roll.hours": "log.roll.ms",
        "log.roll.jitter.hours": "log.roll.jitter.ms",
        "log.retention.minutes": "log.retention.ms",
        "log.retention.hours": "log.retention.ms",
        "log.flush.scheduler.interval.ms": "log.flush.interval.ms",
    }
)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Layers(NamedTuple):
    """`resource` are the settings of the topic, group or subscription that is looked at."""

    static: Mapping[str, str] = _NOTHING
    dynamic_default: Mapping[str, str] = _NOTHING
    dynamic_broker: Mapping[str, str] = _NOTHING
    resource: Mapping[str, str] = _NOTHING

    def broker_text(self, name: str) -> str | None:
        """The text in force for a broker key, None when only the default is."""
        for layer in (self.dynamic_broker, self.dynamic_default):
            if name in layer:
                return layer[name]
        hiding = HIDDEN_BY.get(name)
        if hiding is not None and (hiding in self.dynamic_broker or hiding in self.dynamic_default):
            return None
        return self.static.get(name)

    def broker_value(self, name: str) -> Value | None:
        """The value in force for a broker key, None when it is not set and has no default."""
        key = definitions(BROKER)[name]
        text = self.broker_text(name)
        if text is not None:
            return parse(key, text)
        return None if isinstance(key.default, Required) else key.default

    def integer(self, name: str) -> int:
        value = self.broker_value(name)
        assert isinstance(value, int)
        return value


def first_with_unit(names: Iterable[str], get: Callable[[str], Value | None]) -> Value | None:
    """The first of the synonyms that has a value, in milliseconds if its name ends in minutes or hours."""
    for name in names:
        value = get(name)
        if value is not None:
            return value * unit_ms(name) if isinstance(value, int) and not isinstance(value, bool) else value
    return None


def unit_ms(name: str) -> int:
    """What one unit of a synonym is in the unit of the key it stands for."""
    return next((unit for suffix, unit in _UNITS_MS if name.endswith(f".{suffix}")), 1)


def inherited_values(kind: Kind, layers: Layers) -> dict[str, Value | None]:
    """What topics (or groups) have when they say nothing themselves: from their broker synonyms, or the default."""
    values: dict[str, Value | None] = {}
    for key in definitions(kind).values():
        value = first_with_unit(key.synonyms, layers.broker_value) if key.synonyms else key.default
        if key.name == "retention.ms" and isinstance(value, int):
            # Any negative time is "for ever" for a broker, where topics only take -1.
            value = max(value, -1)
        assert not isinstance(value, Required)
        values[key.name] = value
    return values


def resource_values(kind: Kind, layers: Layers) -> dict[str, Value | None]:
    """Every value in force for a topic or group; ConfigError when one of its own does not parse."""
    keys = definitions(kind)
    values = inherited_values(kind, layers)
    values.update({name: parse(keys[name], text) for name, text in layers.resource.items() if name in keys})
    return values


def topic_values(layers: Layers) -> dict[str, Value | None]:
    """Every value in force for the topic whose settings are `layers.resource`."""
    return resource_values(TOPIC, layers)


def group_values(layers: Layers) -> dict[str, Value | None]:
    """Every value in force for the group whose settings are `layers.resource`.

    A value of the group's own that has fallen out of the bounds that the broker now sets is drawn to the nearer bound,
    as Kafka does (GroupConfig.evaluate), so that groups run on when an operator narrows the bounds.
    """
    values = resource_values(GROUP, layers)
    for name in layers.resource.keys() & values.keys():
        low_name, high_name = group_bounds(name)
        value = values[name]
        if isinstance(value, int) and low_name is not None:
            value = max(value, layers.integer(low_name))
        if isinstance(value, int) and high_name is not None:
            value = min(value, layers.integer(high_name))
        values[name] = value
    return values


def group_bounds(name: str) -> tuple[str | None, str | None]:
    """The broker keys that bound a group key from below and from above, None where there is none."""
    key = definitions(GROUP).get(name)
    if key is None or not key.synonyms:
        return None, None
    prefix, rest = key.synonyms[0].split(".", 2)[:2], key.synonyms[0].split(".", 2)[2]
    # group.streams.num.standby.replicas is bounded by group.streams.max.standby.replicas alone.
    low, high = (f"{'.'.join(prefix)}.{bound}.{rest.removeprefix('num.')}" for bound in ("min", "max"))
    known = definitions(BROKER)
    return (low if low in known else None), (high if high in known else None)

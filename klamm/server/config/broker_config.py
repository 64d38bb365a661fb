"""One node's configuration: layers of settings, each value parsed, checked and traceable to where it was set.

Layers, later ones winning: Kafka's defaults, the profile, the properties file, the environment, the command line.
Nothing here reads a file or the process's environment; the caller hands both in. A bad value is refused wherever it
comes from; an unknown name is refused in a file or on the command line and warned about in the environment, which
other programs use too (docs/decisions/0002-unknown-settings.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

from klamm.server.config import environment, foreign, profiles
from klamm.server.config.addresses import Address, parse_address, parse_voters
from klamm.server.config.definitions import BROKER, broker_key, definitions, unknown
from klamm.server.config.keys import REQUIRED, ConfigKey, Required, Value
from klamm.server.config.layers import HIDDEN_BY, Layers, first_with_unit
from klamm.server.config.listeners import Listeners, check_listeners, resolve_listeners
from klamm.server.config.properties import Property
from klamm.server.config.values import ConfigError, parse

# BrokerConfig has getters of these names, which hide the types from annotations inside the class.
Integer = int
Boolean = bool

DEFAULT: Final = "default"
PROFILE: Final = "profile"
PROPERTIES: Final = "properties"
ENVIRONMENT: Final = "environment"
OVERRIDE: Final = "override"
DYNAMIC: Final = "dynamic"


class Origin(NamedTuple):
    """Where a value comes from: the layer, and within it the line, variable or profile."""

    layer: str
    place: str


class Setting(NamedTuple):
    """A value that was set. `value` is None for a name that Kafka does not define and only keeps the text of."""

    name: str
    text: str
    value: Value | None
    origin: Origin


class BrokerConfig:
    """Immutable. Names are Kafka's; getters raise KeyError for a name that it does not define.

    Values are those of the static layers; what was changed while the cluster ran lies in the metadata and is laid over
    them by `layers()`.
    """

    def __init__(
        self, settings: Mapping[str, Setting], warnings: Iterable[str] = (), cluster_id: str | None = None
    ) -> None:
        """Check `settings` against each other; `load` is what callers want. ConfigError when they do not agree."""
        from klamm.server.config import broker_rules

        self._settings = _with_synonyms(settings)
        self._keys = definitions(BROKER)
        self.cluster_id = cluster_id
        """The id that storage is to be formatted with, from CLUSTER_ID; None when not said."""
        for key in self._keys.values():
            if key.default is REQUIRED and key.name not in self._settings:
                raise ConfigError(key.name, None, "to be set, as it has no default")
        check_listeners(self.listeners, self.roles)
        self.warnings = (*warnings, *broker_rules.check(self))
        """What the user should be told once, a sentence each."""

    @classmethod
    def load(
        cls,
        *,
        profile: str = profiles.KAFKA,
        properties: Iterable[Property] = (),
        properties_name: str = "server.properties",
        environ: Mapping[str, str] = MappingProxyType({}),
        overrides: Mapping[str, str] = MappingProxyType({}),
    ) -> BrokerConfig:
        """The configuration of a node from all its sources.

        `properties_name` is what error messages call the file. ConfigError when a value is bad, a name unknown, or
        two settings contradict each other.
        """
        if profile not in profiles.PROFILES:
            raise ConfigError("profile", profile, f"one of {', '.join(profiles.PROFILES)}")
        loading = _Loading()
        for name, text in profiles.PROFILES[profile].items():
            loading.add(name, text, Origin(PROFILE, f"profile {profile}"))
        for name, text, line in properties:
            loading.add(name, text, Origin(PROPERTIES, f"{properties_name} line {line}"))
        for variable in environment.settings_from(environ):
            loading.add(variable.name, variable.value, Origin(ENVIRONMENT, variable.variable))
        for name, text in overrides.items():
            loading.add(name, text, Origin(OVERRIDE, "command line"))
        loading.complete()
        return cls(loading.settings, loading.warnings, environment.cluster_id_from(environ))

    def get(self, name: str, listener: str = "") -> Value | None:
        """The value, None when it is not set and has no default. With `listener`, that listener's own value if any."""
        if listener:
            own = self._settings.get(f"listener.name.{listener.lower()}.{name}")
            if own is not None:
                return own.value
        setting = self._settings.get(name)
        if setting is not None and setting.value is not None:
            return setting.value
        default = self._keys[name].default
        return None if isinstance(default, Required) else default

    def int(self, name: str, listener: str = "") -> Integer:
        """A SHORT, INT or LONG that has a value."""
        value = self.get(name, listener)
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} is no integer: {value!r}")
        return value

    long = int

    def double(self, name: str, listener: str = "") -> float:
        value = self.get(name, listener)
        if not isinstance(value, float):
            raise TypeError(f"{name} is no double: {value!r}")
        return value

    def bool(self, name: str, listener: str = "") -> Boolean:
        value = self.get(name, listener)
        if not isinstance(value, bool):
            raise TypeError(f"{name} is no boolean: {value!r}")
        return value

    def string(self, name: str, listener: str = "") -> str:
        """A STRING, CLASS or PASSWORD that has a value."""
        value = self.get(name, listener)
        if not isinstance(value, str):
            raise TypeError(f"{name} is no string: {value!r}")
        return value

    def strings(self, name: str, listener: str = "") -> tuple[str, ...]:
        """A LIST; one without a value is empty."""
        value = self.get(name, listener)
        if value is None and self._keys[name].type == "LIST":
            return ()
        if not isinstance(value, tuple):
            raise TypeError(f"{name} is no list: {value!r}")
        return value

    list = strings

    def is_set(self, name: str) -> Boolean:
        """Whether any layer above the defaults says something about `name`."""
        return name in self._settings

    def origin(self, name: str) -> Origin:
        """Where the value in force was set."""
        setting = self._settings.get(name)
        return setting.origin if setting is not None else Origin(DEFAULT, "")

    @cached_property
    def static(self) -> Mapping[str, str]:
        """The text of every setting above the defaults, as it was written: Kafka's static broker configs."""
        return MappingProxyType({name: setting.text for name, setting in self._settings.items()})

    def changed(
        self,
        dynamic_default: Mapping[str, str] = MappingProxyType({}),
        dynamic_broker: Mapping[str, str] = MappingProxyType({}),
    ) -> BrokerConfig:
        """This configuration with what was set for all brokers, and over that for this one, laid over it.

        ConfigError when a value is bad or settings contradict each other, as a changed broker setting must be refused
        for. Its `static` layer includes the changes: call `layers()` on the original.
        """
        settings = dict(self._settings)
        for place, layer in (("all brokers", dynamic_default), ("this broker", dynamic_broker)):
            for name, text in layer.items():
                key, origin = broker_key(name), Origin(DYNAMIC, place)
                value = _parse(key, name, text, origin) if key is not None else None
                settings[name] = Setting(name, text, value, origin)
        for name, hiding in HIDDEN_BY.items():
            if hiding in dynamic_default or hiding in dynamic_broker:
                settings.pop(name, None)
        return BrokerConfig(settings, self.warnings, self.cluster_id)

    def layers(
        self,
        resource: Mapping[str, str] = MappingProxyType({}),
        dynamic_default: Mapping[str, str] = MappingProxyType({}),
        dynamic_broker: Mapping[str, str] = MappingProxyType({}),
    ) -> Layers:
        """These settings under those that the metadata holds, for `describe` and the rules of topics and groups."""
        return Layers(self.static, dynamic_default, dynamic_broker, resource)

    @cached_property
    def listeners(self) -> Listeners:
        return resolve_listeners(self)

    @cached_property
    def roles(self) -> frozenset[str]:
        """`broker`, `controller` or both."""
        return frozenset(self.strings("process.roles"))

    @property
    def node_id(self) -> Integer:
        return self.int("node.id")

    @cached_property
    def log_dirs(self) -> tuple[str, ...]:
        """log.dirs, or log.dir where that is not set."""
        return self.strings("log.dirs") or self.strings("log.dir")

    @property
    def metadata_log_dir(self) -> str:
        """metadata.log.dir, or the first log directory."""
        return str(self.get("metadata.log.dir") or self.log_dirs[0])

    @property
    def quorum_voters(self) -> dict[Integer, Address]:
        """controller.quorum.voters by node id; empty when the quorum keeps its voters itself (KIP-853)."""
        return parse_voters(self.strings("controller.quorum.voters")) or {}

    @property
    def quorum_bootstrap_servers(self) -> tuple[Address, ...]:
        addresses = map(parse_address, self.strings("controller.quorum.bootstrap.servers"))
        return tuple(address for address in addresses if address is not None)

    @property
    def log_retention_ms(self) -> Integer:
        """-1 is for ever."""
        retention_ms = self._ms("log.retention.ms", "log.retention.minutes", "log.retention.hours")
        return max(retention_ms, -1)

    @property
    def log_roll_ms(self) -> Integer:
        return self._ms("log.roll.ms", "log.roll.hours")

    @property
    def log_roll_jitter_ms(self) -> Integer:
        return self._ms("log.roll.jitter.ms", "log.roll.jitter.hours")

    @property
    def log_flush_interval_ms(self) -> Integer:
        return self._ms("log.flush.interval.ms", "log.flush.scheduler.interval.ms")

    def _ms(self, *names: str) -> Integer:
        value = first_with_unit(names, self.get)
        assert isinstance(value, int)
        return value


class _Loading:
    """The layers while they are being laid over each other."""

    def __init__(self) -> None:
        self.settings: dict[str, Setting] = {}
        self.warnings: list[str] = []

    def add(self, name: str, text: str, origin: Origin) -> None:
        key = broker_key(name)
        if key is None or key.name not in definitions(BROKER):
            self._add_unknown(name, text, origin)
        else:
            self.settings[name] = Setting(name, text, _parse(key, name, text, origin), origin)

    def complete(self) -> None:
        """Make a whole cluster of the node where nothing else was said."""
        given = {name: setting.text for name, setting in self.settings.items()}
        for name, text in profiles.single_node(given).items():
            origin = self.settings[name].origin if name in given else Origin(PROFILE, "single node")
            self.add(name, text, origin)

    def _add_unknown(self, name: str, text: str, origin: Origin) -> None:
        warning = foreign.warning_for(name)
        if warning is None:
            error = unknown(BROKER, name, origin.place)
            if origin.layer != ENVIRONMENT:
                raise error
            self.warnings.append(f"ignored: {error}")
            return
        if warning:
            self.warnings.append(f"{name} ({origin.place}) {warning}")
        self.settings[name] = Setting(name, text, None, origin)


def _parse(key: ConfigKey, name: str, text: str, origin: Origin) -> Value:
    try:
        return parse(key, text)
    except ConfigError as error:
        raise ConfigError(name, error.value, error.expected, origin.place) from None


def _with_synonyms(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """node.id and broker.id stand for each other where only one is set."""
    result = dict(settings)
    for name, other in (("node.id", "broker.id"), ("broker.id", "node.id")):
        if name not in settings and other in settings:
            result[name] = settings[other]._replace(name=name)
    return result


def parse_overrides(arguments: Iterable[str]) -> dict[str, str]:
    """`key=value` arguments of the command line by key, later ones winning; ConfigError without a `=`."""
    overrides = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name.strip():
            raise ConfigError("--override", argument, "key=value")
        overrides[name.strip()] = text
    return overrides

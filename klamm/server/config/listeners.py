"""Listeners: where a node listens, what it tells others to connect to, and which of them serve whom.

Pure parsing and Kafka's checks; nothing is bound or looked up. Listener names are upper case throughout, as Kafka
makes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from klamm.server.config.addresses import PORT_MAX, parse_voters
from klamm.server.config.keys import Value
from klamm.server.config.values import ConfigError

_ENDPOINT: Final = r"(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:([0-9]+)"
_NON_ROUTABLE: Final = "0.0.0.0"

LISTENERS: Final = "listeners"
ADVERTISED: Final = "advertised.listeners"
PROTOCOL_MAP: Final = "listener.security.protocol.map"
CONTROLLER_NAMES: Final = "controller.listener.names"

SECURITY_PROTOCOLS: Final[dict[str, int]] = {"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}
"""Kafka's security protocols and their numbers on the wire."""


class Endpoint(NamedTuple):
    """`host` "" is every interface where one listens, and this machine's own name where one advertises."""

    name: str
    host: str
    port: int
    security_protocol: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}://{host}:{self.port}"


class Listeners(NamedTuple):
    """A node's listeners, sorted by whom they serve.

    `broker` and `controller` are bound; the advertised ones are told to others. `inter_broker` is the listener by
    which brokers talk to each other, and `inter_broker_is_named` whether inter.broker.listener.name said so.
    `security_protocols` maps every known listener name to its protocol.
    """

    broker: tuple[Endpoint, ...]
    controller: tuple[Endpoint, ...]
    advertised_broker: tuple[Endpoint, ...]
    advertised_controller: tuple[Endpoint, ...]
    controller_names: tuple[str, ...]
    inter_broker: str
    inter_broker_is_named: bool
    security_protocols: Mapping[str, str]

    @property
    def inter_broker_security_protocol(self) -> str:
        # Without inter.broker.listener.name the listener is named after its protocol.
        return self.security_protocols.get(self.inter_broker, self.inter_broker)


class Settings(Protocol):
    """What is needed of a `BrokerConfig`."""

    def get(self, name: str) -> Value | None: ...
    def is_set(self, name: str) -> bool: ...
    def strings(self, name: str) -> tuple[str, ...]: ...


def resolve_listeners(settings: Settings) -> Listeners:
    """The node's listeners; ConfigError when a setting does not parse or contradicts another."""
    names = tuple(name.upper() for name in settings.strings(CONTROLLER_NAMES))
    protocols = _security_protocols(settings, names)
    listening = parse_listeners(LISTENERS, settings.strings(LISTENERS), protocols)
    _check_ports(listening)
    advertised = listening
    if settings.get(ADVERTISED) is not None:
        advertised = parse_listeners(ADVERTISED, settings.strings(ADVERTISED), protocols)
    controller = tuple(endpoint for endpoint in listening if endpoint.name in names)
    return Listeners(
        broker=tuple(endpoint for endpoint in listening if endpoint.name not in names),
        controller=controller,
        advertised_broker=tuple(endpoint for endpoint in advertised if endpoint.name not in names),
        advertised_controller=_advertised_controllers(settings, names, controller, advertised),
        controller_names=names,
        inter_broker=_inter_broker(settings, protocols),
        inter_broker_is_named=settings.get("inter.broker.listener.name") is not None,
        security_protocols=protocols,
    )


def parse_listeners(key: str, entries: Sequence[str], protocols: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """`NAME://host:port` entries as endpoints; ConfigError for `key` when one is wrong or a name comes twice."""
    endpoints = []
    for entry in entries:
        match = re.fullmatch(_ENDPOINT, entry)
        if match is None or not match[1].strip() or int(match[3]) > PORT_MAX:
            raise ConfigError(key, entry, "entries of the form NAME://host:port")
        name = match[1].upper()
        if name not in protocols:
            raise ConfigError(key, entry, f"only listeners that {PROTOCOL_MAP} has a security protocol for")
        endpoints.append(Endpoint(name, match[2], int(match[3]), protocols[name]))
    if len({endpoint.name for endpoint in endpoints}) != len(endpoints):
        raise ConfigError(key, ",".join(entries), "a different name for each listener")
    return tuple(endpoints)


def with_port(listeners: str, port: int, controller_names: Iterable[str]) -> str:
    """The text of `listeners` with the port of its first listener for clients replaced."""
    entries = [entry.strip() for entry in listeners.split(",")]
    for index, entry in enumerate(entries):
        start, colon, _ = entry.rpartition(":")
        if colon and entry.partition("://")[0].upper() not in controller_names:
            entries[index] = f"{start}:{port}"
            break
    return ",".join(entries)


def _security_protocols(settings: Settings, controller_names: Sequence[str]) -> dict[str, str]:
    text = str(settings.get(PROTOCOL_MAP) or "")
    protocols: dict[str, str] = {}
    for pair in re.split(r"\s*,\s*", text) if text else ():
        name, colon, protocol = (part.strip() for part in pair.rpartition(":"))
        if not colon or not name or protocol.upper() not in SECURITY_PROTOCOLS:
            options = ", ".join(SECURITY_PROTOCOLS)
            raise ConfigError(PROTOCOL_MAP, pair, f"pairs of the form NAME:PROTOCOL, with one of {options}")
        protocols[name.upper()] = protocol.upper()
    if not settings.is_set(PROTOCOL_MAP):
        # Controller listeners are plaintext without being said so, unless there is any security in use (KIP-978).
        names = {entry.partition(":")[0].upper() for entry in settings.strings(LISTENERS)} | set(controller_names)
        if not names & {"SSL", "SASL_SSL", "SASL_PLAINTEXT"}:
            protocols |= dict.fromkeys(controller_names, "PLAINTEXT")
    return protocols


def _inter_broker(settings: Settings, protocols: Mapping[str, str]) -> str:
    name = settings.get("inter.broker.listener.name")
    if name is None:
        return str(settings.get("security.inter.broker.protocol"))
    if settings.is_set("security.inter.broker.protocol"):
        raise ConfigError("inter.broker.listener.name", name, "not to be set with security.inter.broker.protocol")
    if str(name).upper() not in protocols:
        raise ConfigError("inter.broker.listener.name", name, f"a listener that {PROTOCOL_MAP} names")
    return str(name).upper()


def _advertised_controllers(
    settings: Settings, names: Sequence[str], listening: Sequence[Endpoint], advertised: Sequence[Endpoint]
) -> tuple[Endpoint, ...]:
    """For each controller listener what is advertised; without a word about it, what is listened on.

    The first listener on all interfaces is advertised with the address that controller.quorum.voters has for this
    node (KIP-853 keeps this so that clusters with a fixed set of voters work as before).
    """
    voters = parse_voters(settings.strings("controller.quorum.voters")) or {}
    node_id = settings.get("node.id")
    own = voters.get(node_id) if isinstance(node_id, int) else None
    endpoints = []
    explicit = settings.get(ADVERTISED) is not None
    for index, name in enumerate(names):
        endpoint = next((e for e in advertised if explicit and e.name == name), None)
        if endpoint is None:
            endpoint = next((e for e in listening if e.name == name), None)
            if endpoint is None:
                continue
            if endpoint.host in ("", _NON_ROUTABLE):
                endpoint = endpoint._replace(host="")
                if index == 0 and own is not None:
                    endpoint = endpoint._replace(host=own.host, port=own.port)
        endpoints.append(endpoint)
    return tuple(endpoints)


def _check_ports(endpoints: Sequence[Endpoint]) -> None:
    """Two listeners share a port only when one is IPv4 and the other IPv6 (KIP-797); port 0 is any free one."""
    ports: dict[int, list[Endpoint]] = {}
    for endpoint in endpoints:
        if endpoint.port:
            ports.setdefault(endpoint.port, []).append(endpoint)
    for sharing in ports.values():
        versions = sorted(_ip_version(endpoint.host) for endpoint in sharing)
        if len(sharing) > 1 and versions != [4, 6]:
            listed = ",".join(map(str, sharing))
            raise ConfigError(LISTENERS, listed, "a different port for each, unless one is IPv4 and the other IPv6")


def _ip_version(host: str) -> int:
    """4 or 6 of a literal address, 0 of a name."""
    import ipaddress

    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return 0


def check_listeners(listeners: Listeners, roles: Iterable[str]) -> None:
    """What Kafka demands of the listeners of a node with these roles; ConfigError when it is not so."""
    bound = {endpoint.name for endpoint in listeners.broker + listeners.controller}
    controllers = ",".join(listeners.controller_names)
    if "controller" in roles:
        if not set(listeners.controller_names) <= bound:
            raise ConfigError(CONTROLLER_NAMES, controllers, f"only names that {LISTENERS} has on a controller")
    else:
        if listeners.controller:
            raise ConfigError(
                CONTROLLER_NAMES, controllers, f"no name that {LISTENERS} has on a node that is only broker"
            )
        for name in listeners.controller_names:
            if name not in listeners.security_protocols:
                raise ConfigError(CONTROLLER_NAMES, name, f"only names that {PROTOCOL_MAP} has a protocol for")
    if "broker" in roles:
        _check_broker_listeners(listeners, bound)
    elif listeners.broker:
        names = ",".join(endpoint.name for endpoint in listeners.broker)
        raise ConfigError(LISTENERS, names, f"only listeners of {CONTROLLER_NAMES} on a node that is only controller")
    elif listeners.inter_broker_is_named and listeners.inter_broker in listeners.controller_names:
        raise ConfigError(
            CONTROLLER_NAMES, controllers, "no inter.broker.listener.name on a node that is only controller"
        )
    for endpoint in listeners.advertised_broker + listeners.advertised_controller:
        if endpoint.host == _NON_ROUTABLE:
            raise ConfigError(ADVERTISED, str(endpoint), "an address that others can connect to, which 0.0.0.0 is not")


def _check_broker_listeners(listeners: Listeners, bound: set[str]) -> None:
    advertised = {endpoint.name for endpoint in listeners.advertised_broker}
    told = ",".join(sorted(advertised))
    if not advertised:
        raise ConfigError(ADVERTISED, told, f"at least one listener that is not in {CONTROLLER_NAMES}")
    if listeners.inter_broker not in advertised:
        expected = f"a listener that is advertised: {' or '.join(sorted(advertised))}"
        raise ConfigError("inter.broker.listener.name", listeners.inter_broker, expected)
    if not advertised <= bound:
        raise ConfigError(ADVERTISED, told, f"only names that {LISTENERS} has: {', '.join(sorted(bound))}")

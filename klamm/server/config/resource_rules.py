"""What the settings of topics, groups and client metrics subscriptions must be, as a whole.

Called when they are created or altered, with every setting that the resource will then have. All refusals are
`KafkaError` with the code that Kafka answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.server.config.definitions import CLIENT_METRICS, GROUP, TOPIC, Kind, definitions, unknown
from klamm.server.config.keys import LIST, Value
from klamm.server.config.layers import Layers, group_bounds, resource_values
from klamm.server.config.values import ConfigError, parse, render

_SESSIONS: Final = tuple(
    (f"{group}.session.timeout.ms", f"{group}.heartbeat.interval.ms") for group in ("consumer", "share", "streams")
)

PUSH_INTERVAL_MS_MIN: Final = 100
PUSH_INTERVAL_MS_MAX: Final = 3_600_000
CLIENT_SELECTORS: Final = frozenset(
    {
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    }
)


def check_topic(layers: Layers, existing: Mapping[str, str]) -> dict[str, Value | None]:
    """Check the settings of a topic, `layers.resource`; `existing` are those it had before.

    Returns every value that is then in force. INVALID_CONFIG when a name or value is wrong or two contradict.
    """
    try:
        _check_names(TOPIC, layers.resource)
        values = resource_values(TOPIC, layers)
        low, high = values["min.compaction.lag.ms"], values["max.compaction.lag.ms"]
        assert isinstance(low, int)
        assert isinstance(high, int)
        if low > high:
            raise ConfigError("min.compaction.lag.ms", low, f"no more than max.compaction.lag.ms, which is {high}")
        if values["remote.storage.enable"]:
            _check_tiered(values, bool(layers.broker_value("remote.log.storage.system.enable")))
        elif existing.get("remote.storage.enable", "").lower() == "true" and not values["remote.log.delete.on.disable"]:
            expected = "true, or remote.log.delete.on.disable=true, as remote data would be left behind"
            raise ConfigError("remote.storage.enable", False, expected)
    except ConfigError as error:
        raise KafkaError(errors.INVALID_CONFIG, str(error)) from None
    return values


def _check_tiered(values: Mapping[str, Value | None], system_enabled: bool) -> None:
    if not system_enabled:
        raise ConfigError("remote.storage.enable", True, "false, as remote.log.storage.system.enable is false")
    policy = values["cleanup.policy"]
    if policy not in ((), ("delete",)):
        raise ConfigError("cleanup.policy", render(policy, LIST), "delete or nothing on a tiered topic")
    check_tiered_retention(values)
    if values["remote.log.copy.disable"]:
        for unit in ("bytes", "ms"):
            local, total = values[f"local.retention.{unit}"], values[f"retention.{unit}"]
            if local not in (-2, total):
                expected = f"-2 or the value of retention.{unit}, as remote.log.copy.disable is true"
                raise ConfigError(f"local.retention.{unit}", local, expected)


def check_tiered_retention(values: Mapping[str, Value | None]) -> None:
    """Local retention of a tiered topic may not exceed its retention; ConfigError."""
    for unit in ("bytes", "ms"):
        local, total = values[f"local.retention.{unit}"], values[f"retention.{unit}"]
        assert isinstance(local, int)
        assert isinstance(total, int)
        if total != -1 and local != -2 and (local == -1 or local > total):
            raise ConfigError(f"local.retention.{unit}", local, f"no more than retention.{unit}, which is {total}")


def check_group(layers: Layers) -> dict[str, Value | None]:
    """Check the settings of a group, `layers.resource`, against each other and the broker's bounds.

    Returns every value that is then in force. INVALID_CONFIG when something is wrong.
    """
    try:
        _check_names(GROUP, layers.resource)
        values = resource_values(GROUP, layers)
        for name, value in values.items():
            # Kafka leaves an assignment interval that only comes from the broker unchecked.
            if name in layers.resource or not name.endswith(".assignment.interval.ms"):
                _check_bounds(layers, name, value)
        for session, heartbeat in _SESSIONS:
            session_ms, heartbeat_ms = values[session], values[heartbeat]
            assert isinstance(session_ms, int)
            assert isinstance(heartbeat_ms, int)
            if session_ms <= heartbeat_ms:
                raise ConfigError(session, session_ms, f"more than {heartbeat}, which is {heartbeat_ms}")
    except ConfigError as error:
        raise KafkaError(errors.INVALID_CONFIG, str(error)) from None
    return values


def _check_bounds(layers: Layers, name: str, value: Value | None) -> None:
    low, high = group_bounds(name)
    if low is not None and isinstance(value, int) and value < layers.integer(low):
        raise ConfigError(name, value, f"at least {low}, which is {layers.integer(low)}")
    if high is not None and isinstance(value, int) and value > layers.integer(high):
        raise ConfigError(name, value, f"no more than {high}, which is {layers.integer(high)}")


def check_client_metrics(name: str, settings: Mapping[str, str]) -> None:
    """Check a client metrics subscription (KIP-714).

    INVALID_REQUEST for an empty name, an unknown setting or an interval out of bounds, INVALID_CONFIG for the rest.
    """
    if not name:
        raise KafkaError(errors.INVALID_REQUEST, "a client metrics subscription needs a name")
    keys = definitions(CLIENT_METRICS)
    for setting in settings:
        if setting not in keys:
            raise KafkaError(errors.INVALID_REQUEST, str(unknown(CLIENT_METRICS, setting)))
    try:
        values = {setting: parse(keys[setting], text) for setting, text in settings.items()}
        for entry in values.get("match", ()):  # type: ignore[union-attr]
            _check_selector(str(entry))
    except ConfigError as error:
        raise KafkaError(errors.INVALID_CONFIG, str(error)) from None
    interval_ms = values.get("interval.ms", PUSH_INTERVAL_MS_MIN)
    assert isinstance(interval_ms, int)
    if not PUSH_INTERVAL_MS_MIN <= interval_ms <= PUSH_INTERVAL_MS_MAX:
        expected = f"from {PUSH_INTERVAL_MS_MIN} to {PUSH_INTERVAL_MS_MAX}"
        raise KafkaError(errors.INVALID_REQUEST, str(ConfigError("interval.ms", interval_ms, expected)))


def _check_selector(entry: str) -> None:
    selector, equals, pattern = entry.partition("=")
    # Kafka splits at every "=" and wants two parts, so a pattern cannot have one in it.
    good = equals and pattern and "=" not in pattern and selector.strip() in CLIENT_SELECTORS
    if good:
        try:
            re.compile(pattern.strip())
        except re.error:
            good = False
    if not good:
        expected = f"selector=pattern with a regular expression and one of {', '.join(sorted(CLIENT_SELECTORS))}"
        raise ConfigError("match", entry, expected)


def _check_names(kind: Kind, settings: Mapping[str, str]) -> None:
    keys = definitions(kind)
    for name in settings:
        if name not in keys:
            raise unknown(kind, name)

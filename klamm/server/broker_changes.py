"""Changes of broker settings and loggers, as the broker that is asked checks them before the controller decides.

Only this broker knows whether it could take a setting up while it runs, and its loggers are nobody else's. What is
refused here never reaches the controller; what concerns loggers ends here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.metadata.controller.configs import APPEND, DELETE, SET, SUBTRACT, Alteration, malformed, value_after
from klamm.metadata.image.image import BROKER_RESOURCE
from klamm.server import log_levels
from klamm.server.config.alter import check_dynamic_broker_settings
from klamm.server.config.values import ConfigError
from klamm.server.config_rules import ServerConfigRules

if TYPE_CHECKING:
    from klamm.server.broker import Broker

BROKER_LOGGER_RESOURCE = 8


def check_incremental(broker: Broker, name: str, changes: Sequence[Alteration]) -> None:
    """IncrementalAlterConfigs of a broker resource (`name` empty: all brokers). Raises KafkaError."""
    _check_form(changes)
    check_broker_id(broker, name)
    current, rules = broker.metadata.image.config(BROKER_RESOURCE, name), ServerConfigRules(broker.config)
    changed = {change.key: value_after(rules, BROKER_RESOURCE, current, change) for change in changes}
    after = {key: value for key, value in {**current, **changed}.items() if value is not None}
    _check_settings(broker, name, after)


def check_replacement(broker: Broker, name: str, settings: Mapping[str, str]) -> None:
    """AlterConfigs of a broker resource: `settings` take the place of all others. Raises KafkaError."""
    check_broker_id(broker, name)
    _check_settings(broker, name, settings)


def _check_form(changes: Sequence[Alteration]) -> None:
    failure = malformed(changes)
    if failure is not None:
        raise KafkaError(failure.code, failure.message or "")


def _check_settings(broker: Broker, name: str, after: Mapping[str, str]) -> None:
    check_dynamic_broker_settings(after, per_broker=bool(name))
    image = broker.metadata.image
    try:
        if name:
            changed = broker.config.changed(dynamic_default=image.config(BROKER_RESOURCE, ""), dynamic_broker=after)
        else:
            own = image.config(BROKER_RESOURCE, str(broker.node_id))
            changed = broker.config.changed(dynamic_default=after, dynamic_broker=own)
        for threads in _THREADS:
            now = broker.settings.broker(image, threads)
            assert isinstance(now, int)
            _check_threads(threads, now, changed.int(threads))
    except ConfigError as error:
        raise KafkaError(errors.INVALID_REQUEST, str(error)) from None


_THREADS: Final = (
    "log.cleaner.threads", "num.io.threads", "num.replica.fetchers", "num.recovery.threads.per.data.dir",
    "background.threads",
)  # fmt: skip
"""Numbers of threads that change step by step, whatever klamm makes of them."""


def _check_threads(name: str, current: int, threads: int) -> None:
    """Kafka lets the number of threads of a kind be halved or doubled at most. Raises ConfigError."""
    if not max(1, current // 2) <= threads <= current * 2 and threads != current:
        expected = f"from half to double of {current}, which is the number now, and at least 1"
        raise ConfigError(name, threads, expected)


_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


def check_broker_id(broker: Broker, name: str) -> None:
    """Only this broker, or all of them (an empty name). Raises KafkaError (INVALID_REQUEST)."""
    if not name:
        return
    if not _NUMBER.fullmatch(name):
        raise KafkaError(errors.INVALID_REQUEST, f"{name!r} is no broker id")
    node_id = int(name)
    if node_id != broker.node_id:
        raise KafkaError(errors.INVALID_REQUEST, f"this is broker {broker.node_id}, not {node_id}: ask that one")


def alter_loggers(broker: Broker, name: str, changes: Sequence[Alteration], validate_only: bool) -> None:
    """Set or reset the levels of this broker's loggers (KIP-412). Raises KafkaError."""
    _check_form(changes)
    if not name:
        raise KafkaError(errors.INVALID_REQUEST, "loggers are those of one broker: its id is needed")
    check_broker_id(broker, name)
    known = log_levels.loggers()
    for logger, op, level in changes:
        if op in (APPEND, SUBTRACT):
            raise KafkaError(errors.INVALID_REQUEST, f"{logger}: a level can be set or deleted, nothing else")
        if logger not in known:
            raise KafkaError(errors.INVALID_CONFIG, f"there is no logger {logger}")
        if op == SET and level not in log_levels.LEVELS:
            raise KafkaError(errors.INVALID_CONFIG, f"{logger}: {level!r} is none of {', '.join(log_levels.LEVELS)}")
        if op == DELETE and logger == log_levels.ROOT:
            raise KafkaError(errors.INVALID_REQUEST, "the root logger always has a level")
    if not validate_only:
        for logger, op, level in changes:
            log_levels.set_level(logger, level if op == SET else None)

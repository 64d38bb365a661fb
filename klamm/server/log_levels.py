"""The loggers of this process as a broker's loggers: listed and set through the config APIs (KIP-412).

Kafka's level names stand for Python's; FATAL is CRITICAL, and TRACE, which Python has not, is DEBUG.
"""

from __future__ import annotations

import logging
from typing import Final

ROOT: Final = "root"
_PACKAGE: Final = "klamm"
LEVELS: Final = {
    "FATAL": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
    "TRACE": logging.DEBUG,
}
_NAMES: Final = {number: name for name, number in reversed(LEVELS.items())}


def loggers() -> dict[str, str]:
    """Every logger of klamm with its effective level, in Kafka's names; `root` is the one above them all."""
    found = {ROOT: _level(logging.getLogger(_PACKAGE))}
    for name, logger in sorted(logging.Logger.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.startswith(f"{_PACKAGE}."):
            found[name] = _level(logger)
    return found


def _level(logger: logging.Logger) -> str:
    number = logger.getEffectiveLevel()
    return _NAMES.get(number) or min(LEVELS, key=lambda name: abs(LEVELS[name] - number))


def set_level(name: str, level: str | None) -> None:
    """Set a logger's level; None gives it that of the logger above it."""
    logger = logging.getLogger(_PACKAGE if name == ROOT else name)
    logger.setLevel(logging.NOTSET if level is None else LEVELS[level])

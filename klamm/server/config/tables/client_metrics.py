"""Keys of client metrics subscriptions (KIP-714).

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import INT, LIST, MEDIUM, ConfigKey

CLIENT_METRICS_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("interval.ms", INT, 300_000, None, MEDIUM),
    ConfigKey("match", LIST, (), None, MEDIUM),
    ConfigKey("metrics", LIST, (), None, MEDIUM),
)

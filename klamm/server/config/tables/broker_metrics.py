"""Broker keys: metrics, telemetry and quotas.

One row a key, facts only; `keys.ConfigKey` says what the columns are.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.keys import CLASS, CLUSTER_WIDE, INT, LIST, LONG, LOW, STRING, ConfigKey, at_least

METRICS_KEYS: Final[tuple[ConfigKey, ...]] = (
    ConfigKey("alter.log.dirs.replication.quota.window.num", INT, 11, at_least(1), LOW),
    ConfigKey("alter.log.dirs.replication.quota.window.size.seconds", INT, 1, at_least(1), LOW),
    ConfigKey("client.quota.callback.class", CLASS, None, None, LOW),
    ConfigKey("controller.quota.window.num", INT, 11, at_least(1), LOW),
    ConfigKey("controller.quota.window.size.seconds", INT, 1, at_least(1), LOW),
    ConfigKey("kafka.metrics.polling.interval.secs", INT, 10, at_least(1), LOW),
    ConfigKey("kafka.metrics.reporters", LIST, (), None, LOW),
    ConfigKey("metric.reporters", LIST, ("org.apache.kafka.common.metrics.JmxReporter",), None, LOW, CLUSTER_WIDE),
    ConfigKey("metrics.num.samples", INT, 2, at_least(1), LOW),
    ConfigKey("metrics.recording.level", STRING, "INFO", None, LOW),
    ConfigKey("metrics.sample.window.ms", LONG, 30000, at_least(1), LOW),
    ConfigKey("quota.window.num", INT, 11, at_least(1), LOW),
    ConfigKey("quota.window.size.seconds", INT, 1, at_least(1), LOW),
    ConfigKey("replication.quota.window.num", INT, 11, at_least(1), LOW),
    ConfigKey("replication.quota.window.size.seconds", INT, 1, at_least(1), LOW),
    ConfigKey("telemetry.max.bytes", INT, 1_048_576, at_least(1), LOW),
)

"""Names that Kafka does not define and that still stand in real files: what becomes of them.

A name that is nothing of the sort is refused (docs/decisions/0002-unknown-settings.md). Those listed here are kept as
they are and warned about, except the settings of Kafka's own plugins, which are simply kept.
"""

from __future__ import annotations

from typing import Final

from klamm.server.config.definitions import BROKER_QUOTA, definitions, listener_base_name

# Settings that Kafka's own plugins read from the broker's file (StandardAuthorizer, JmxReporter).
PLUGIN_KEYS: Final = frozenset(
    {"super.users", "allow.everyone.if.no.acl.found", "metrics.jmx.include", "metrics.jmx.exclude"}
)

# Settings of other people's plugins and of other vendors' servers.
FOREIGN_PREFIXES: Final = (
    "client.quota.callback.",
    "confluent.",
    "config.providers.",
    "cruise.control.",
    "metrics.context.",
    "oauth.",
    "opa.",
    "rlmm.config.",
    "rsm.config.",
    "strimzi.",
    "zookeeper.",
)

# Settings of Kafka 3 and before; Kafka 4 ignores them too.
REMOVED_KEYS: Final = frozenset(
    {
        "advertised.host.name",
        "advertised.port",
        "auto.include.jmx.reporter",
        "broker.id.generation.enable",
        "control.plane.listener.name",
        "controlled.shutdown.max.retries",
        "controlled.shutdown.retry.backoff.ms",
        "delegation.token.master.key",
        "enable.zookeeper.migration",
        "group.coordinator.new.enable",
        "host.name",
        "inter.broker.protocol.version",
        "log.message.downconversion.enable",
        "log.message.format.version",
        "log.message.timestamp.difference.max.ms",
        "migration.metadata.min.batch.size",
        "offsets.commit.required.acks",
        "password.encoder.cipher.algorithm",
        "password.encoder.iterations",
        "password.encoder.key.length",
        "password.encoder.keyfactory.algorithm",
        "password.encoder.old.secret",
        "password.encoder.secret",
        "port",
        "quota.consumer.default",
        "quota.producer.default",
        "reserved.broker.max.id",
    }
)


def warning_for(name: str) -> str | None:
    """Why the setting has no effect, "" when it is kept without a word, None when the name is to be refused."""
    if name in PLUGIN_KEYS:
        return ""
    if name in definitions(BROKER_QUOTA):
        return "can only be set dynamically"
    if name in REMOVED_KEYS:
        return "was removed from Kafka and has no effect"
    if listener_base_name(name) is not None or name.startswith(FOREIGN_PREFIXES):
        return "is no setting of Kafka's own and has no effect"
    return None

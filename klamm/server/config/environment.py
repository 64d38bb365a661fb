"""Settings from environment variables, by the rule of the Kafka container images.

`KAFKA_NUM_PARTITIONS` sets `num.partitions`: the prefix is dropped, the rest lowered, `_` becomes a dot, `__` an
underscore and `___` a dash. The image writes the result into a properties file, so escapes in values count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from klamm.server.config.properties import unescape_value

PREFIX: Final = "KAFKA_"

# Variables that the start scripts of the images and of Kafka itself use; they are no settings of the broker.
IMAGE_ONLY: Final = frozenset(
    {
        "KAFKA_VERSION",
        "KAFKA_HEAP_OPTS",
        "KAFKA_LOG4J_OPTS",
        "KAFKA_OPTS",
        "KAFKA_JMX_OPTS",
        "KAFKA_JMX_PORT",
        "KAFKA_JVM_PERFORMANCE_OPTS",
        "KAFKA_GC_LOG_OPTS",
        "KAFKA_LOG4J_ROOT_LOGLEVEL",
        "KAFKA_LOG4J_LOGGERS",
        "KAFKA_TOOLS_LOG4J_LOGLEVEL",
        "KAFKA_JMX_HOSTNAME",
    }
)


class Variable(NamedTuple):
    """A variable and the setting it stands for."""

    variable: str
    name: str
    value: str


def setting_name(variable: str) -> str:
    """The setting that `KAFKA_…` stands for, e.g. KAFKA_LISTENER_NAME_SASL__SSL_X -> listener.name.sasl_ssl.x."""
    # Three replacements in this order, as the image's KafkaDockerWrapper makes them.
    lowered = variable.removeprefix(PREFIX).lower()
    return lowered.replace("_", ".").replace("...", "-").replace("..", "_")


def settings_from(environ: Mapping[str, str]) -> list[Variable]:
    """The settings in `environ`, ordered by variable; variables that are the image's own are left out."""
    return [
        Variable(variable, setting_name(variable), unescape_value(environ[variable]))
        for variable in sorted(environ)
        if variable.startswith(PREFIX) and variable != PREFIX and variable not in IMAGE_ONLY
    ]


def cluster_id_from(environ: Mapping[str, str]) -> str | None:
    """The cluster id that the image formats its storage with, None when not set."""
    return environ.get("CLUSTER_ID") or None

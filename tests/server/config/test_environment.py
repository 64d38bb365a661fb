"""Names of settings in the environment, as the Kafka images read them."""

from __future__ import annotations

import pytest

from klamm.server.config.environment import Variable, cluster_id_from, setting_name, settings_from


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("KAFKA_NUM_PARTITIONS", "num.partitions"),
        ("KAFKA_LISTENER_NAME_SASL__SSL_PLAIN_SASL_JAAS_CONFIG", "listener.name.sasl_ssl.plain.sasl.jaas.config"),
        ("KAFKA_LISTENER_NAME_X_SCRAM___SHA___256_SASL_JAAS_CONFIG", "listener.name.x.scram-sha-256.sasl.jaas.config"),
        ("KAFKA_A____B", "a-.b"),
        ("KAFKA_KAFKA_METRICS_REPORTERS", "kafka.metrics.reporters"),
    ],
)
def test_setting_name(variable: str, name: str) -> None:
    assert setting_name(variable) == name


def test_only_the_images_settings_are_taken() -> None:
    environ = {
        "PATH": "/bin",
        "KAFKA_NUM_PARTITIONS": "3",
        "KAFKA_HEAP_OPTS": "-Xmx1G",
        "KAFKA_OPTS": "-Dx",
        "KAFKA_LOG4J_LOGGERS": "kafka=INFO",
        "KAFKA_": "x",
        "CLUSTER_ID": "abc",
        "kafka_num_partitions": "7",
    }
    assert settings_from(environ) == [Variable("KAFKA_NUM_PARTITIONS", "num.partitions", "3")]


def test_values_are_those_of_a_properties_file() -> None:
    [variable] = settings_from({"KAFKA_SUPER_USERS": "  User:a\\u0062;C:\\\\x "})
    assert variable.value == "User:ab;C:\\x "


def test_cluster_id() -> None:
    assert cluster_id_from({"CLUSTER_ID": "abc"}) == "abc"
    assert cluster_id_from({"CLUSTER_ID": ""}) is None
    assert cluster_id_from({}) is None

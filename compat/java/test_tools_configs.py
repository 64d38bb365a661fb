"""kafka-configs against the broker under test: what every topic and broker shows, and changes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from compat.java.tools import Cli
from compat.scenario import free_name

pytestmark = pytest.mark.needs("java", "javac", "mvn")

# A topic without settings of its own, as Kafka 4.3.1 shows it: value and the synonym that it has it from.
# min.insync.replicas is left out: where it comes from depends on whether the cluster has ELR on.
TOPIC_DEFAULTS = """
cleanup.policy=delete log.cleanup.policy
compression.gzip.level=-1 compression.gzip.level
compression.lz4.level=9 compression.lz4.level
compression.type=producer compression.type
compression.zstd.level=3 compression.zstd.level
delete.retention.ms=86400000 log.cleaner.delete.retention.ms
file.delete.delay.ms=60000 log.segment.delete.delay.ms
flush.messages=9223372036854775807 log.flush.interval.messages
flush.ms=9223372036854775807 -
follower.replication.throttled.replicas= -
index.interval.bytes=4096 log.index.interval.bytes
leader.replication.throttled.replicas= -
local.retention.bytes=-2 log.local.retention.bytes
local.retention.ms=-2 log.local.retention.ms
max.compaction.lag.ms=9223372036854775807 log.cleaner.max.compaction.lag.ms
max.message.bytes=1048588 message.max.bytes
message.timestamp.after.max.ms=3600000 log.message.timestamp.after.max.ms
message.timestamp.before.max.ms=9223372036854775807 log.message.timestamp.before.max.ms
message.timestamp.type=CreateTime log.message.timestamp.type
min.cleanable.dirty.ratio=0.5 log.cleaner.min.cleanable.ratio
min.compaction.lag.ms=0 log.cleaner.min.compaction.lag.ms
preallocate=false log.preallocate
remote.log.copy.disable=false -
remote.log.delete.on.disable=false -
remote.storage.enable=false -
retention.bytes=-1 log.retention.bytes
retention.ms=604800000 -
segment.bytes=1073741824 log.segment.bytes
segment.index.bytes=10485760 log.index.size.max.bytes
segment.jitter.ms=0 -
segment.ms=604800000 -
unclean.leader.election.enable=false unclean.leader.election.enable
"""

# How many settings Kafka 4.3.1 describes for a broker.
BROKER_SETTINGS = 340
SECRETS = {
    "delegation.token.secret.key",
    "sasl.jaas.config",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.client.credentials.client.secret",
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.password",
    "ssl.truststore.certificates",
    "ssl.truststore.password",
}


@dataclass(frozen=True)
class Entry:
    value: str
    sensitive: bool
    # (source, name, value), strongest first
    synonyms: tuple[tuple[str, str, str], ...]


def _entries(cli: Cli, *arguments: object) -> dict[str, Entry]:
    _, *lines = cli.ok("kafka-configs", "--describe", *arguments).lines
    entries = {}
    for line in lines:
        found = re.fullmatch(r"  ([\w.]+)=(.*) sensitive=(true|false) synonyms=\{(.*)\}", line)
        assert found, line
        name, value, sensitive, synonyms = found.groups()
        entries[name] = Entry(
            value, sensitive == "true", tuple(re.findall(r"([A-Z_]+):([\w.]+)=(.*?)(?:, (?=[A-Z_]+:)|$)", synonyms))
        )
    return entries


def _alter(cli: Cli, *arguments: object) -> None:
    assert "Completed updating" in cli.ok("kafka-configs", "--alter", *arguments).out


def test_every_setting_of_a_topic(cli: Cli) -> None:
    topic = free_name("defaults")
    cli.create_topic(topic)
    entries = _entries(cli, "--all", "--topic", topic)
    assert entries.pop("min.insync.replicas").value == "1"
    shown = {
        f"{name}={entry.value} " + (entry.synonyms[-1][1] if entry.synonyms else "-")
        for name, entry in entries.items()
        if not entry.sensitive
    }
    assert shown == set(TOPIC_DEFAULTS.strip().splitlines())
    assert all(synonym[0] == "DEFAULT_CONFIG" for entry in entries.values() for synonym in entry.synonyms[-1:])


def test_a_topic_is_altered_and_put_back(cli: Cli) -> None:
    topic = free_name("altered")
    cli.create_topic(topic, retention_ms="100000")
    assert _entries(cli, "--topic", topic) == {
        "retention.ms": Entry("100000", False, (("DYNAMIC_TOPIC_CONFIG", "retention.ms", "100000"),))
    }
    _alter(
        cli,
        "--topic",
        topic,
        "--add-config",
        "retention.ms=200000,max.message.bytes=2000000,cleanup.policy=[compact,delete]",
    )
    changed = _entries(cli, "--topic", topic)
    assert {name: entry.value for name, entry in changed.items()} == {
        "retention.ms": "200000",
        "max.message.bytes": "2000000",
        "cleanup.policy": "compact,delete",
    }
    assert changed["max.message.bytes"].synonyms == (
        ("DYNAMIC_TOPIC_CONFIG", "max.message.bytes", "2000000"),
        ("DEFAULT_CONFIG", "message.max.bytes", "1048588"),
    )
    _alter(cli, "--topic", topic, "--delete-config", "retention.ms,max.message.bytes,cleanup.policy")
    assert _entries(cli, "--topic", topic) == {}
    assert _entries(cli, "--all", "--topic", topic)["retention.ms"].value == "604800000"


def test_a_changed_limit_is_obeyed(cli: Cli) -> None:
    topic = free_name("limit")
    cli.create_topic(topic, max_message_bytes="200")
    # The tool only logs that the record is too large; its status stays 0.
    cli.ok("kafka-console-producer", "--topic", topic, stdin="x" * 1000 + "\n")
    assert cli.ok("kafka-get-offsets", "--topic", topic).lines == [f"{topic}:0:0"]
    _alter(cli, "--topic", topic, "--add-config", "max.message.bytes=2000")
    cli.ok("kafka-console-producer", "--topic", topic, stdin="x" * 1000 + "\n")
    assert cli.ok("kafka-get-offsets", "--topic", topic).lines == [f"{topic}:0:1"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("nonsense.key=1", "nonsense.key"),
        ("retention.ms=soon", "retention.ms"),
        ("cleanup.policy=shred", "cleanup.policy"),
        ("min.insync.replicas=0", "min.insync.replicas"),
    ],
)
def test_bad_topic_settings_are_refused(cli: Cli, setting: str, words: str) -> None:
    topic = free_name("refused")
    cli.create_topic(topic)
    said = cli.refused("kafka-configs", "--alter", "--topic", topic, "--add-config", setting)
    assert words in said and "InvalidConfigurationException" in said
    assert _entries(cli, "--topic", topic) == {}


def test_every_setting_of_a_broker(cli: Cli) -> None:
    node = cli.node_id()
    entries = _entries(cli, "--all", "--broker", node)
    assert len(entries) == BROKER_SETTINGS
    assert {name for name, entry in entries.items() if entry.sensitive} == SECRETS
    assert all(entries[name].value == "null" for name in SECRETS)
    # Names without which tools and sinks have failed on other brokers.
    assert entries["num.partitions"].value == "1"
    assert entries["log.cleanup.policy"].value == "delete"
    assert entries["auto.create.topics.enable"].value == "true"
    assert entries["default.replication.factor"].value == "1"
    assert entries["node.id"].value == str(node)
    assert cli.bootstrap in entries["listeners"].value
    assert entries["message.max.bytes"] == Entry(
        "1048588", False, (("DEFAULT_CONFIG", "message.max.bytes", "1048588"),)
    )


def test_one_broker_is_altered_and_put_back(cli: Cli) -> None:
    node = cli.node_id()
    _alter(cli, "--broker", node, "--add-config", "log.cleaner.threads=2")
    # Of what one broker has, the tool shows its own settings and the cluster's defaults.
    assert _entries(cli, "--broker", node)["log.cleaner.threads"].synonyms == (
        ("DYNAMIC_BROKER_CONFIG", "log.cleaner.threads", "2"),
        ("DEFAULT_CONFIG", "log.cleaner.threads", "1"),
    )
    _alter(cli, "--broker", node, "--delete-config", "log.cleaner.threads")
    assert "log.cleaner.threads" not in _entries(cli, "--broker", node)
    assert _entries(cli, "--all", "--broker", node)["log.cleaner.threads"].value == "1"


def test_all_brokers_are_altered_and_topics_follow(cli: Cli) -> None:
    topic = free_name("follows")
    cli.create_topic(topic)
    _alter(cli, "--broker-defaults", "--add-config", "log.retention.ms=300000")
    assert _entries(cli, "--broker-defaults")["log.retention.ms"].value == "300000"
    followed = _entries(cli, "--all", "--topic", topic)["retention.ms"]
    assert followed.value == "300000"
    assert followed.synonyms[0] == ("DYNAMIC_DEFAULT_BROKER_CONFIG", "log.retention.ms", "300000")
    _alter(cli, "--broker-defaults", "--delete-config", "log.retention.ms")
    assert "log.retention.ms" not in _entries(cli, "--broker-defaults")
    assert _entries(cli, "--all", "--topic", topic)["retention.ms"].value == "604800000"


def test_read_only_broker_settings_are_refused(cli: Cli) -> None:
    said = cli.refused("kafka-configs", "--alter", "--broker", cli.node_id(), "--add-config", "log.dirs=/elsewhere")
    assert "InvalidRequestException" in said or "InvalidConfigurationException" in said
    assert "log.dirs" in said

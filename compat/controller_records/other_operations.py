"""What else a controller is asked: quotas, levels of features, registrations of controllers, configs, deletions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compat.controller_records.recorder import Recorder

TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32
UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE = 1, 2, 3
DEFAULT = None
"""The name of the default entity of a quota."""


def operations(r: Recorder) -> None:
    """All in one."""
    for broker_id in (1, 2):
        r.register(f"broker {broker_id} registers", broker_id)
        r.beat(f"broker {broker_id} is unfenced", broker_id)
    _quotas(r)
    _configs(r)
    _controllers(r)
    _features(r)
    _older_level(r)


def _quotas(r: Recorder) -> None:
    def alter(step: str, entity: Mapping[str, str | None], **values: float | None) -> None:
        ops = [{"key": k, "value": 0.0 if v is None else v, "remove": v is None} for k, v in values.items()]
        named = [{"entity_type": kind.replace("_", "-"), "entity_name": name} for kind, name in entity.items()]
        entries = [{"entity": named, "ops": ops}]
        r.ask(step, "AlterClientQuotas", 1, entries=entries, validate_only=False)

    alter("a user's quota", {"user": "alice"}, producer_byte_rate=1e6)
    alter("the same again", {"user": "alice"}, producer_byte_rate=1e6)
    alter("another value, and one more", {"user": "alice"}, producer_byte_rate=2e6, request_percentage=12.5)
    alter("of all users", {"user": DEFAULT}, consumer_byte_rate=3e6)
    alter("of a client of a user", {"user": "alice", "client_id": "c1"}, controller_mutation_rate=2.5)
    alter("of all clients of a user", {"client_id": DEFAULT, "user": "alice"}, producer_byte_rate=5e5)
    alter("of an address", {"ip": "127.0.0.1"}, connection_creation_rate=10.0)
    alter("of all addresses", {"ip": DEFAULT}, connection_creation_rate=5.0)
    alter("one goes, one is set", {"user": "alice"}, producer_byte_rate=None, consumer_byte_rate=7.0)
    alter("one goes that is not set", {"user": "alice"}, producer_byte_rate=None)
    alter("none of the address is left", {"ip": "127.0.0.1"}, connection_creation_rate=None)
    alter("a fraction of a byte", {"user": "alice"}, producer_byte_rate=1.5)
    alter("nothing a second", {"user": "alice"}, producer_byte_rate=0.0)
    alter("no such quota", {"user": "alice"}, no_such_rate=1.0)
    alter("an address and a user", {"ip": "127.0.0.1", "user": "alice"}, connection_creation_rate=1.0)
    alter("no such entity", {"host": "a"}, producer_byte_rate=1.0)


def _configs(r: Recorder) -> None:
    r.create("a topic", "t", [[1, 2]], retention_ms="1000")
    for kind, name, values in (
        (TOPIC, "t", {"cleanup_policy": "compact"}),
        (BROKER, "", {"log_retention_ms": "5000"}),
        (BROKER, "1", {"log_cleaner_threads": "2"}),
        (BROKER, "101", {"log_cleaner_threads": "2"}),
        (BROKER, "9", {"log_cleaner_threads": "2"}),
        (CLIENT_METRICS, "m", {"interval_ms": "100"}),
        (GROUP, "g", {"consumer_session_timeout_ms": "50000"}),
    ):
        r.configure(f"set, {kind} {name}", kind, name, **values)
        r.configure(f"unset, {kind} {name}", kind, name, **dict.fromkeys(values))
        r.configure(f"unset again, {kind} {name}", kind, name, **dict.fromkeys(values))

    def replace(step: str, kind: int, name: str, **values: str) -> None:
        configs = [{"name": key.replace("_", "."), "value": value} for key, value in values.items()]
        resource = {"resource_type": kind, "resource_name": name, "configs": configs}
        r.ask(step, "AlterConfigs", 2, resources=[resource], validate_only=False)

    replace("replace a topic's", TOPIC, "t", max_message_bytes="2000")
    replace("replace all brokers'", BROKER, "", log_retention_ms="6000", min_insync_replicas="1")
    replace("replace a topic's by nothing", TOPIC, "t")


def _controllers(r: Recorder) -> None:
    def register(step: str, controller_id: int, incarnation: int, port: int = 9999, **changes: Any) -> None:
        listener = {"name": "CONTROLLER", "host": "localhost", "port": port, "security_protocol": 0}
        features = [{"name": "metadata.version", "min_supported_version": 7, "max_supported_version": 30}]
        values = {
            "controller_id": controller_id,
            "incarnation_id": bytes([0x30, incarnation]) + b"\x03" * 14,
            "zk_migration_ready": False,
            "listeners": [listener],
            "features": features,
            **changes,
        }
        r.ask(step, "ControllerRegistration", 0, **values)

    register("another controller", 102, 1)
    register("the same life again", 102, 1)
    register("its next life, elsewhere", 102, 2, port=9998)
    register("it knows less", 102, 3, features=[])
    register("it knows all again", 102, 4)


def _features(r: Recorder) -> None:
    _update(r, "share groups go", SAFE_DOWNGRADE, share_version=0)
    _update(r, "and come back", UPGRADE, share_version=1)
    _update(r, "as it is", UPGRADE, share_version=1)
    _update(r, "two at once", SAFE_DOWNGRADE, group_version=0, streams_version=0)
    _update(r, "of two one too high", UPGRADE, group_version=1, streams_version=9)
    _update(r, "both again", UPGRADE, group_version=1, streams_version=1)
    _update(r, "transactions of old", SAFE_DOWNGRADE, transaction_version=0)
    _update(r, "a downgrade that is called an upgrade", UPGRADE, share_version=0)
    _update(r, "an upgrade that is called a downgrade", SAFE_DOWNGRADE, transaction_version=2)
    _update(r, "transactions of today", UPGRADE, transaction_version=2)
    _update(r, "no such feature", UPGRADE, no_such_version=1)
    _update(r, "eligible leaders go", SAFE_DOWNGRADE, eligible_leader_replicas_version=0)
    _update(r, "eligible leaders come back", UPGRADE, eligible_leader_replicas_version=1)


def _older_level(r: Recorder) -> None:
    """At the metadata.version of 4.2: a broker's registration has no cordoned directories."""
    _update(r, "the level of 4.2", SAFE_DOWNGRADE, metadata_version=29)
    _update(r, "a level that loses metadata", SAFE_DOWNGRADE, metadata_version=16)
    r.register("broker 3 registers", 3)
    r.beat("broker 3 is unfenced", 3)
    r.beat("broker 3 tells of a cordoned directory", 3, cordoned_log_dirs=[bytes(15) + b"\x09"])
    r.create("a topic at that level", "older", [[3, 1], [1, 3]], min_insync_replicas="2")
    r.beat("broker 3 is fenced", 3, fence=True)
    topic_id = r.image.topics.by_name["older"].topic_id
    r.ask("delete by id", "DeleteTopics", 6, topics=[{"name": None, "topic_id": topic_id}], timeout_ms=30000)
    both = [{"name": name, "topic_id": bytes(16)} for name in ("t", "none")]
    r.ask("delete one that is and one that is not", "DeleteTopics", 6, topics=both, timeout_ms=30000)
    _update(r, "the level of 4.3", UPGRADE, metadata_version=30)


def _update(r: Recorder, step: str, upgrade_type: int, **levels: int) -> None:
    updates = [
        {"feature": name.replace("_", "."), "max_version_level": level, "upgrade_type": upgrade_type}
        for name, level in levels.items()
    ]
    r.ask(step, "UpdateFeatures", 2, feature_updates=updates, timeout_ms=30000, validate_only=False)

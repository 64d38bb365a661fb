"""APIs that a controller's listener has in common with a broker's: what tools ask with --bootstrap-controller."""

from __future__ import annotations

from typing import Any

from compat.differential.cases import case
from compat.differential.run import Peer, Run
from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest
from klamm.kproto.messages.alter_configs import AlterConfigsRequest
from klamm.kproto.messages.api_versions import ApiVersionsRequest
from klamm.kproto.messages.create_partitions import CreatePartitionsRequest
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest
from klamm.kproto.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest
from klamm.kproto.messages.incremental_alter_configs import IncrementalAlterConfigsRequest
from klamm.kproto.messages.sasl_authenticate import SaslAuthenticateRequest
from klamm.kproto.messages.sasl_handshake import SaslHandshakeRequest
from klamm.kproto.messages.update_features import UpdateFeaturesRequest

TOPIC, BROKER = 2, 4


@case
def who_is_there(run: Run) -> None:
    peer = run.controller()
    for version in peer.versions(ApiVersionsRequest):
        peer.ask(ApiVersionsRequest, version, "advertised", client_software_name="c", client_software_version="1")
        peer.ask(ApiVersionsRequest, version, "no name", client_software_name="", client_software_version="1")
    for version in peer.versions(SaslHandshakeRequest):
        for mechanism in ("PLAIN", ""):
            peer.ask(SaslHandshakeRequest, version, repr(mechanism), mechanism=mechanism)
    for version in peer.versions(SaslAuthenticateRequest):
        peer.ask(SaslAuthenticateRequest, version, "without TLS or SASL", auth_bytes=b"\0user\0password")
    for version in peer.versions(DescribeClusterRequest):
        for kind in (1, 2, 3):
            for operations in (False, True):
                peer.ask(DescribeClusterRequest, version, f"endpoints {kind}, operations {operations}",
                         endpoint_type=kind, include_cluster_authorized_operations=operations)  # fmt: skip
    for version in peer.versions(DescribeQuorumRequest):
        for name, indexes in (("__cluster_metadata", [0]), ("__cluster_metadata", [1]), ("other", [0]), ("", [])):
            rows = [{"topic_name": name, "partitions": [{"partition_index": i} for i in indexes]}]
            peer.ask(DescribeQuorumRequest, version, f"{name!r} {indexes}", topics=rows)
        peer.ask(DescribeQuorumRequest, version, "nothing", topics=[])


def _create(peer: Peer, version: int, note: str, *names: str, only: bool = False, partitions: int = 1,
            replicas: int = 1) -> None:  # fmt: skip
    rows = [
        {"name": name, "num_partitions": partitions, "replication_factor": replicas, "assignments": [], "configs": []}
        for name in names
    ]
    peer.ask(CreateTopicsRequest, version, note, topics=rows, timeout_ms=30000, validate_only=only)


@case
def topics(run: Run) -> None:
    peer = run.controller()
    for version in peer.versions(CreateTopicsRequest):
        name = run.new_name()
        _create(peer, version, "only validated", name, only=True)
        _create(peer, version, "one", name)
        _create(peer, version, "again", name)
        _create(peer, version, "twice in one", run.new_name(), name, name)
        _create(peer, version, "none")
        for bad in ("", "a/b", "..", "__cluster_metadata"):
            _create(peer, version, f"name {bad!r}", bad)
        _create(peer, version, "two replicas", run.new_name(), replicas=2)
        _create(peer, version, "no partitions", run.new_name(), partitions=0)
    for version in peer.versions(CreatePartitionsRequest):
        name = run.topic().name
        for note, topic, count, only in (("only validated", name, 3, True), ("more", name, 3, False),
                                         ("fewer", name, 1, False), ("negative", name, -1, False),
                                         ("unknown topic", "no.such.topic", 3, False)):  # fmt: skip
            row = {"name": topic, "count": count, "assignments": None}
            peer.ask(CreatePartitionsRequest, version, note, topics=[row], timeout_ms=30000, validate_only=only)
        peer.ask(CreatePartitionsRequest, version, "none", topics=[], timeout_ms=30000, validate_only=False)
    for version in peer.versions(DeleteTopicsRequest, high=5):
        name = run.topic().name
        for names in ([name], [name], ["no.such.topic"], [""], [], [name, name]):
            peer.ask(DeleteTopicsRequest, version, str(names), topic_names=names, timeout_ms=30000)
    for version in peer.versions(DeleteTopicsRequest, low=6):
        first, second = run.topic(), run.topic()
        for note, by_name, topic_id in (("by name", first.name, bytes(16)), ("by id", None, second.topic_id),
                                     ("by neither", None, bytes(16)), ("unknown id", None, b"\x11" * 16),
                                     ("by both", second.name, second.topic_id)):  # fmt: skip
            rows = [{"name": by_name, "topic_id": topic_id}]
            peer.ask(DeleteTopicsRequest, version, note, topics=rows, timeout_ms=30000)


@case
def settings(run: Run) -> None:
    peer = run.controller()
    name = run.topic(cleanup_policy="compact").name
    for version in peer.versions(DescribeConfigsRequest):
        for note, kind, of, keys in (("a broker", BROKER, "1", ["num.partitions"]), ("no broker", BROKER, "", []),
                                     ("another broker", BROKER, "9", ["num.partitions"]),
                                     ("a topic", TOPIC, name, ["cleanup.policy", "no.such.key"]),
                                     ("an unknown topic", TOPIC, "no.such.topic", None),
                                     ("an unknown kind", 7, "1", None)):  # fmt: skip
            asked = {"resource_type": kind, "resource_name": of, "configuration_keys": keys}
            peer.ask(DescribeConfigsRequest, version, note, resources=[asked], include_synonyms=True)
    for cls in (AlterConfigsRequest, IncrementalAlterConfigsRequest):
        for version in peer.versions(cls):
            for note, kind, of, key, value in (
                ("a topic", TOPIC, name, "retention.ms", "5"), ("a bad value", TOPIC, name, "retention.ms", "x"),
                ("an unknown key", TOPIC, name, "no.such", "1"), ("no value", TOPIC, name, "retention.ms", None),
                ("an unknown topic", TOPIC, "no.such.topic", "retention.ms", "5"),
                ("all brokers", BROKER, "", "log.cleaner.threads", "1"),
                ("a bad number of a broker", BROKER, "x", "log.cleaner.threads", "1"),
                ("an unknown kind", 7, "1", "a", "b"),
            ):  # fmt: skip
                row: dict[str, Any] = {"name": key, "value": value}
                if cls is IncrementalAlterConfigsRequest:
                    row["config_operation"] = 0
                asked = {"resource_type": kind, "resource_name": of, "configs": [row]}
                peer.ask(cls, version, note, resources=[asked], validate_only=True)
            peer.ask(cls, version, "nothing", resources=[], validate_only=True)


@case
def quotas_and_features(run: Run) -> None:
    peer = run.controller()
    for version in peer.versions(AlterClientQuotasRequest):
        for note, kind, key, value in (("a user", "user", "producer_byte_rate", 1000.0),
                                       ("an unknown key", "user", "no_such_rate", 1.0),
                                       ("a negative rate", "user", "producer_byte_rate", -1.0),
                                       ("an unknown kind", "planet", "producer_byte_rate", 1.0)):  # fmt: skip
            entry = {"entity": [{"entity_type": kind, "entity_name": "compat"}],
                     "ops": [{"key": key, "value": value, "remove": False}]}  # fmt: skip
            peer.ask(AlterClientQuotasRequest, version, note, entries=[entry], validate_only=True)
        peer.ask(AlterClientQuotasRequest, version, "nothing", entries=[], validate_only=True)
    for version in peer.versions(UpdateFeaturesRequest):
        for feature, level in (("no.such.feature", 1), ("metadata.version", 999), ("group.version", 1)):
            update = {"feature": feature, "max_version_level": level, "upgrade_type": 1, "allow_downgrade": False}
            peer.ask(UpdateFeaturesRequest, version, f"{feature} {level}", feature_updates=[update], timeout_ms=30000,
                     validate_only=True)  # fmt: skip
    for version in peer.versions(DescribeUserScramCredentialsRequest):
        for users in (None, [], ["nobody"], ["nobody", "nobody"], [""]):
            rows = None if users is None else [{"name": user} for user in users]
            with peer.patience(2.0):
                peer.ask(DescribeUserScramCredentialsRequest, version, str(users), users=rows)

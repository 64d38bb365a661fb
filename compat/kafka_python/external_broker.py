"""A pytest plugin that puts brokers of ours under kafka-python's own integration tests.

Those tests ask `test.integration.fixtures` for brokers; their source distribution has that module, but not the broker
scripts and templates behind it. This plugin stands in for the module before it is imported; the tests and the rest of
their fixtures run as they are. Brokers get the settings those tests were written for, and nothing that would ease them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from compat.targets import KafkaTarget, KlammTarget, free_port

USER, PASSWORD = "alice", "alice-secret"
HOST = "127.0.0.1"
_TARGETS = {"klamm": KlammTarget, "kafka": KafkaTarget}

# `test_group` has sessions of three seconds, below the default minimum; node 0 is what `create_partitions` assigns.
SETTINGS = {"node.id": "0", "group.min.session.timeout.ms": "1000", "offsets.topic.num.partitions": "2"}
# Where the authorizer is missing, the tests of ACLs fail, and nothing else does.
KAFKA_SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
_MODULE = "org.apache.kafka.common.security"


class ExternalBroker:
    """What the tests use of a broker fixture, over a target: plain, SASL_PLAINTEXT (one mechanism) or SSL."""

    kind = "klamm"

    def __init__(self, transport: str, sasl_mechanism: str | None, partitions: int) -> None:
        self.host = HOST
        self.transport = transport
        self.sasl_mechanism = sasl_mechanism
        self.partitions = partitions
        self.replicas = 1
        self.zookeeper = None
        settings = SETTINGS | {"num.partitions": str(partitions)}
        self.child = self._target = _TARGETS[self.kind](settings | (KAFKA_SETTINGS if self.kind == "kafka" else {}))
        self._target.dump_logs = lambda: print(self._target.log_tail())
        self.ssl_dir = str(self._target.directory)
        self.port = self._target.port
        # The listener's name is spelt out, as the tests expect `advertised.listeners` to be set in the broker's file.
        listeners = {"PLAINTEXT": self._target.port}
        if transport != "PLAINTEXT":
            self.port = listeners[transport] = free_port()
        self._listen(listeners)
        self._target.start()
        if sasl_mechanism and sasl_mechanism.startswith("SCRAM"):
            self._add_scram_user(sasl_mechanism)

    @classmethod
    def instance(cls, broker_id: int, transport: str = "PLAINTEXT", sasl_mechanism: str | None = None,
                 partitions: int = 4, tmp_dir: object = None) -> ExternalBroker:  # fmt: skip
        """The call by which the tests get a broker. `tmp_dir` is theirs to offer: a target has its own directory."""
        assert broker_id == 0
        return cls(transport, sasl_mechanism, partitions)

    def start(self) -> None:
        """It runs since it was made."""

    def close(self) -> None:
        self._target.stop()
        self._target.remove()

    def bootstrap_server(self) -> str:
        return f"{self.host}:{self.port}"

    def get_topic_names(self) -> list[str]:
        from kafka import KafkaAdminClient

        with KafkaAdminClient(**self._enrich_client_params({})) as admin:
            return list(admin.list_topics())

    def _enrich_client_params(self, params: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
        """Client settings that reach this broker, under those given (the name is one the tests call)."""
        ours: dict[str, Any] = {"bootstrap_servers": self.bootstrap_server(), "security_protocol": self.transport}
        if self.sasl_mechanism:
            ours |= {"sasl_mechanism": self.sasl_mechanism}
            ours |= {"sasl_plain_username": USER, "sasl_plain_password": PASSWORD}
        if self.transport == "SSL":
            ours |= {"ssl_cafile": f"{self.ssl_dir}/ca-cert", "ssl_check_hostname": False}
        return ours | defaults | dict(params)

    def _listen(self, listeners: Mapping[str, int]) -> None:
        ours = ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())
        settings = {"advertised.listeners": ours}
        if len(listeners) > 1:
            settings |= {"listeners": ours, "inter.broker.listener.name": "PLAINTEXT"}
        if self.sasl_mechanism:
            login = "plain.PlainLoginModule" if self.sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
            users = f' user_{USER}="{PASSWORD}"' if self.sasl_mechanism == "PLAIN" else ""
            settings["sasl.enabled.mechanisms"] = self.sasl_mechanism
            jaas = f"listener.name.sasl_plaintext.{self.sasl_mechanism.lower()}.sasl.jaas.config"
            settings[jaas] = f"{_MODULE}.{login} required{users};"
        if self.transport == "SSL":
            settings |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(self._make_certificates())}
        if isinstance(self._target, KafkaTarget):
            if "listeners" in settings:
                controller = self._target.properties["listeners"].rpartition(",")[2]
                settings["listeners"] += f",{controller}"
                protocols = ",".join(f"{name}:{name}" for name in listeners)
                settings["listener.security.protocol.map"] = f"{protocols},CONTROLLER:PLAINTEXT"
            self._target.properties.update(settings)
        else:
            self._target.overrides.update(settings)

    def _make_certificates(self) -> Path:
        """A certificate authority and a server's key and certificate, as one PEM file; the path of the latter."""
        folder: Path = self._target.directory
        make_ca = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=compat -keyout ca-key -out ca-cert"
        request = "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out request"
        sign = "x509 -req -days 2 -CA ca-cert -CAkey ca-key -CAcreateserial -in request -out cert"
        for command in (make_ca, request, sign):
            subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
        store = folder / "server.pem"
        store.write_text((folder / "key").read_text() + (folder / "cert").read_text())
        return store

    def _add_scram_user(self, mechanism: str) -> None:
        from kafka import KafkaAdminClient
        from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

        kind = ScramMechanism[mechanism.replace("-", "_")]
        with KafkaAdminClient(bootstrap_servers=self._target.bootstrap) as admin:
            admin.alter_user_scram_credentials([UserScramCredentialUpsertion(USER, kind, PASSWORD)])


def create_topics(broker: ExternalBroker, topic_names: Iterable[str], num_partitions: int | None = None,
                  replication_factor: int | None = None) -> None:  # fmt: skip
    """Create topics with the broker's defaults unless told otherwise, and wait until Metadata shows them."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic

    partitions = broker.partitions if num_partitions is None else num_partitions
    topics = [NewTopic(name, partitions, replication_factor or broker.replicas) for name in topic_names]
    with KafkaAdminClient(**broker._enrich_client_params({})) as admin:
        admin.create_topics(topics, wait_for_metadata=True)


def client_params(broker: ExternalBroker, client_id: str = "client", **overrides: Any) -> dict[str, Any]:
    """Settings of a client for the broker, with a client id that tells the test."""
    return broker._enrich_client_params(overrides, client_id=client_id)


def install(sdist: Path) -> None:
    """Make `test` mean the distribution's folder (not the standard library's) and its fixtures module mean ours."""
    package = types.ModuleType("test")
    package.__path__ = [str(sdist / "test")]
    fixtures = types.ModuleType("test.integration.fixtures")
    fixtures.__dict__.update(
        KafkaFixture=ExternalBroker, ZookeeperFixture=None, create_topics=create_topics, client_params=client_params
    )
    sys.modules |= {"test": package, "test.integration.fixtures": fixtures}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", choices=sorted(_TARGETS), default="klamm")
    parser.addoption("--sdist", type=Path, required=True, help="the unpacked source distribution")
    parser.addoption("--outcomes", type=Path, required=True, help="where the outcome of each test goes, as JSON")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    options = early_config.known_args_namespace
    ExternalBroker.kind = options.target
    install(options.sdist)


_outcomes: dict[str, dict[str, str]] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst outcome of a test's phases, and its first line of explanation."""
    name = report.nodeid.rpartition("test/integration/")[2]
    if report.when == "call" or report.outcome != "passed":
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        reason = next((line for line in text.splitlines() if line.startswith("E ")), text.strip()[-200:])
        if _outcomes.get(name, {}).get("outcome") != "failed":
            _outcomes[name] = {"outcome": report.outcome, "reason": reason.removeprefix("E").strip()}


def pytest_sessionfinish(session: pytest.Session) -> None:
    session.config.getoption("--outcomes").write_text(json.dumps(_outcomes, indent=1))

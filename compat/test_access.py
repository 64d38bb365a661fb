"""The kit gets into real Kafka by TLS and by every mechanism of SASL that it knows, and is told when it does not."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from compat.access import MECHANISMS, SCRAM, Access
from compat.differential.cases import all_cases
from compat.external import ExternalTarget
from compat.kit.pairs import SETTINGS, pair_of
from compat.kit.running import run_case
from compat.providers import OwnedTarget, make
from compat.targets import KafkaTarget, free_port
from klamm.cli.main import main

pytestmark = pytest.mark.needs("java", "mvn", "openssl")

USER, PASSWORD = "al=ice", "pass word=1"
"""With a character that SCRAM escapes in names."""
_MODULE: Final = "org.apache.kafka.common.security"
_PROTOCOLS: Final = {"OPEN": "SASL_PLAINTEXT", "SEALED": "SASL_SSL", "ENCRYPTED": "SSL", "MUTUAL": "SSL"}
CASES = ("topics.create_partitions", "offsets.commit_and_fetch", "produce.bad_records")


class GuardedKafka(KafkaTarget):
    """Real Kafka with a plain listener and four more: SASL, SASL over TLS, TLS, and TLS that asks for a certificate."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.ports = {name: free_port() for name in _PROTOCOLS}
        self._make_certificates()
        listeners = [f"{name}://127.0.0.1:{port}" for name, port in self.ports.items()]
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **_PROTOCOLS}
        self.properties |= {
            "listeners": ",".join([self.properties["listeners"], *listeners]),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in protocols.items()),
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificate),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
            "listener.name.mutual.ssl.client.auth": "required",
        }
        for name in ("open", "sealed"):
            login = f'{_MODULE}.plain.PlainLoginModule required "user_{USER}"="{PASSWORD}";'
            self.properties[f"listener.name.{name}.plain.sasl.jaas.config"] = login
            for mechanism in SCRAM:
                key = f"listener.name.{name}.{mechanism.lower()}.sasl.jaas.config"
                self.properties[key] = f"{_MODULE}.scram.ScramLoginModule required;"

    @property
    def authority(self) -> Path:
        return self.directory / "cert"

    @property
    def certificate(self) -> Path:
        """With its key; clients may show it, too."""
        return self.directory / "server.pem"

    def _make_certificates(self) -> None:
        command = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key -out cert -subj /CN=127.0.0.1 "
            "-addext subjectAltName=IP:127.0.0.1"
        )
        subprocess.run(command.split(), cwd=self.directory, check=True, capture_output=True)
        self.certificate.write_text((self.directory / "key").read_text() + self.authority.read_text())

    def _format_arguments(self) -> Sequence[str]:
        users = [f'{mechanism}=[name="{USER}",password="{PASSWORD}"]' for mechanism in SCRAM]
        return [*super()._format_arguments(), *(part for user in users for part in ("--add-scram", user))]

    def address(self, listener: str) -> str:
        return f"127.0.0.1:{self.ports[listener]}"


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedKafka]:
    target = GuardedKafka()
    try:
        with target:
            yield target
    finally:
        target.remove()


@pytest.fixture(scope="module")
def plain() -> Iterator[OwnedTarget]:
    target = make("kafka", SETTINGS)
    try:
        with target:
            yield target
    finally:
        target.remove()


def _assert_equal(left: ExternalTarget, right: OwnedTarget) -> None:
    left.start()
    pair = pair_of(left, right)
    for case in CASES:
        ran = run_case(pair, case, all_cases()[case], pair.plan(is_short=True))
        assert (ran.broken, ran.cut, ran.differences) == ("", "", []), case
        assert len(ran.left) > 20


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("listener", ["OPEN", "SEALED"])
def test_behind_sasl(guarded: GuardedKafka, plain: OwnedTarget, listener: str, mechanism: str) -> None:
    tls = ssl.create_default_context(cafile=guarded.authority) if listener == "SEALED" else None
    access = Access(tls, mechanism, USER, PASSWORD)
    _assert_equal(ExternalTarget(guarded.address(listener), access), plain)


@pytest.mark.parametrize("listener", ["ENCRYPTED", "MUTUAL"])
def test_behind_tls(guarded: GuardedKafka, plain: OwnedTarget, listener: str) -> None:
    tls = ssl.create_default_context(cafile=guarded.authority)
    if listener == "MUTUAL":
        tls.load_cert_chain(guarded.certificate)
    _assert_equal(ExternalTarget(guarded.address(listener), Access(tls)), plain)


def test_the_command(guarded: GuardedKafka, tmp_path: Path) -> None:
    password, card = tmp_path / "password", tmp_path / "card.json"
    password.write_text(f"{PASSWORD}\n")
    arguments = [
        "compat", "run", "--bootstrap", guarded.address("SEALED"), "--short", "--only", CASES[0], "--no-suites",
        "--json", str(card), "--tls-ca", str(guarded.authority), "--sasl", "SCRAM-SHA-512", "--user", USER,
        "--password-file", str(password),
    ]  # fmt: skip
    assert main(arguments) == 0
    report = json.loads(card.read_text())
    assert report["answers"] == report["equal"] > 20


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password(
    guarded: GuardedKafka, mechanism: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    password = tmp_path / "password"
    password.write_text("wrong")
    arguments = ["compat", "run", "--bootstrap", guarded.address("OPEN"), "--only", CASES[0], "--no-suites", "--sasl",
                 mechanism, "--user", USER, "--password-file", str(password)]  # fmt: skip
    assert main(arguments) == 2
    assert "Authentication failed" in capsys.readouterr().err


@pytest.mark.parametrize(("listener", "with_authority"), [("ENCRYPTED", False), ("MUTUAL", True), ("OPEN", True)])
def test_a_door_that_stays_shut(guarded: GuardedKafka, listener: str, with_authority: bool) -> None:
    """An unknown authority, no certificate of one's own, and TLS where none is spoken."""
    tls = ssl.create_default_context(cafile=guarded.authority if with_authority else None)
    with pytest.raises(RuntimeError, match=guarded.address(listener)):
        ExternalTarget(guarded.address(listener), Access(tls)).start()

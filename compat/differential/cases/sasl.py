"""SaslHandshake and SaslAuthenticate on a listener without SASL."""

from __future__ import annotations

from compat.differential.cases import case
from compat.differential.run import Run
from klamm.kproto.messages.sasl_authenticate import SaslAuthenticateRequest
from klamm.kproto.messages.sasl_handshake import SaslHandshakeRequest


@case
def handshake(run: Run) -> None:
    for version in run.versions(SaslHandshakeRequest):
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "NONE", ""):
            run.ask(SaslHandshakeRequest, version, mechanism, mechanism=mechanism)


@case
def authenticate(run: Run) -> None:
    for version in run.versions(SaslAuthenticateRequest):
        for data in (b"", b"\0user\0password"):
            run.ask(SaslAuthenticateRequest, version, f"{len(data)} bytes", auth_bytes=data)

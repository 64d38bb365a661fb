"""How the kit gets in: TLS and SASL (PLAIN, SCRAM) on the connections to a broker that it did not start."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import ssl
from typing import Final, NamedTuple

from klamm.kproto.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from klamm.kproto.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from klamm.testing.wire import WireClient

SCRAM: Final = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
MECHANISMS: Final = ("PLAIN", *SCRAM)


class Access(NamedTuple):
    """Credentials. `tls`: None for plain text; `mechanism`: "" for no SASL."""

    tls: ssl.SSLContext | None = None
    mechanism: str = ""
    username: str = ""
    password: str = ""


OPEN: Final = Access()


def connect(bootstrap: str, timeout_s: float, client_id: str, access: Access = OPEN) -> WireClient:
    """A connection that has authenticated. Raises PermissionError when the broker refuses the credentials."""
    wire = WireClient(bootstrap, timeout_s, client_id, access.tls)
    try:
        if access.mechanism:
            _authenticate(wire, access)
    except BaseException:
        wire.close()
        raise
    return wire


def _authenticate(wire: WireClient, access: Access) -> None:
    answer = wire.ask(SaslHandshakeRequest(mechanism=access.mechanism), 1, SaslHandshakeResponse)
    if answer.error_code:
        raise PermissionError(f"SASL {access.mechanism} is refused; the broker knows {', '.join(answer.mechanisms)}")
    if access.mechanism == "PLAIN":
        _say(wire, f"\0{access.username}\0{access.password}".encode())
    else:
        _scram(wire, access)


def _say(wire: WireClient, data: bytes) -> bytes:
    answer = wire.ask(SaslAuthenticateRequest(auth_bytes=data), 1, SaslAuthenticateResponse)
    if answer.error_code:
        raise PermissionError(f"SASL: error {answer.error_code}, {answer.error_message}")
    return bytes(answer.auth_bytes)


def _scram(wire: WireClient, access: Access) -> None:
    """RFC 5802, without channel binding."""
    name = access.username.replace("=", "=3D").replace(",", "=2C")
    first = f"n={name},r={secrets.token_urlsafe(24)}"
    challenge = _say(wire, f"n,,{first}".encode()).decode()
    proof, signature = scram_proof(SCRAM[access.mechanism], access.password, first, challenge)
    final = dict(part.split("=", 1) for part in _say(wire, proof.encode()).decode().split(","))
    if not hmac.compare_digest(final.get("v", ""), signature):
        raise PermissionError("SASL: the broker does not know the password either")


def scram_proof(algorithm: str, password: str, first: str, challenge: str) -> tuple[str, str]:
    """The client's last message, and the signature (base64) that the server must answer with."""
    told = dict(part.split("=", 1) for part in challenge.split(","))
    salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), base64.b64decode(told["s"]), int(told["i"]))
    client_key = hmac.digest(salted, b"Client Key", algorithm)
    without_proof = f"c=biws,r={told['r']}"
    signed = f"{first},{challenge},{without_proof}".encode()
    mask = hmac.digest(hashlib.new(algorithm, client_key).digest(), signed, algorithm)
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, mask, strict=True))).decode()
    server = hmac.digest(hmac.digest(salted, b"Server Key", algorithm), signed, algorithm)
    return f"{without_proof},p={proof}", base64.b64encode(server).decode()

"""kafka-configs for users, clients and addresses: quotas set, shown and removed."""

from __future__ import annotations

import pytest

from compat.java.tools import Cli
from compat.scenario import free_name

pytestmark = pytest.mark.needs("java", "javac", "mvn")


def _entity(*names: tuple[str, str | None]) -> list[str]:
    arguments = []
    for kind, name in names:
        arguments += ["--entity-type", kind]
        arguments += ["--entity-default"] if name is None else ["--entity-name", name] if name else []
    return arguments


def _set(cli: Cli, *entity: tuple[str, str | None], **rates: float) -> None:
    values = ",".join(f"{key}={value}" for key, value in rates.items())
    out = cli.ok("kafka-configs", "--alter", *_entity(*entity), "--add-config", values).out
    assert "Completed updating" in out


def _remove(cli: Cli, *entity: tuple[str, str | None], keys: str) -> None:
    out = cli.ok("kafka-configs", "--alter", *_entity(*entity), "--delete-config", keys).out
    assert "Completed updating" in out


def _shown(cli: Cli, *entity: tuple[str, str | None]) -> dict[str, set[str]]:
    """Who -> "key=value"."""
    lines = cli.ok("kafka-configs", "--describe", *_entity(*entity)).lines
    split = (line.removeprefix("Quota configs for ").split(" are ") for line in lines)
    return {who: set(quotas.split(", ")) for who, quotas in split}


def test_users_and_clients(cli: Cli) -> None:
    user, client = free_name("user"), free_name("client")
    _set(cli, ("users", user), producer_byte_rate=1048576, consumer_byte_rate=2097152, request_percentage=200)
    _set(cli, ("users", user), ("clients", client), producer_byte_rate=1000000)
    _set(cli, ("users", user), ("clients", None), controller_mutation_rate=1000.5)
    _set(cli, ("clients", client), consumer_byte_rate=5000000)
    whole = {"producer_byte_rate=1048576.0", "consumer_byte_rate=2097152.0", "request_percentage=200.0"}
    of_user, of_client = f"user-principal '{user}'", f"client-id '{client}'"
    both = {
        f"{of_user}, {of_client}": {"producer_byte_rate=1000000.0"},
        f"{of_user}, the default client-id": {"controller_mutation_rate=1000.5"},
    }
    assert _shown(cli, ("users", user)) == {of_user: whole}
    assert _shown(cli, ("users", ""))[of_user] == whole
    assert _shown(cli, ("users", user), ("clients", "")) == both
    assert _shown(cli, ("users", user), ("clients", client)) == dict([next(iter(both.items()))])
    assert _shown(cli, ("clients", "")) == {of_client: {"consumer_byte_rate=5000000.0"}}
    _set(cli, ("users", user), producer_byte_rate=7)
    _remove(cli, ("users", user), keys="consumer_byte_rate,request_percentage")
    assert _shown(cli, ("users", user)) == {of_user: {"producer_byte_rate=7.0"}}
    _remove(cli, ("users", user), keys="producer_byte_rate")
    _remove(cli, ("users", user), ("clients", client), keys="producer_byte_rate")
    _remove(cli, ("users", user), ("clients", None), keys="controller_mutation_rate")
    _remove(cli, ("clients", client), keys="consumer_byte_rate")
    assert _shown(cli, ("users", user)) == _shown(cli, ("users", user), ("clients", "")) == {}


def test_defaults(cli: Cli) -> None:
    _set(cli, ("users", None), request_percentage=1000.5)
    _set(cli, ("clients", None), producer_byte_rate=100000000)
    assert _shown(cli, ("users", None)) == {"the default user-principal": {"request_percentage=1000.5"}}
    assert _shown(cli, ("clients", None)) == {"the default client-id": {"producer_byte_rate=1.0E8"}}
    _remove(cli, ("users", None), keys="request_percentage")
    _remove(cli, ("clients", None), keys="producer_byte_rate")
    assert _shown(cli, ("users", "")) == _shown(cli, ("clients", "")) == {}


def test_addresses(cli: Cli) -> None:
    for name in ("127.0.0.2", None):
        _set(cli, ("ips", name), connection_creation_rate=100)
    named, default = (
        {"ip '127.0.0.2'": {"connection_creation_rate=100.0"}},
        {"the default ip": {"connection_creation_rate=100.0"}},
    )
    assert _shown(cli, ("ips", "127.0.0.2")) == named and _shown(cli, ("ips", None)) == default
    assert _shown(cli, ("ips", "")) == {**named, **default}
    for name in ("127.0.0.2", None):
        _remove(cli, ("ips", name), keys="connection_creation_rate")
    assert _shown(cli, ("ips", "")) == {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("0", "Quota producer_byte_rate must be greater than 0"),
        ("1.5", "producer_byte_rate cannot be a fractional value."),
        ("1E20", "Proposed value for producer_byte_rate is too large for a LONG."),
    ],
)
def test_refusals(cli: Cli, value: str, reason: str) -> None:
    user = free_name("user")
    said = cli.refused(
        "kafka-configs", "--alter", *_entity(("users", user)), "--add-config", f"producer_byte_rate={value}"
    )
    assert f"InvalidRequestException: {reason}" in said
    assert _shown(cli, ("users", user)) == {}

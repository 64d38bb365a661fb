"""AlterClientQuotas, DescribeClientQuotas, and what the tool that shows quotas asks besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compat.differential.cases import case
from compat.differential.run import Run
from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest
from klamm.kproto.messages.describe_client_quotas import DescribeClientQuotasRequest
from klamm.kproto.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest

EXACT, DEFAULT, ANY = 0, 1, 2
KEYS = (
    "producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate",
    "connection_creation_rate",
)  # fmt: skip
Entity = Sequence[tuple[str, str | None]]
Op = tuple[str, float | None]
"""(key, value); a value of None removes the key."""


def _alter(run: Run, version: int, note: str, *entries: tuple[Entity, Sequence[Op]], only: bool = False) -> None:
    rows = [
        {
            "entity": [{"entity_type": kind, "entity_name": name} for kind, name in entity],
            "ops": [{"key": key, "value": value or 0.0, "remove": value is None} for key, value in ops],
        }
        for entity, ops in entries
    ]
    run.ask(AlterClientQuotasRequest, version, note, entries=rows, validate_only=only)


def _describe(run: Run, version: int, note: str, *components: tuple[str, int, str | None], strict: bool = False) -> Any:
    rows = [{"entity_type": kind, "match_type": match_type, "match": match} for kind, match_type, match in components]
    return run.ask(DescribeClientQuotasRequest, version, note, components=rows, strict=strict)


def _forget(run: Run) -> None:
    """Remove every quota: what is set here holds for the whole broker."""
    run.settle()
    found = run.quiet(DescribeClientQuotasRequest, 1, components=[], strict=False).entries or []
    rows = [
        {
            "entity": [{"entity_type": e.entity_type, "entity_name": e.entity_name} for e in entry.entity],
            "ops": [{"key": value.key, "value": 0.0, "remove": True} for value in entry.values],
        }
        for entry in found
    ]
    run.quiet(AlterClientQuotasRequest, 1, entries=rows, validate_only=False)
    run.settle()


@case
def set_and_described(run: Run) -> None:
    entities: Sequence[Entity] = (
        [("user", "u")], [("user", None)], [("client-id", "c")], [("client-id", None)], [("ip", "127.0.0.2")],
        [("ip", None)], [("ip", "::2")], [("user", "u"), ("client-id", "c")], [("client-id", None), ("user", "u")],
        [("user", None), ("client-id", "c")], [("user", None), ("client-id", None)], [("user", "<default>")],
        [("user", "with space/and=more")],
    )  # fmt: skip
    for version in run.versions(AlterClientQuotasRequest):
        for i, entity in enumerate(entities):
            key = "connection_creation_rate" if entity[0][0] == "ip" else KEYS[i % 4]
            _alter(run, version, f"{entity}, only validated", (entity, [(key, 1e9 + i)]), only=True)
            _alter(run, version, f"{entity}", (entity, [(key, 1e9 + i)]))
        run.settle()
        _describe(run, version, "all")
        _describe(run, version, "all, strict", strict=True)
        for kind in ("user", "client-id", "ip"):
            for strict in (False, True):
                for match_type, match in (
                    (EXACT, "u"),
                    (EXACT, "c"),
                    (EXACT, "127.0.0.2"),
                    (DEFAULT, None),
                    (ANY, None),
                ):
                    _describe(run, version, f"{kind} {match_type} {match} {strict}", (kind, match_type, match),
                              strict=strict)  # fmt: skip
                for match_type in (DEFAULT, ANY):
                    _describe(run, version, f"{kind} {match_type} and client {strict}", ("user", EXACT, "u"),
                              ("client-id", match_type, None), strict=strict)  # fmt: skip
        _forget(run)
        _describe(run, version, "nothing is left")


@case
def alter_in_steps(run: Run) -> None:
    user: Entity = [("user", "steps")]
    for version in run.versions(AlterClientQuotasRequest):

        def step(note: str, *ops: Op, entity: Entity = user, version: int = version) -> None:
            _alter(run, version, note, (entity, ops))
            run.settle()
            _describe(run, 1, "now", ("user", ANY, None))

        step("three", *[(key, 1e9) for key in KEYS[:3]])
        step("the same value again", (KEYS[0], 1e9))
        step("another value", (KEYS[0], 2e9), (KEYS[3], 1e9))
        step("one goes, one that is not there", (KEYS[0], None), ("no.such", None))
        step("one good, one bad", (KEYS[1], 5e9), ("no.such", 1.0))
        step("a key twice", (KEYS[1], 6e9), (KEYS[1], 7e9))
        step("no change")
        step("all go", *[(key, None) for key in KEYS])
        step("of nobody", (KEYS[0], None), entity=[("user", "nobody")])
        _alter(run, version, "no entries")
        _alter(run, version, "an entity twice", (user, [(KEYS[0], 1e9)]), (user, [(KEYS[1], 1e9)]))
        run.settle()
        _describe(run, 1, "after the entity twice", ("user", ANY, None))
        _alter(run, version, "good and bad", (user, [(KEYS[0], 3e9)]), ([("user", "")], [(KEYS[0], 3e9)]),
               ([("user", "two")], [(KEYS[0], 3e9)]))  # fmt: skip
        run.settle()
        _describe(run, 1, "after good and bad", ("user", ANY, None))
        _forget(run)


@case
def alter_wrong(run: Run) -> None:
    rate = [(KEYS[0], 1e9)]
    entities: Sequence[Entity] = (
        [], [("", "a")], [("topic", "a")], [("User", "a")], [("user", "")], [("client-id", "")], [("ip", "")],
        [("user", "a"), ("user", "a")], [("ip", "127.0.0.2"), ("user", "a")], [("ip", None), ("client-id", None)],
        [("ip", "127.0.0.2")], [("ip", "not an address")], [("ip", "1.2.3.4.5")], [("ip", "300.1.1.1")],
        [("user", "a"), ("topic", "b")], [("ip", "-a")],
    )  # fmt: skip
    for version in run.versions(AlterClientQuotasRequest):
        for entity in entities:
            _alter(run, version, f"{entity}", (entity, rate), only=True)
            _alter(run, version, f"{entity}, connections", (entity, [(KEYS[4], 5.0)]), only=True)
            _alter(run, version, f"{entity}, nothing", (entity, []), only=True)
        for value in (0.0, -1.0, 0.5, 1.5, 1e-9, 1.0000001, 2147483647.0, 2147483648.0, 9.3e18, 1e300, float("inf")):
            for key in (*KEYS, "no.such", ""):
                _alter(run, version, f"{key} {value}", ([("user", "a")], [(key, value)]), only=True)
            _alter(run, version, f"address {value}", ([("ip", "127.0.0.2")], [(KEYS[4], value)]), only=True)
        _describe(run, 1, "nothing was set")


@case
def describe_wrong(run: Run) -> None:
    for version in run.versions(DescribeClientQuotasRequest):
        for kind in ("", "topic", "User", "user", "ip"):
            for match_type in (-1, EXACT, DEFAULT, ANY, 3):
                for match in (None, "", "a"):
                    _describe(run, version, f"{kind!r} {match_type} {match!r}", (kind, match_type, match))
        _describe(run, version, "a type twice", ("user", EXACT, "a"), ("user", ANY, None))
        _describe(run, version, "address and user", ("ip", ANY, None), ("user", ANY, None))
        _describe(run, version, "client and address", ("client-id", DEFAULT, None), ("ip", ANY, None))
        _describe(run, version, "two faults", ("", 9, None), ("topic", 9, None))


@case
def hosts_that_nobody_knows(run: Run) -> None:
    for version in run.versions(AlterClientQuotasRequest):
        _alter(run, version, "a host", ([("ip", "no.such.host.invalid")], [(KEYS[4], 5.0)]), only=True)


@case
def scram_of_nobody(run: Run) -> None:
    for users in (None, [], ["a"], ["a", "b", "a"], [""]):
        rows = None if users is None else [{"name": name} for name in users]
        run.ask(DescribeUserScramCredentialsRequest, 0, f"{users}", users=rows)

"""kafka-consumer-groups and kafka-groups against the broker under test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.java.client import Client
from compat.java.tools import Cli
from compat.scenario import Member, free_name, wait_for

pytestmark = pytest.mark.needs("java", "javac", "mvn")

GROUPS = "kafka-consumer-groups"


def _table(lines: list[str]) -> list[dict[str, str]]:
    # The tool mixes warnings into its tables, as when a time lies after the last record.
    header, *rows = (line.split() for line in lines if not line.startswith("Warn"))
    return [dict(zip(header, row, strict=False)) for row in rows]


def _consumed(cli: Cli, topic: str, count: int) -> str:
    """A group that has consumed and committed `count` records of the topic and has no member any more."""
    group = free_name("group")
    read = cli.ok("kafka-verifiable-consumer", "--topic", topic, "--group-id", group, "--max-messages", count)
    assert sum(event["count"] for event in read.events if event["name"] == "records_consumed") == count
    assert any(event["name"] == "offsets_committed" and event["success"] for event in read.events)
    return group


@pytest.fixture
def topic(cli: Cli) -> str:
    """A topic of one partition with ten records."""
    name = free_name("grouped")
    cli.create_topic(name)
    cli.produce(name, 10)
    return name


def _offsets(cli: Cli, group: str) -> dict[tuple[str, str], tuple[str, str, str]]:
    rows = _table(cli.ok(GROUPS, "--describe", "--group", group, "--offsets").lines)
    return {
        (row["TOPIC"], row["PARTITION"]): (row["CURRENT-OFFSET"], row["LOG-END-OFFSET"], row["LAG"])
        for row in rows
        if row["GROUP"] == group
    }


def test_list_and_describe_an_empty_group(cli: Cli, topic: str) -> None:
    group = _consumed(cli, topic, 10)
    assert group in cli.ok(GROUPS, "--list").lines
    states = {row["GROUP"]: row["STATE"] for row in _table(cli.ok(GROUPS, "--list", "--state").lines)}
    assert states[group] == "Empty"
    types = {row["GROUP"]: row["TYPE"] for row in _table(cli.ok(GROUPS, "--list", "--type").lines)}
    assert types[group] == "Classic"
    assert group in {row["GROUP"] for row in _table(cli.ok("kafka-groups", "--list").lines)}
    assert _offsets(cli, group) == {(topic, "0"): ("10", "10", "0")}
    said = cli.ok(GROUPS, "--describe", "--group", group, "--state")
    assert f"Consumer group '{group}' has no active members." in said.err
    assert said.lines[1].split()[0] == group
    assert cli.bootstrap in said.lines[1] and "Empty" in said.lines[1]
    cli.produce(topic, 4)
    assert _offsets(cli, group) == {(topic, "0"): ("10", "14", "4")}


@pytest.fixture
def members(client: Client, cli: Cli) -> Iterator[tuple[str, str, list[Member]]]:
    """A topic of four partitions and a group of two members that share it."""
    name, group = free_name("shared"), free_name("active")
    cli.create_topic(name, 4)
    running = [Member(client.consumer(cli.bootstrap, group=group, client_id=f"member-{n}"), name) for n in (1, 2)]
    wait_for(
        lambda: all(len(member.assignment) == 2 for member in running),
        lambda: str([member.assignments for member in running]),
    )
    yield name, group, running
    for member in running:
        member.leave()


@pytest.mark.parametrize("client", ["4.3.1"], indirect=True)
def test_describe_a_group_with_members(cli: Cli, members: tuple[str, str, list[Member]]) -> None:
    topic, group, _ = members
    rows = _table(cli.ok(GROUPS, "--describe", "--group", group, "--members", "--verbose").lines)
    assert {row["CLIENT-ID"] for row in rows} == {"member-1", "member-2"}
    assert {row["#PARTITIONS"] for row in rows} == {"2"}
    assert {row["HOST"] for row in rows} == {"/127.0.0.1"}
    assert all(row["CONSUMER-ID"].startswith(row["CLIENT-ID"] + "-") for row in rows)
    text = cli.ok(GROUPS, "--describe", "--group", group, "--members", "--verbose").out
    assert f"{topic}:0,1" in text and f"{topic}:2,3" in text
    state = cli.ok(GROUPS, "--describe", "--group", group, "--state").lines[1].split()
    assert state[-3:] == ["range", "Stable", "2"]
    assert {
        row["CONSUMER-ID"] for row in _table(cli.ok(GROUPS, "--describe", "--group", group, "--offsets").lines)
    } == {row["CONSUMER-ID"] for row in rows}
    said = cli.run(GROUPS, "--group", group, "--delete").out
    assert "could not be deleted" in said and "GroupNotEmptyException" in said
    cli.run(GROUPS, "--group", group, "--reset-offsets", "--to-earliest", "--topic", topic, "--execute")
    said = cli.run(GROUPS, "--group", group, "--delete-offsets", "--topic", topic).out
    assert "GroupSubscribedToTopicException" in said or "subscribed" in said


@pytest.mark.parametrize(
    ("how", "new"),
    [
        (("--to-earliest",), "0"),
        (("--to-latest",), "10"),
        (("--to-offset", 4), "4"),
        (("--to-offset", 99), "10"),
        (("--shift-by", -3), "5"),
        (("--to-datetime", "2000-01-01T00:00:00.000"), "0"),
        (("--by-duration", "PT0S"), "10"),
        (("--to-current",), "8"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_reset_offsets(cli: Cli, topic: str, how: tuple[object, ...], new: str) -> None:
    group = _consumed(cli, topic, 10)
    cli.ok(GROUPS, "--group", group, "--reset-offsets", "--to-offset", 8, "--topic", topic, "--execute")
    dry = _table(cli.ok(GROUPS, "--group", group, "--reset-offsets", *how, "--topic", topic, "--dry-run").lines)
    assert [(row["TOPIC"], row["PARTITION"], row["NEW-OFFSET"]) for row in dry] == [(topic, "0", new)]
    assert _offsets(cli, group)[topic, "0"][0] == "8"
    cli.ok(GROUPS, "--group", group, "--reset-offsets", *how, "--topic", topic, "--execute")
    assert _offsets(cli, group)[topic, "0"][0] == new


def test_delete_offsets_and_delete_the_group(cli: Cli, topic: str) -> None:
    group = _consumed(cli, topic, 10)
    out = cli.ok(GROUPS, "--group", group, "--delete-offsets", "--topic", topic).out
    assert "Request succeeded for deleting offsets" in out
    kept = _consumed(cli, topic, 10)
    out = cli.ok(GROUPS, "--group", kept, "--delete").out
    assert f"Deletion of requested consumer groups ('{kept}') was successful." in out
    assert kept not in cli.ok(GROUPS, "--list").lines
    said = cli.run(GROUPS, "--describe", "--group", kept)
    assert "GroupIdNotFoundException" in said.out
    said = cli.run(GROUPS, "--group", kept, "--delete")
    assert "GroupIdNotFoundException" in said.out + said.err

"""kafka-topics against the broker under test."""

from __future__ import annotations

import re

import pytest

from compat.java.tools import Cli
from compat.scenario import free_name, wait_for

pytestmark = pytest.mark.needs("java", "javac", "mvn")


def _described(cli: Cli, topic: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The head line and the partitions' lines of `--describe`, as name to value."""
    head, *partitions = (
        {name: value.strip() for name, value in re.findall(r"(\w+): ?([^\t]*)", line)}
        for line in cli.ok("kafka-topics", "--describe", "--topic", topic).lines
    )
    return head, partitions


def test_create_describe_list_and_delete(cli: Cli) -> None:
    topic = free_name("topic")
    out = cli.ok("kafka-topics", "--create", "--topic", topic, "--partitions", 3, "--config", "retention.ms=100000").out
    assert f"Created topic {topic}." in out
    head, partitions = _described(cli, topic)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", head["TopicId"])
    assert (head["PartitionCount"], head["ReplicationFactor"]) == ("3", "1")
    assert "retention.ms=100000" in head["Configs"].split(",")
    node = str(cli.node_id())
    assert [(p["Partition"], p["Leader"], p["Replicas"], p["Isr"]) for p in partitions] == [
        (str(number), node, node, node) for number in range(3)
    ]
    assert topic in cli.ok("kafka-topics", "--list").lines
    cli.ok("kafka-topics", "--delete", "--topic", topic)
    wait_for(lambda: topic not in cli.ok("kafka-topics", "--list").lines, lambda: f"{topic} is listed still")


def test_a_topic_created_again_has_a_new_id_and_no_records(cli: Cli) -> None:
    topic = free_name("again")
    cli.create_topic(topic)
    cli.produce(topic, 3)
    before = _described(cli, topic)[0]["TopicId"]
    cli.ok("kafka-topics", "--delete", "--topic", topic)
    wait_for(lambda: topic not in cli.ok("kafka-topics", "--list").lines, lambda: f"{topic} is listed still")
    cli.create_topic(topic)
    assert _described(cli, topic)[0]["TopicId"] != before
    assert cli.ok("kafka-get-offsets", "--topic", topic).lines == [f"{topic}:0:0"]


def test_more_partitions(cli: Cli) -> None:
    topic = free_name("wider")
    cli.create_topic(topic, 3)
    cli.ok("kafka-topics", "--alter", "--topic", topic, "--partitions", 5)
    head, partitions = _described(cli, topic)
    assert head["PartitionCount"] == "5"
    assert [p["Partition"] for p in partitions] == ["0", "1", "2", "3", "4"]
    assert "would not be an increase" in cli.refused("kafka-topics", "--alter", "--topic", topic, "--partitions", 2)


def test_an_assignment_by_hand(cli: Cli) -> None:
    topic, node = free_name("assigned"), cli.node_id()
    cli.ok("kafka-topics", "--create", "--topic", topic, "--replica-assignment", f"{node},{node}")
    assert [p["Leader"] for p in _described(cli, topic)[1]] == [str(node), str(node)]


def test_nothing_is_under_replicated_or_unavailable(cli: Cli) -> None:
    cli.create_topic(free_name("healthy"), 2)
    for filter_name in ("under-replicated-partitions", "unavailable-partitions", "under-min-isr-partitions"):
        assert cli.ok("kafka-topics", "--describe", f"--{filter_name}").lines == []
    assert cli.ok("kafka-topics", "--create", "--if-not-exists", "--topic", free_name("healthy")).status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--create", "--topic", "bad name"), "Topic name is invalid"),
        (("--create", "--topic", "rf3", "--replication-factor", 3), "replication factor"),
        (("--create", "--topic", "none", "--partitions", 0), "partitions"),
        (("--create", "--topic", "badvalue", "--config", "retention.ms=x"), "retention.ms"),
        (("--describe", "--topic", "nothere"), "does not exist"),
        (("--delete", "--topic", "nothere"), "does not exist"),
    ],
)
def test_what_is_refused(cli: Cli, arguments: tuple[object, ...], words: str) -> None:
    assert words in cli.refused("kafka-topics", *arguments)
    assert not {"rf3", "none", "badvalue"} & set(cli.ok("kafka-topics", "--list").lines)


def test_a_name_that_is_taken(cli: Cli) -> None:
    topic = free_name("taken")
    cli.create_topic(topic)
    assert "already exists" in cli.refused("kafka-topics", "--create", "--topic", topic)

"""What the Java clients ask beyond the shared steps: static members, asynchronous commits, offsets by time, seeking."""

from __future__ import annotations

import time

import pytest

from compat import scenario
from compat.java.client import Client, Consumer, JavaError
from compat.scenario import PARTITIONS, Member, Record, free_name, wait_for

pytestmark = pytest.mark.needs("java", "javac", "mvn")


def _topic(client: Client, target: scenario.Broker) -> str:
    name = free_name("java")
    client.create_topic(target.bootstrap, name, PARTITIONS)
    return name


def _produce(client: Client, target: scenario.Broker, topic: str, records: list[Record]) -> None:
    producer = client.producer(target.bootstrap, compression="gzip", idempotent=False)
    for record in records:
        producer.send(topic, record)
    producer.flush()
    producer.close()


def _records(count: int, start_ms: int) -> list[Record]:
    """Records for partition 0 only, a second apart."""
    return [Record(0, None, f"v{i}".encode(), (), start_ms + i * 1000) for i in range(count)]


def _rebalances(consumer: Consumer) -> list[str]:
    return [kind for kind, _ in consumer.call("events")]


def test_a_static_member_comes_back_without_a_rebalance(target: scenario.Broker, client: Client) -> None:
    topic, group = _topic(client, target), free_name("static")

    def member(instance: str) -> tuple[Consumer, Member]:
        consumer = client.consumer(target.bootstrap, group=group, group_instance_id=instance)
        return consumer, Member(consumer, topic)

    first_consumer, first = member("a")
    _, second = member("b")
    wait_for(
        lambda: len(first.assignment) == len(second.assignment) == PARTITIONS // 2,
        lambda: f"{first.assignments} and {second.assignments}",
    )
    before, generation = _rebalances(first_consumer), first_consumer.call("group")[1]
    held = second.assignment
    with client.admin(target.bootstrap) as admin:
        assert {instance for instance, _, _ in admin.call("members", group)} == {"a", "b"}
        second.leave()
        # A static member's close leaves the group as it is (KIP-345).
        assert {instance for instance, _, _ in admin.call("members", group)} == {"a", "b"}
    back_consumer, back = member("b")
    wait_for(lambda: back.assignment == held, lambda: f"{back.assignments}, had {held}")
    assert back_consumer.call("group")[1] == generation
    assert first_consumer.call("group")[1] == generation
    assert _rebalances(first_consumer) == before
    first.leave()
    back.leave()


def test_a_second_holder_of_an_instance_id_fences_the_first(target: scenario.Broker, client: Client) -> None:
    topic, group = _topic(client, target), free_name("fenced")
    old = client.consumer(target.bootstrap, group=group, group_instance_id="x")
    old.subscribe(topic)
    wait_for(lambda: old.poll(100) == [] and len(old.assignment()) == PARTITIONS, lambda: "no assignment")
    new = client.consumer(target.bootstrap, group=group, group_instance_id="x")
    new.subscribe(topic)
    wait_for(lambda: new.poll(100) == [] and len(new.assignment()) == PARTITIONS, lambda: "no assignment")
    with pytest.raises(JavaError) as fenced:
        old.call("commit-with", topic, 0, 0, "")
    assert fenced.value.kind == "FencedInstanceIdException"
    old.close()
    new.close()


def test_asynchronous_commits_and_commit_metadata(target: scenario.Broker, client: Client) -> None:
    topic, group = _topic(client, target), free_name("async")
    _produce(client, target, topic, _records(20, int(time.time() * 1000) - 60_000))
    with client.consumer(target.bootstrap, group=group) as consumer:
        consumer.subscribe(topic)
        assert len(scenario.read(consumer, 20)) == 20
        assert dict(consumer.call("commit-async")) == {0: 20, 1: 0, 2: 0, 3: 0}
        assert consumer.committed(topic) == {0: 20, 1: 0, 2: 0, 3: 0}
        consumer.call("commit-with", topic, 1, 0, "a note ✓")
        assert [1, 0, "a note ✓"] in consumer.call("committed", topic)


def test_offsets_by_place_and_by_time(target: scenario.Broker, client: Client) -> None:
    topic, start_ms = _topic(client, target), int(time.time() * 1000) - 60_000
    _produce(client, target, topic, _records(20, start_ms))
    with client.consumer(target.bootstrap, group=None) as consumer:

        def at(when: str | int) -> list[int | None]:
            found = {
                partition: [offset, timestamp] for partition, offset, timestamp in consumer.call("offsets", topic, when)
            }
            return found[0]

        assert at("beginning") == [0, None]
        assert at("end") == [20, None]
        assert at(start_ms) == [0, start_ms]
        assert at(start_ms + 7_000) == [7, start_ms + 7_000]
        # Between two records: the later one.
        assert at(start_ms + 7_001) == [8, start_ms + 8_000]
        assert at(start_ms + 20_000) == [None, None]


def test_reading_from_the_middle_of_a_batch(target: scenario.Broker, client: Client) -> None:
    topic = _topic(client, target)
    _produce(client, target, topic, _records(20, int(time.time() * 1000) - 60_000))
    with client.consumer(target.bootstrap, group=None) as consumer:
        consumer.assign(topic)
        consumer.call("seek", topic, 0, 13)
        assert [item.offset for item in scenario.read(consumer, 7)] == list(range(13, 20))


def test_auto_creation_and_list_valued_configs(target: scenario.Broker, client: Client) -> None:
    topic = free_name("auto")
    with client.producer(target.bootstrap, compression="none", idempotent=False) as producer:
        # The name is unknown: the metadata request of the producer creates the topic.
        producer.send(topic, Record(0, b"k", b"v", (), int(time.time() * 1000)))
        assert [ack.offset for ack in producer.flush()] == [0]
    with client.admin(target.bootstrap) as admin:
        assert topic in admin.call("topics")
        assert admin.call("config", topic, "cleanup.policy") == ["delete", "DEFAULT_CONFIG"]
        admin.call("alter-config", topic, "APPEND", "cleanup.policy", "compact")
        assert _config(admin.call("config", topic, "cleanup.policy")) == ({"delete", "compact"}, "DYNAMIC_TOPIC_CONFIG")
        admin.call("alter-config", topic, "SUBTRACT", "cleanup.policy", "delete")
        assert _config(admin.call("config", topic, "cleanup.policy")) == ({"compact"}, "DYNAMIC_TOPIC_CONFIG")
        admin.call("alter-config", topic, "DELETE", "cleanup.policy", "")
        assert admin.call("config", topic, "cleanup.policy") == ["delete", "DEFAULT_CONFIG"]
        with pytest.raises(JavaError) as refused:
            admin.call("alter-config", topic, "SET", "retention.ms", "soon")
        assert refused.value.kind == "InvalidConfigurationException"
        with pytest.raises(JavaError) as exists:
            admin.call("create-topic", topic, 1)
        assert exists.value.kind == "TopicExistsException"
        admin.call("delete-topic", topic)
        wait_for(lambda: topic not in admin.call("topics"), lambda: f"{topic} is listed still")


def _config(entry: list[str]) -> tuple[set[str], str]:
    return set(entry[0].split(",")), entry[1]

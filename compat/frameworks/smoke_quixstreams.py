"""Quix Streams in an environment of its own: running totals in a state store, over three lives. A line of JSON a step.

Arguments: bootstrap server, a name nobody else uses, a folder for local state, the processing guarantee.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource
from quixstreams import Application

COUNT = 30


def tell(step: str, outcome: object) -> None:
    print(json.dumps({"step": step, "outcome": outcome}), flush=True)


def application(bootstrap: str, name: str, folder: Path, guarantee: str) -> Application:
    return Application(
        broker_address=bootstrap, consumer_group=name, auto_offset_reset="earliest", state_dir=str(folder),
        processing_guarantee=guarantee, commit_interval=0.5, loglevel="ERROR", use_changelog_topics=True,
        consumer_extra_config={"session.timeout.ms": 6000},
    )  # fmt: skip


def total(value: dict[str, Any], state: Any) -> dict[str, int]:
    found = state.get("total", 0) + value["n"]
    state.set("total", found)
    return {"n": value["n"], "total": found}


def life(bootstrap: str, name: str, folder: Path, guarantee: str, first: int) -> None:
    """Produce COUNT numbers under three keys and run until they are processed."""
    app = application(bootstrap, name, folder, guarantee)
    numbers = app.topic(f"{name}-in", value_deserializer="json", key_serializer="str", value_serializer="json")
    totals = app.topic(f"{name}-out", value_serializer="json")
    frame = app.dataframe(numbers)
    frame = frame[frame["n"] % 2 == 0].apply(total, stateful=True)
    frame.to_topic(totals)
    with app.get_producer() as producer:
        for n in range(first, first + COUNT):
            message = numbers.serialize(key=f"k{n % 3}", value={"n": n})
            producer.produce(topic=numbers.name, key=message.key, value=message.value)
    app.run(count=COUNT, timeout=30)


def results(bootstrap: str, name: str, count: int) -> list[Any]:
    """The totals in the output topic, by key."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{name}-check", "isolation.level": "read_committed"}
    )
    try:
        consumer.assign([TopicPartition(f"{name}-out", 0, 0)])
        found: dict[str, list[Any]] = {}
        seen = 0
        while seen < count and (message := consumer.poll(15)) is not None:
            found.setdefault((message.key() or b"").decode(), []).append(json.loads(message.value() or b"null"))
            seen += 1
        return sorted((key, len(values), values[-1]) for key, values in found.items())
    finally:
        consumer.close()


def changelog(bootstrap: str, name: str) -> list[Any]:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [
        topic for topic in admin.list_topics(timeout=10).topics if topic.startswith("changelog__") and name in topic
    ]
    found = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic) for topic in topics])
    return [future.result(10)["cleanup.policy"].value for future in found.values()]


def main() -> None:
    bootstrap, name, folder, guarantee = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4]
    life(bootstrap, name, folder, guarantee, 0)
    tell("totals", results(bootstrap, name, COUNT // 2))
    tell("changelog", changelog(bootstrap, name))
    life(bootstrap, name, folder, guarantee, COUNT)
    tell("totals-go-on", results(bootstrap, name, COUNT))
    shutil.rmtree(folder)
    life(bootstrap, name, folder, guarantee, 2 * COUNT)
    tell("totals-from-the-changelog", results(bootstrap, name, 3 * COUNT // 2))


if __name__ == "__main__":
    main()

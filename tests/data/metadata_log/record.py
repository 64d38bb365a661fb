"""Record what Apache Kafka 4.3.1 writes into `__cluster_metadata` for a series of requests; from the root:

python tests/data/metadata_log/record.py

One real node (compat/targets.py) is sent the requests one after the other; steps.json tells, for each, request,
response and the bytes of the log that it added. See README.md.
"""

from __future__ import annotations

import json
import shutil
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from compat.targets import KafkaTarget  # noqa: E402
from klamm.kproto.catalog import message_class  # noqa: E402
from klamm.kproto.json_form import to_json  # noqa: E402
from klamm.kproto.messages.header import RequestHeader, ResponseHeader  # noqa: E402
from klamm.kproto.schema import Message  # noqa: E402

SETTINGS = {
    "metadata.max.idle.interval.ms": "0",  # no no-op records between the steps
    "num.partitions": "2",
    "auto.create.topics.enable": "false",
}
NO_ID = bytes(16)
TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
Config = tuple[str, int, str | None]


class Recorder:
    """Sends requests to one node and notes what its metadata log gains."""

    def __init__(self, target: KafkaTarget) -> None:
        self.target = target
        self.steps: list[dict[str, Any]] = []

    def _log_size(self) -> int:
        return sum(f.stat().st_size for f in (self.target.data_dir / "__cluster_metadata-0").glob("*.log"))

    def _settled_log_size(self) -> int:
        last = -1
        while (size := self._log_size()) != last:
            last = size
            time.sleep(0.06)
        return size

    def mark(self, step: str) -> None:
        """Note where the log stands after something that is no request."""
        self.steps.append({"step": step, "log_to": self._settled_log_size()})

    def send(self, step: str, request: Message, version: int) -> Any:
        cls = type(request)
        flexible = cls.__schema__.is_flexible(version)
        header = RequestHeader(
            request_api_key=cls.__schema__.key, request_api_version=version, correlation_id=1, client_id="record"
        )
        body = header.encode(2 if flexible else 1) + request.encode(version)
        with socket.create_connection(("127.0.0.1", self.target.port), timeout=30) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            with connection.makefile("rb") as stream:
                (size,) = struct.unpack(">i", stream.read(4))
                data = stream.read(size)
        response_class = message_class(cls.__name__.replace("Request", "Response"))
        _, position = ResponseHeader.decode_from(data, 0, 1 if flexible else 0)
        response, _ = response_class.decode_from(data, position, version)
        told = to_json(response, version, flexible)
        for topic in told.get("topics") or ():
            topic.pop("configs", None)  # every config of the topic: long, and tested elsewhere
        row = {"step": step, "request": cls.__name__, "version": version, "json": to_json(request, version, flexible)}
        self.steps.append({**row, "response": told, "log_to": self._settled_log_size()})
        return response

    # One method a request.

    def create(self, step: str, *topics: Any, validate_only: bool = False, version: int = 7) -> Any:
        request = message_class("CreateTopicsRequest")
        return self.send(step, request(topics=list(topics), timeout_ms=30000, validate_only=validate_only), version)

    def add(self, step: str, *topics: tuple[str, int, list[list[int]] | None], validate_only: bool = False) -> Any:
        request: Any = message_class("CreatePartitionsRequest")
        row = request.CreatePartitionsTopic
        rows = [
            row(
                name=name,
                count=count,
                assignments=given if given is None else [row.CreatePartitionsAssignment(broker_ids=b) for b in given],
            )
            for name, count, given in topics
        ]
        return self.send(step, request(topics=rows, timeout_ms=30000, validate_only=validate_only), 3)

    def delete(self, step: str, *topics: tuple[str | None, bytes]) -> Any:
        request: Any = message_class("DeleteTopicsRequest")
        rows = [request.DeleteTopicState(name=name, topic_id=topic_id) for name, topic_id in topics]
        return self.send(step, request(topics=rows, timeout_ms=30000), 6)

    def alter(self, step: str, *resources: tuple[int, str, list[Config]], validate_only: bool = False) -> Any:
        request: Any = message_class("IncrementalAlterConfigsRequest")
        row = request.AlterConfigsResource
        rows = [
            row(
                resource_type=kind,
                resource_name=name,
                configs=[row.AlterableConfig(name=n, config_operation=op, value=v) for n, op, v in configs],
            )
            for kind, name, configs in resources
        ]
        return self.send(step, request(resources=rows, validate_only=validate_only), 1)

    def replace(
        self, step: str, *resources: tuple[int, str, Mapping[str, str | None]], validate_only: bool = False
    ) -> Any:
        request: Any = message_class("AlterConfigsRequest")
        row = request.AlterConfigsResource
        rows = [
            row(
                resource_type=kind,
                resource_name=name,
                configs=[row.AlterableConfig(name=n, value=v) for n, v in configs.items()],
            )
            for kind, name, configs in resources
        ]
        return self.send(step, request(resources=rows, validate_only=validate_only), 2)

    def quorum(self, step: str, topic: str, partition: int) -> Any:
        request: Any = message_class("DescribeQuorumRequest")
        row = request.TopicData
        rows = [row(topic_name=topic, partitions=[row.PartitionData(partition_index=partition)])]
        return self.send(step, request(topics=rows), 2)


def topic(
    name: str,
    partitions: int = 1,
    replication_factor: int = 1,
    assignments: Iterable[tuple[int, list[int]]] = (),
    configs: Mapping[str, str | None] | None = None,
) -> Any:
    request: Any = message_class("CreateTopicsRequest")
    row = request.CreatableTopic
    return row(
        name=name,
        num_partitions=partitions,
        replication_factor=replication_factor,
        assignments=[row.CreatableReplicaAssignment(partition_index=i, broker_ids=b) for i, b in assignments],
        configs=[row.CreatableTopicConfig(name=k, value=v) for k, v in (configs or {}).items()],
    )


def create_topics(r: Recorder) -> bytes:
    topic_id: bytes = r.create("create one", topic("one")).topics[0].topic_id
    several = {"cleanup.policy": "compact", "retention.ms": "1000"}
    r.create("create three partitions and configs", topic("three", 3, configs=several))
    r.create("create with the broker's defaults", topic("defaults", -1, -1))
    r.create("create with an assignment", topic("manual", -1, -1, [(0, [1]), (1, [1])]))
    minisr = {"min.insync.replicas": "1", "max.message.bytes": "2000"}
    r.create("create with min.insync.replicas", topic("minisr", configs=minisr))
    r.create("create with a null config", topic("nullconf", configs={"retention.ms": None}))
    r.create("create two of which one exists", topic("one"), topic("two"))
    r.create("create, validate only", topic("dry", 4, configs={"retention.ms": "5"}), topic("one"), validate_only=True)
    names = ("", ".", "..", "bad name", "x" * 250, "x" * 249, "sch\u00f6n", "__cluster_metadata")
    r.create("bad names", *(topic(name) for name in names))
    r.create("names that collide in one request", topic("col.lide"), topic("col_lide"))
    r.create("names that collide and exist", topic("col.lide"), topic("col_lide"))
    r.create("a name with a dot", topic("one.a"))
    r.create("a name that collides", topic("one_a"))
    r.create("the same name twice", topic("twice"), topic("twice"), topic("notwice"))
    r.create(
        "bad counts",
        *(topic("c0", 0), topic("c-2", -2), topic("r0", 1, 0), topic("r-2", 1, -2)),
        *(topic("r3", 1, 3), topic("c0r3", 0, 3), topic("big", 1, 2)),
    )
    r.create(
        "bad assignments",
        *(topic("a1", 1, -1, [(0, [1])]), topic("a2", -1, 1, [(0, [1])]), topic("a12", 1, 1, [(0, [1])])),
        *(topic("a3", -1, -1, [(0, [1]), (2, [1])]), topic("a4", -1, -1, [(0, [1]), (0, [1])])),
        *(topic("a5", -1, -1, [(0, [])]), topic("a6", -1, -1, [(0, [1, 1])]), topic("a7", -1, -1, [(0, [9])])),
        *(topic("a8", -1, -1, [(0, [1]), (1, [1, 9])]), topic("a9", -1, -1, [(1, [1])])),
        *(topic("a10", -1, -1, [(0, [1, 9])]), topic("a11", -1, -1, [(-1, [1])])),
        *(topic("a13", -1, -1, [(1, [1]), (0, [1])]), topic("a14", -1, -1, [(0, [-1])])),
    )
    wrong = {"retention.ms": "abc"}
    r.create(
        "bad configs",
        *(topic("g1", configs={"no.such.config": "1"}), topic("g2", configs=wrong)),
        *(topic("g5", 0, configs=wrong), topic("", configs=wrong), topic("one", configs=wrong)),
        *(topic("g7", 1, 9, configs=wrong), topic("g10", configs={"retention.ms": None, "foo": None})),
    )
    r.create("version 2", topic("old1"), topic("one"), topic("g2", configs=wrong), version=2)
    r.create("version 4", topic("old4", -1, -1), version=4)
    r.create("no topics")
    return topic_id


def add_partitions(r: Recorder) -> None:
    r.add("add partitions", ("one", 3, None))
    r.add("add partitions by assignment", ("two", 2, [[1]]))
    r.add(
        "add partitions, wrong",
        *(("two", 2, None), ("three", 1, None), ("nosuch", 3, None), ("manual", 0, None), ("minisr", -1, None)),
        *(("defaults", 4, [[1]]), ("notwice", 2, []), ("", 2, None), ("old1", 2, [[1, 1]]), ("old4", 3, [[]])),
    )
    r.add("add partitions, one name twice", ("old1", 2, None), ("old1", 3, None), ("minisr", 2, None))
    r.add("add partitions, more assignments than partitions", ("notwice", 3, [[1], [1], [1]]))
    r.add("add partitions, another replication factor", ("old1", 2, [[1, 9]]))
    r.add("add partitions, validate only", ("minisr", 5, None), ("nosuch", 2, None), validate_only=True)


def alter_configs(r: Recorder) -> None:
    r.alter("alter a topic", (TOPIC, "one", [("retention.ms", SET, "7000"), ("cleanup.policy", SET, "compact")]))
    r.alter("alter to the same value", (TOPIC, "one", [("retention.ms", SET, "7000")]))
    r.alter("append", (TOPIC, "one", [("cleanup.policy", APPEND, "delete")]))
    r.alter("subtract", (TOPIC, "one", [("cleanup.policy", SUBTRACT, "compact")]))
    r.alter("append what is there", (TOPIC, "one", [("cleanup.policy", APPEND, "delete")]))
    r.alter("subtract what is not there", (TOPIC, "one", [("cleanup.policy", SUBTRACT, "compact")]))
    r.alter("append to the default", (TOPIC, "two", [("cleanup.policy", APPEND, "compact")]))
    number = [("retention.ms", APPEND, "5")]
    r.alter("append to a number", (TOPIC, "one", number), (TOPIC, "two", [("retention.ms", SET, "5")]))
    r.alter("delete a value", (TOPIC, "one", [("retention.ms", DELETE, None), ("segment.ms", DELETE, "5")]))
    r.alter("delete what is not set", (TOPIC, "one", [("retention.ms", DELETE, None)]))
    r.alter("min.insync.replicas of a topic", (TOPIC, "one", [("min.insync.replicas", SET, "1")]))
    one = [("retention.ms", SET, "1")]
    r.alter(
        "bad alterations",
        *((TOPIC, "nosuch", one), (TOPIC, "one", [("nope", SET, "1")]), (TOPIC, "three", [("retention.ms", SET, "x")])),
        *((TOPIC, "", one), (TOPIC, "bad name", one), (TOPIC, "two", [("retention.ms", SET, None)])),
        (TOPIC, "minisr", [("retention.ms", SET, "1"), ("retention.ms", SET, "2")]),
    )
    r.alter("unknown resource types", (3, "x", []), (TOPIC, "nosuch", one), (0, "one", one))
    r.alter("the same resource twice", (TOPIC, "one", one), (TOPIC, "one", [("retention.ms", SET, "2")]))
    r.alter("alter, validate only", (TOPIC, "one", one), validate_only=True)
    r.alter("alter nothing", (TOPIC, "one", []))
    r.alter("the cluster's default", (BROKER, "", [("log.retention.ms", SET, "99000")]))
    r.alter("a broker", (BROKER, "1", [("log.cleaner.threads", SET, "2")]))
    r.alter("a broker, the same value", (BROKER, "1", [("log.cleaner.threads", SET, "2")]))
    r.alter("broker names that are no number", (BROKER, "x", []), (BROKER, "1x", []))
    r.alter("the cluster's min.insync.replicas", (BROKER, "", [("min.insync.replicas", SET, "2")]))
    r.alter("the cluster's min.insync.replicas removed", (BROKER, "", [("min.insync.replicas", DELETE, None)]))
    r.alter("a broker's min.insync.replicas", (BROKER, "1", [("min.insync.replicas", SET, "1")]))
    r.alter("a group", (GROUP, "g", [("consumer.session.timeout.ms", SET, "50000")]))
    r.alter("a group without a name", (GROUP, "", [("consumer.session.timeout.ms", SET, "50000")]))
    r.alter("client metrics", (CLIENT_METRICS, "m", [("interval.ms", SET, "60000"), ("metrics", SET, "*")]))
    r.alter("client metrics without a name", (CLIENT_METRICS, "", [("interval.ms", SET, "60000")]))
    r.replace("replace", (TOPIC, "one", {"retention.ms": "5000", "segment.bytes": "20971520"}))
    r.replace("replace by less", (TOPIC, "one", {"retention.ms": "5000"}))
    r.replace("replace by nothing", (TOPIC, "one", {}))
    r.replace(
        "bad replacements",
        *(
            (TOPIC, "nosuch", {"retention.ms": "1"}),
            (TOPIC, "one", {"nope": "1"}),
            (TOPIC, "two", {"retention.ms": "x"}),
        ),
        (TOPIC, "three", {"retention.ms": None}),
    )
    r.replace("replace, validate only", (TOPIC, "one", {"retention.ms": "1"}), validate_only=True)


def delete_topics(r: Recorder, one: bytes) -> None:
    r.delete("delete by name", ("two", NO_ID))
    r.delete("delete by id", (None, one))
    unknown = bytes(15) + b"\x07"
    r.delete("delete, wrong", ("nosuch", NO_ID), (None, unknown), ("three", one), ("", NO_ID), (None, NO_ID))
    r.delete("delete one name twice", ("manual", NO_ID), ("manual", NO_ID))
    r.delete("delete several", ("col.lide", NO_ID), ("nosuch", NO_ID), ("minisr", NO_ID))
    again = r.create("create one again", topic("one")).topics[0].topic_id
    r.delete("delete by name and id in one", ("one", again))
    r.delete("delete by name and by id", ("one", NO_ID), (None, again))
    r.delete("delete by id twice", (None, again), (None, again))
    request = message_class("DeleteTopicsRequest")
    r.send("delete, version 1", request(topic_names=["defaults", "nosuch"], timeout_ms=30000), 1)
    r.send("delete, version 5", request(topic_names=["nosuch"], timeout_ms=30000), 5)


def record(r: Recorder) -> None:
    target = r.target
    target.start()
    time.sleep(1)
    r.mark("start")
    one = create_topics(r)
    add_partitions(r)
    alter_configs(r)
    producer = message_class("InitProducerIdRequest")
    request = producer(transactional_id=None, transaction_timeout_ms=1000, producer_id=-1, producer_epoch=-1)
    r.send("a block of producer ids", request, 4)
    delete_topics(r, one)
    r.quorum("the quorum", "__cluster_metadata", 0)
    r.quorum("the quorum of another topic", "nosuch", 0)
    r.quorum("the quorum of another partition", "__cluster_metadata", 1)
    target.stop()
    r.mark("stop")
    target.start()
    time.sleep(1)
    r.mark("start again")
    target.kill()
    r.mark("kill")
    target.start()
    time.sleep(4)
    r.mark("start after a kill")
    r.create("create after a kill", topic("last"))
    target.stop()
    r.mark("last stop")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="record-metadata-") as directory:
        recorder = Recorder(KafkaTarget(overrides=SETTINGS, directory=Path(directory)))
        try:
            record(recorder)
        finally:
            recorder.target.kill()
        data = recorder.target.data_dir
        for name in ("meta.properties", "bootstrap.checkpoint"):
            shutil.copy(data / name, HERE / name)
        log = data / "__cluster_metadata-0"
        for name in ("00000000000000000000-0000000000.checkpoint", "00000000000000000000.log", "quorum-state"):
            (HERE / name).unlink(missing_ok=True)
            shutil.copyfile(log / name, HERE / name)
        lines = ",\n".join(json.dumps(step, sort_keys=True) for step in recorder.steps)
        (HERE / "steps.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()

"""Kafka Connect as a suite: a standalone worker copies a file through a topic into another file, and is restarted."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import confluent_kafka
from confluent_kafka.admin import AdminClient, ConfigResource

from compat import kafka_jars
from compat.scripted import Outcomes, Script
from compat.targets import free_port, log4j_settings

HERE = Path(__file__).resolve().parent
VERSION = "4.3.1"
JARS = f"kafka-connect-{VERSION}"
TIMEOUT_S = 90.0
SOURCE, SINK = "file-source", "file-sink"


def _properties(path: Path, settings: Mapping[str, str]) -> str:
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return str(path)


def _line(number: int) -> str:
    return f"line {number}"


def _told(lines: Sequence[str]) -> str:
    """How many lines there are, and whether they are the first ones in their order."""
    return f"{len(lines)} lines, {'in order' if lines == [_line(n) for n in range(len(lines))] else 'NOT in order'}"


class Worker:
    """A standalone worker with a source and a sink connector; its files stay in `folder` over restarts."""

    def __init__(self, folder: Path, bootstrap: str, topic: str) -> None:
        self.input, self.output = folder / "in.txt", folder / "out.txt"
        self._folder = folder
        self._rest = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        worker = {
            "bootstrap.servers": bootstrap,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "offset.storage.file.filename": str(folder / "offsets"),
            "offset.flush.interval.ms": "500",
            "listeners": self._rest,
            "plugin.discovery": "service_load",
        }
        # A group of its own for the sink, whose name is the topic's; the source has its topic created.
        source = {
            "name": SOURCE,
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "file": str(self.input),
            "topic": topic,
            "topic.creation.default.replication.factor": "1",
            "topic.creation.default.partitions": "1",
            "topic.creation.default.retention.ms": "86400000",
        }
        sink = {
            "name": SINK,
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "file": str(self.output),
            "topics": topic,
            "consumer.override.group.id": f"{topic}-sink",
        }
        (folder / "log4j2.properties").write_text(log4j_settings("SYSTEM_ERR", "warn"))
        self._arguments = [
            _properties(folder / "worker.properties", worker),
            _properties(folder / "source.properties", source),
            _properties(folder / "sink.properties", sink),
        ]

    def start(self) -> None:
        """Return when both connectors have a running task."""
        command = [
            kafka_jars.program("java"), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
            f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}", "-cp", kafka_jars.classpath(JARS),
            "org.apache.kafka.connect.cli.ConnectStandalone", *self._arguments,
        ]  # fmt: skip
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._await("running tasks", lambda: set(self.states()) == {f"{c}: RUNNING [RUNNING]" for c in (SOURCE, SINK)})

    def states(self) -> list[str]:
        """What the worker's REST interface says of each connector and its tasks."""
        try:
            with urllib.request.urlopen(f"{self._rest}/connectors?expand=status", timeout=10) as answer:
                connectors = json.load(answer)
        except OSError:
            return []
        states = []
        for name, found in sorted(connectors.items()):
            tasks = ", ".join(task["state"] for task in found["status"]["tasks"])
            states.append(f"{name}: {found['status']['connector']['state']} [{tasks}]")
        return states

    def stop(self) -> int:
        """SIGTERM; the status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(TIMEOUT_S)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def write(self, first: int, last: int) -> None:
        """Append some numbered lines to the input."""
        with open(self.input, "a") as file:
            file.writelines(f"{_line(number)}\n" for number in range(first, last))

    def await_lines(self, count: int) -> list[str]:
        """The lines that the sink has written, when there are as many different ones."""
        self._await(f"{count} lines", lambda: len(set(self.lines())) >= count)
        return self.lines()

    def lines(self) -> list[str]:
        return self.output.read_text().splitlines() if self.output.exists() else []

    def _await(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not condition():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{what}: {self.states()}\n{(self._folder / 'log').read_text()[-4000:]}")
            time.sleep(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.kill()


def _values(bootstrap: str, topic: str, count: int) -> list[Any]:
    """The topic's first records: key and value."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": f"{topic}-check"})
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        return [(m.key(), json.loads(m.value() or b"null")["payload"]) for m in consumer.consume(count, 30)]
    finally:
        consumer.close()


def _committed(bootstrap: str, topic: str, group: str) -> int:
    consumer = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        offset: int = consumer.committed([confluent_kafka.TopicPartition(topic, 0)], 30)[0].offset
        return offset
    finally:
        consumer.close()


def _described(bootstrap: str, topic: str) -> dict[str, Any]:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    config = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)])
    entries = next(iter(config.values())).result(30)
    return {
        "partitions": len(admin.list_topics(topic, 30).topics[topic].partitions),
        "retention.ms": entries["retention.ms"].value,
        "cleanup.policy": entries["cleanup.policy"].value,
    }


def _run(bootstrap: str, name: str) -> Outcomes:
    steps: Outcomes = {}
    with (
        tempfile.TemporaryDirectory(prefix="compat-connect-") as folder,
        Worker(Path(folder), bootstrap, name) as worker,
    ):
        worker.write(0, 50)
        worker.start()
        steps["states"] = worker.states()
        steps["copied"] = _told(worker.await_lines(50))
        steps["topic"] = _described(bootstrap, name)
        records = _values(bootstrap, name, 50)
        steps["records"] = [_told([value for _, value in records]), str({key for key, _ in records})]
        steps["stopped"] = worker.stop()
        steps["sink-offset"] = _committed(bootstrap, name, f"{name}-sink")
        worker.write(50, 75)
        worker.start()
        # A clean stop has kept both offsets: no line is copied twice.
        steps["resumed"] = _told(worker.await_lines(75))
        worker.kill()
        worker.write(75, 100)
        worker.start()
        # After a kill lines may come twice, and none may be missing.
        steps["after-kill"] = _told(list(dict.fromkeys(worker.await_lines(100))))
        worker.stop()
    return steps


SCRIPTS = [Script("connect_standalone", VERSION, HERE, _run, ("java", "mvn"))]
SUITES = [script.suite() for script in SCRIPTS]

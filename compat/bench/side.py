"""One of the two brokers that are compared, and the load that is put on it.

A subject sees two of them and does the same to both.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compat.bench.measure import cpu_s
from compat.drive.build import go_program
from compat.targets import KafkaTarget, KlammTarget

Target = KlammTarget | KafkaTarget

RUN_TIMEOUT_S = 300
_REQUEST_TIMEOUT_S = 60.0

# What bin/kafka-server-start.sh gives the JVM.
KAFKA_HEAP = "1g"
KAFKA_JVM = (
    "-server", "-Xms1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
)  # fmt: skip

# The gigabytes that a run writes are deleted after it: at once, lest one subject's dirty pages are the next one's disk.
OVERRIDES: Mapping[str, str] = {"log.segment.delete.delay.ms": "1000"}


def klamm() -> Target:
    """A klamm that is not started yet."""
    return KlammTarget(overrides=OVERRIDES)


def kafka() -> Target:
    """A Kafka that is not started yet, with the JVM's own compilers and Kafka's heap."""
    return KafkaTarget(overrides=OVERRIDES, heap=KAFKA_HEAP, jvm_options=KAFKA_JVM)


FRESH: Mapping[str, Callable[[], Target]] = {"klamm": klamm, "kafka": kafka}


class Side:
    """A running broker. `state` is for what a subject prepares and uses again in each round."""

    replicas = 1
    """Of the topics that are created."""

    def __init__(self, target: Target, loadgen: Path) -> None:
        self.target = target
        self.name = target.name
        self.bootstrap = target.bootstrap
        self.state: dict[str, Any] = {}
        self._loadgen = loadgen
        self._numbers = itertools.count(1)
        self._admin: AdminClient | None = None

    @property
    def admin(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self._admin

    def beside(self, target: Target) -> Side:
        """A side for another running broker of the same kind."""
        return Side(target, self._loadgen)

    def cpu_s(self) -> float:
        """CPU seconds of the broker so far."""
        return cpu_s(self.target.pid)

    def log_tail(self) -> str:
        """The end of what the broker has logged, for the report of a failure."""
        return self.target.log_tail()

    def create(self, partitions: int = 1, **config: str) -> str:
        """A new topic that is served; its name."""
        topic = f"bench-{next(self._numbers)}"
        self.create_named(topic, partitions, **config)
        # The load generator waits until every partition answers.
        self.load("create", "-topic", topic, "-partitions", partitions, seconds=1)
        return topic

    def create_named(self, topic: str, partitions: int, **config: str) -> None:
        """A new topic, which may not be served yet."""
        wanted = NewTopic(topic, num_partitions=partitions, replication_factor=self.replicas, config=config)
        self._wait(self.admin.create_topics([wanted])[topic], f"creating {topic}")

    def delete(self, topic: str) -> None:
        self._wait(self.admin.delete_topics([topic])[topic], f"deleting {topic}")

    def _wait(self, done: Future[None], what: str) -> None:
        try:
            done.result(_REQUEST_TIMEOUT_S)
        except Exception as error:
            raise RuntimeError(f"{self.name}: {what}: {error!r}\n{self.log_tail()}") from error

    def command(self, mode: str, *options: object, seconds: float) -> list[str]:
        """The command line of the load generator (compat/bench/loadgen/README.md)."""
        return [str(self._loadgen), mode, "-bootstrap", self.bootstrap, "-time", f"{seconds}s", *map(str, options)]

    def load(self, mode: str, *options: object, seconds: float) -> dict[str, Any]:
        """Run the load generator to its end; what it reports, and `cpu_s`, the broker's CPU seconds meanwhile."""
        before = self.cpu_s()
        command = self.command(mode, *options, seconds=seconds)
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(command[1:])}: {done.stderr.strip()}")
        report: dict[str, Any] = json.loads(done.stdout)
        report["cpu_s"] = self.cpu_s() - before
        return report


def loadgen() -> Path:
    """The load generator, built on first use."""
    return go_program(Path(__file__).resolve().parent / "loadgen")

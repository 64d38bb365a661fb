"""Rounds with `log.flush.interval.messages=1`: whatever was acknowledged must outlive every cut of the power.

The kill loop, with cuts instead of kills: records of idempotent producers, committed offsets of two groups, and topics
that are made all the time. Segments are small, so that cuts also meet rolls.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compat.kill_loop.asking import TIMEOUT_S
from compat.kill_loop.ledger import Ledger
from compat.kill_loop.load import Worker
from compat.kill_loop.loop import PARTITIONS, TOPIC, Killer, Round
from compat.power_cut.volume import Volume
from compat.targets import KafkaTarget, KlammTarget

SETTINGS = {"log.flush.interval.messages": "1"}
SEGMENT_BYTES = 65_536


class PoweredBroker:
    """A broker whose data is on a volume; to the kill loop `kill` is a cut of the power.

    The processor stops with the disk: a broker that ran on while the file system is shut down could be told by an fsync
    under way that all is well, and answer (`disk_errors` is about a disk that fails under a broker).
    """

    def __init__(self, target: KlammTarget | KafkaTarget, volume: Volume) -> None:
        self.target = target
        self.volume = volume
        self.bootstrap = target.bootstrap
        self.start = target.start

    def kill(self) -> None:
        _freeze(self.target.pid)
        self.volume.cut()
        self.target.kill()
        self.volume.remount()


def _freeze(pid: int) -> None:
    """Stop a process; returns when none of its threads runs. Those that wait for the disk stop before they get on."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    while any((task / "stat").read_text().rpartition(")")[2].split()[0] not in "TtDZ" for task in tasks.iterdir()):
        time.sleep(0.001)


class TopicMaker(Worker):
    """Makes one topic after another; those whose creation was answered must be there for ever."""

    PAUSE_S = 0.05

    def __init__(self, ledger: Ledger, bootstrap: str) -> None:
        super().__init__("topic-maker", ledger)
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "reconnect.backoff.max.ms": 200, "log_level": 0})
        self._made: list[str] = []
        self._number = 0
        self._names = threading.Lock()

    def step(self) -> None:
        self._number += 1
        name = f"made-{self._number}"
        try:
            self._admin.create_topics([NewTopic(name, 1, 1)], request_timeout=2)[name].result(5)
        except KafkaException:
            return  # it may be there or not
        with self._names:
            self._made.append(name)
        self._stopping.wait(self.PAUSE_S)

    def finish(self) -> None:
        pass

    @property
    def made(self) -> list[str]:
        with self._names:
            return list(self._made)

    def check(self, promised: list[str]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                there = set(self._admin.list_topics(timeout=5).topics)
                break
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
        if lost := [name for name in promised if name not in there]:
            self.ledger.violate(f"{len(lost)} topics are lost whose creation was answered: {', '.join(lost[:5])}")


class PowerCutter(Killer):
    """The kill loop on a volume."""

    def __init__(self, broker: PoweredBroker, *, seed: int, rate: int) -> None:
        # What has piled up while the broker was away comes in batches that are as large as they may be: for a segment.
        super().__init__(broker, seed=seed, rate=rate, librdkafka_settings={"batch.size": SEGMENT_BYTES // 2})
        self.topics = TopicMaker(self.ledger, broker.bootstrap)
        self._producers.append(self.topics)

    def _create_topic(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        topic = NewTopic(TOPIC, PARTITIONS, 1, config={"internal.segment.bytes": str(SEGMENT_BYTES)})
        admin.create_topics([topic])[TOPIC].result(30)

    def _round(self, number: int) -> Round:
        kill, promised = self.broker.kill, self.topics.made

        def kill_and_note() -> None:
            kill()
            promised[:] = self.topics.made

        self.broker.kill = kill_and_note  # type: ignore[method-assign]
        try:
            done = super()._round(number)
        finally:
            self.broker.kill = kill  # type: ignore[method-assign]
        self.topics.check(promised)
        return done

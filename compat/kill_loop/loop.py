"""The rounds: load, SIGKILL, start, and the questions that the broker must answer as if nothing had happened.

A killed process leaves its page cache to the system, so this is about crashes of the process, not of the machine.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from compat.kill_loop.asking import Asking, wait_for
from compat.kill_loop.ledger import Ledger, Reading
from compat.kill_loop.load import KafkaPythonGroup, KafkaPythonProducer, LibrdkafkaGroup, LibrdkafkaProducer, Worker

TOPIC = "kill-loop"
GROUPS = ("group-librdkafka", "group-kafka-python")
PARTITIONS = 6
# A round counts as one under load only if so much was acknowledged in it, for each group's commits too.
ACKNOWLEDGED_MIN = 500
COMMITS_MIN = 2


class Broker(Protocol):
    @property
    def bootstrap(self) -> str: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...


@dataclass
class Round:
    number: int
    acknowledged: int  # in this round, before the kill
    in_flight: int  # sent and not acknowledged when the kill came
    start_ms: int  # from the start of the new process until it answers
    recover_ms: int  # from the kill until a producer gets an acknowledgement again
    read: int  # records compared with the ledger
    commits: int  # acknowledged so far
    violations: int


class Killer:
    """One run of the loop against one broker."""

    def __init__(
        self, broker: Broker, *, seed: int, rate: int, librdkafka_settings: Mapping[str, Any] | None = None
    ) -> None:
        """`librdkafka_settings`: those of its producer beside what every run has."""
        self.broker = broker
        self.ledger = Ledger(PARTITIONS)
        self.rounds: list[Round] = []
        self._entropy = random.Random(seed)
        self._reading = Reading()
        self._create_topic()
        where = (broker.bootstrap, TOPIC)
        self._asking = Asking(*where, self.ledger)
        self._producers: list[Worker] = [
            LibrdkafkaProducer(self.ledger, *where, rate, librdkafka_settings),
            KafkaPythonProducer(self.ledger, *where, max(1, rate // 6)),
        ]
        self._groups: list[Worker] = [
            LibrdkafkaGroup(self.ledger, *where, GROUPS[0]),
            KafkaPythonGroup(self.ledger, *where, GROUPS[1]),
        ]

    def run(self, rounds: int) -> None:
        for worker in self._producers + self._groups:
            worker.start()
        print("round  acked  in flight  start ms  recover ms   read  commits  violations")
        for number in range(1, rounds + 1):
            done = self._round(number)
            self.rounds.append(done)
            print(
                f"{done.number:5}  {done.acknowledged:5}  {done.in_flight:9}  {done.start_ms:8}  {done.recover_ms:10}"
                f"  {done.read:5}  {done.commits:7}  {done.violations:10}"
            )
            sys.stdout.flush()
        self._finish()

    def totals(self) -> dict[str, Any]:
        return {
            "rounds": len(self.rounds),
            "sent": self.ledger.sent,
            "acknowledged": self.ledger.acknowledged,
            "commits": self._commits(),
            "in_flight_at_kills": sum(done.in_flight for done in self.rounds),
            "start_ms_max": max((done.start_ms for done in self.rounds), default=0),
            "recover_ms_max": max((done.recover_ms for done in self.rounds), default=0),
            "violations": self.ledger.violations,
            "per_round": [asdict(done) for done in self.rounds],
        }

    def _has_committed(self, group: str, times: int) -> bool:
        return self.ledger.commits(group) >= times

    def _commits(self) -> int:
        return sum(self.ledger.commits(group) for group in GROUPS)

    def _create_topic(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)

    def _round(self, number: int) -> Round:
        before = self.ledger.acknowledged
        commits = {group: self.ledger.commits(group) for group in GROUPS}
        wait_for(lambda: self.ledger.acknowledged >= before + ACKNOWLEDGED_MIN, "acknowledgements", self.ledger)
        for group in GROUPS:
            wanted = commits[group] + COMMITS_MIN
            wait_for(partial(self._has_committed, group, wanted), f"commits of {group}", self.ledger)
        time.sleep(self._entropy.uniform(0.2, 1.5))
        self.broker.kill()
        killed = time.monotonic()
        # An acknowledgement may still be on its way through a library: what is known now is at least what was promised.
        acknowledged = self.ledger.acknowledged
        in_flight = self.ledger.sent - acknowledged
        promised = {group: self.ledger.committed(group) for group in GROUPS}
        starting = time.monotonic()
        self.broker.start()
        start_ms = round((time.monotonic() - starting) * 1000)
        for group in GROUPS:
            self._asking.check_committed(group, promised[group])
        restarted = self.ledger.acknowledged
        wait_for(lambda: self.ledger.acknowledged > restarted, "an acknowledgement after the restart", self.ledger)
        recover_ms = round((time.monotonic() - killed) * 1000)
        read = self._asking.read_on(self._reading)
        return Round(
            number, acknowledged - before, in_flight, start_ms, recover_ms, read,
            self._commits(), len(self.ledger.violations),
        )  # fmt: skip

    def _finish(self) -> None:
        """Flush the load, then compare everything: the log from its first offset, and the last committed offsets."""
        for worker in self._producers:
            worker.stop()
        for worker in self._groups:
            worker.stop()
        self._asking.read_all()
        for group in GROUPS:
            self._asking.check_committed(group, self.ledger.committed(group))

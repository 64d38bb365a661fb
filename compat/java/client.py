"""Kafka's Java clients as a `compat.scenario.Client`: the objects live in a JVM (src/ScenarioClient.java).

No retry logic of our own: what the library does is what is tested.
"""

from __future__ import annotations

import itertools
import json
import threading
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compat.java.jvm import Jvm, JvmGone
from compat.scenario import Fetched, Record

CALL_TIMEOUT_S = 90.0
ASSIGNORS = {
    "eager": "org.apache.kafka.clients.consumer.RangeAssignor",
    "cooperative": "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
}


class JavaError(RuntimeError):
    """An exception that a call raised in the JVM; `kind` is the simple name of its class."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Driver:
    """The JVM: calls of any thread go out as lines, a reader hands the answers back."""

    def __init__(self, jar_set: str, directory: Path) -> None:
        self._jvm = Jvm("ScenarioClient", jar_set, directory)
        self._ids = itertools.count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self._gone = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def call(self, name: str, verb: str, *arguments: object) -> Any:
        """One call of the object `name`; its result, or JavaError."""
        answer: Future[Any] = Future()
        number = next(self._ids)
        with self._lock:
            if self._gone:
                raise JvmGone(self._jvm.log_tail())
            self._waiting[number] = answer
        self._jvm.write("\t".join([str(number), name, verb, *map(str, arguments)]))
        try:
            return answer.result(CALL_TIMEOUT_S)
        except TimeoutError:
            raise TimeoutError(f"no answer of {name} to {verb}:\n{self._jvm.log_tail()}") from None

    def tell(self, name: str, verb: str, *arguments: object) -> None:
        """A call without an answer."""
        self._jvm.write("\t".join(["", name, verb, *map(str, arguments)]))

    def object(self, kind: str, settings: dict[str, str]) -> JavaObject:
        """A new producer, consumer or admin client with the given configuration."""
        return JavaObject(self, kind, settings)

    def close(self) -> None:
        self._jvm.close()
        self._reader.join()

    def name(self, kind: str) -> str:
        return f"{kind}-{next(self._ids)}"

    def _read(self) -> None:
        try:
            while True:
                answer = json.loads(self._jvm.read())
                with self._lock:
                    waiting = self._waiting.pop(answer["id"])
                if "error" in answer:
                    waiting.set_exception(JavaError(answer["error"], answer["message"]))
                else:
                    waiting.set_result(answer["result"])
        except (JvmGone, ValueError) as error:
            with self._lock:
                self._gone = True
                for waiting in self._waiting.values():
                    waiting.set_exception(JvmGone(str(error)))


class JavaObject:
    """One producer, consumer or admin client in the JVM."""

    def __init__(self, driver: Driver, kind: str, settings: dict[str, str]) -> None:
        self._driver = driver
        self._name = driver.name(kind)
        self._closed = False
        self.call("open", kind, *(f"{name}={value}" for name, value in settings.items()))

    def call(self, verb: str, *arguments: object) -> Any:
        return self._driver.call(self._name, verb, *arguments)

    def tell(self, verb: str, *arguments: object) -> None:
        self._driver.tell(self._name, verb, *arguments)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.call("close")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()


class Producer(JavaObject):
    def __init__(self, driver: Driver, settings: dict[str, str]) -> None:
        super().__init__(driver, "producer", settings)
        self._sent: list[Record] = []

    def send(self, topic: str, record: Record) -> None:
        headers = [field for name, value in record.headers for field in (name.encode().hex(), _hex(value))]
        self.tell("send", topic, record.partition, record.timestamp_ms, _hex(record.key), _hex(record.value), *headers)
        self._sent.append(record)

    def flush(self) -> list[Fetched]:
        sent, self._sent = self._sent, []
        acks = self.call("flush")
        assert len(acks) == len(sent), f"{len(acks)} acknowledgements of {len(sent)} records"
        # The acknowledged timestamp is not compared: Kafka answers the retry of a batch that it has already with the
        # batch's last timestamp as log append time, and the client hands that on for each record.
        for record, (partition, _, _) in zip(sent, acks, strict=True):
            assert partition == record.partition, f"sent to {record.partition}, acknowledged by {partition}"
        return [Fetched(offset, record) for record, (_, offset, _) in zip(sent, acks, strict=True)]


class Consumer(JavaObject):
    def __init__(self, driver: Driver, settings: dict[str, str]) -> None:
        super().__init__(driver, "consumer", settings)

    def assign(self, topic: str) -> None:
        self.call("assign", topic)

    def subscribe(self, topic: str) -> None:
        self.call("subscribe", topic)

    def poll(self, timeout_ms: int) -> list[Fetched]:
        fetched = []
        for partition, offset, timestamp_ms, kind, key, value, headers in self.call("poll", timeout_ms):
            assert kind == "CreateTime", f"the timestamp became a {kind}"
            pairs = tuple((bytes.fromhex(name).decode(), _bytes(content)) for name, content in headers)
            fetched.append(Fetched(offset, Record(partition, _bytes(key), _bytes(value), pairs, timestamp_ms)))
        return fetched

    def assignment(self) -> frozenset[int]:
        return frozenset(self.call("assignment"))

    def commit(self) -> bool:
        done: bool = self.call("commit")
        return done

    def committed(self, topic: str) -> dict[int, int]:
        return {partition: offset for partition, offset, _ in self.call("committed", topic)}


class Client:
    """The Java clients of one version."""

    protocols = ("eager", "cooperative")
    null_headers = True

    def __init__(self, driver: Driver, version: str) -> None:
        self.driver = driver
        self.version = version

    def create_topic(self, bootstrap: str, topic: str, partitions: int) -> None:
        with self.admin(bootstrap) as admin:
            admin.call("create-topic", topic, partitions)

    def admin(self, bootstrap: str) -> JavaObject:
        return self.driver.object("admin", {"bootstrap.servers": bootstrap})

    def producer(self, bootstrap: str, *, compression: str, idempotent: bool) -> Producer:
        return Producer(
            self.driver,
            {
                "bootstrap.servers": bootstrap,
                "compression.type": compression,
                "enable.idempotence": str(idempotent).lower(),
                "acks": "all",
                "linger.ms": "5",
                "reconnect.backoff.max.ms": "500",
            },
        )

    def consumer(self, bootstrap: str, *, group: str | None, protocol: str = "eager", **settings: str) -> Consumer:
        """`settings` are further configuration names, with "_" for "."."""
        chosen = {
            "bootstrap.servers": bootstrap,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": "false",
            "partition.assignment.strategy": ASSIGNORS[protocol],
            "heartbeat.interval.ms": "300",
            "session.timeout.ms": "10000",
            "fetch.max.wait.ms": "100",
            "reconnect.backoff.max.ms": "500",
        }
        if not self.version.startswith("2."):
            chosen["group.protocol"] = "classic"
        if group is not None:
            chosen["group.id"] = group
        return Consumer(self.driver, chosen | {name.replace("_", "."): value for name, value in settings.items()})


def _hex(content: bytes | None) -> str:
    return "-" if content is None else content.hex()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)

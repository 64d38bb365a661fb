"""One case on one broker: the connection, the steps it took, and what a case needs before it can ask.

A step is recorded with the normal form of its answer, or with how the connection ended. What a case sets up is not
recorded: it must succeed. A `Plan` says which versions are asked; what both brokers do not serve is not asked at all.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from compat.access import OPEN, connect
from compat.external import ExternalTarget
from compat.providers import OwnedTarget
from klamm.kproto import records
from klamm.kproto.apis import APIS
from klamm.kproto.catalog import message_class
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.init_producer_id import InitProducerIdRequest
from klamm.kproto.messages.list_offsets import ListOffsetsRequest
from klamm.kproto.messages.produce import ProduceRequest
from klamm.kproto.record_codec import Record
from klamm.kproto.schema import Field, Message, Struct
from klamm.kproto.uuids import uuid_text
from klamm.proxy.normal import Json, Names, normal_form
from klamm.testing.wire import WireClient

S = TypeVar("S", bound=Struct)
M = TypeVar("M", bound=Message)

ANSWER_TIMEOUT_S = 20.0
SETTLE_TIMEOUT_S = 20.0
TIMESTAMP = 1_600_000_000_000
"""The timestamps of the records of all cases begin here: long ago, so that no rule takes them for the present."""

_AFTER_FRAME_S = 0.3

ON_CONTROLLER = " @controller"
CLOSED = "closed"
SILENT = "no answer"


Show = Callable[[Any], Json]


class Step(NamedTuple):
    """One answer, or what came in its place."""

    api: str
    version: int
    note: str
    outcome: Json


class Topic(NamedTuple):
    name: str
    topic_id: bytes


class NotServed(Exception):
    """A case cannot go on, because one of the brokers does not serve what it would ask."""


class Plan(NamedTuple):
    """How much of the cases is run."""

    served: Mapping[int, range] | None = None
    """The versions that both brokers serve, by API key; None: all of the table's."""
    served_by_controllers: Mapping[int, range] | None = None
    """The same for their controllers' listeners."""
    is_short: bool = False
    """Only the lowest and the highest version, and few random requests."""
    token: str = ""
    """Stands before the names of topics and groups, for brokers that have served other runs."""

    def on_controller(self) -> Plan:
        """The same for requests to the controllers."""
        return self._replace(served=self.served_by_controllers)

    def versions(self, request: type[Message], low: int = 0, high: int = 99) -> Sequence[int]:
        """The versions of an API to ask, between two bounds."""
        api = APIS[request.__schema__.key]
        served = range(api.low, api.high + 1) if self.served is None else self.served.get(api.key, range(0))
        found = [version for version in range(max(api.low, low), min(api.high, high) + 1) if version in served]
        return found[:1] + found[1:][-1:] if self.is_short else found

    def allows(self, request: type[Message], version: int) -> bool:
        """Whether both brokers serve that version."""
        return self.served is None or version in self.served.get(request.__schema__.key, ())


def fit(cls: type[S], version: int, **values: Any) -> S:
    """A struct with those of the values that `version` has a place for; dicts stand for the structs inside."""
    fields = {field.name: field for field in cls.__schema__.fields}
    kept = {}
    for name, value in values.items():
        field = fields[name]
        if field.exists_in(version) or field.tagged_in(version):
            kept[name] = _fit_inside(field, version, value)
    return cls(**kept)


def _fit_inside(field: Field, version: int, value: Any) -> Any:
    if field.struct is None or value is None:
        return value
    if field.array:
        return [fit(field.struct, version, **item) for item in value]
    return fit(field.struct, version, **value)


def batch(*values: bytes | None, **options: Any) -> bytes:
    """A record batch of those values, one millisecond apart from TIMESTAMP on; `key` is the key of all of them."""
    key, at, headers = options.pop("key", None), options.pop("timestamp", TIMESTAMP), options.pop("headers", ())
    rows = [Record(offset=i, timestamp=at + i, key=key, value=v, headers=headers) for i, v in enumerate(values)]
    return records.build_batch(rows, **options)


WHOLE = Plan()
"""All versions of everything."""


class Peer:
    """A recorded client with one connection, which it opens again after it was closed."""

    def __init__(self, run: Run, client_id: str, bootstrap: str, listener: str = "") -> None:
        self._run = run
        self._bootstrap = bootstrap
        self._listener = listener
        self._plan = run.plan.on_controller() if listener else run.plan
        self.client_id = client_id
        self.timeout_s = ANSWER_TIMEOUT_S
        self._wire: WireClient | None = None

    def versions(self, request: type[Message], low: int = 0, high: int = 99) -> Sequence[int]:
        """The versions of an API to ask here, between two bounds."""
        return self._plan.versions(request, low, high)

    def wire(self) -> WireClient:
        """The connection."""
        if self._wire is None:
            access = target.access if isinstance(target := self._run.target, ExternalTarget) else OPEN
            self._wire = connect(self._bootstrap, self.timeout_s, self.client_id, access)
        return self._wire

    @contextmanager
    def patience(self, timeout_s: float) -> Iterator[None]:
        """Wait no longer than that for answers: where Kafka is known never to answer."""
        self.close()
        before, self.timeout_s = self.timeout_s, timeout_s
        yield
        self.close()
        self.timeout_s = before

    def send(self, cls: type[Message], version: int, **values: Any) -> int:
        """Send a request (`fit`) without waiting; `receive` takes what this gives."""
        if not self._plan.allows(cls, version):
            raise NotServed(f"{self._name(cls)} {version} is not served by both")
        return self.wire().send(fit(cls, version, **values), version)

    def receive(
        self, response: type[M], version: int, correlation_id: int, note: str = "", show: Show | None = None
    ) -> M | None:
        """Record the answer that `send` has asked for, or its absence; None stands for no answer."""
        answer: M | None = None
        try:
            answer = self.wire().receive(response, version, correlation_id)
            outcome = show(answer) if show is not None else normal_form(answer, version, self._run.names)
        except TimeoutError:
            outcome = SILENT
            self.close()
        except (ConnectionError, OSError):
            outcome = CLOSED
            self.close()
        self._run.record(self._name(response), version, note, outcome)
        return answer

    def ask(self, cls: type[Message], version: int, note: str = "", show: Show | None = None, **values: Any) -> Any:
        """Send a request (`fit`) and record its answer, which is also given back: None when there was none.

        `show` says what of the answer is recorded, where its normal form would be each broker's own.
        """
        name = cls.__schema__.name.removesuffix("Request")
        response = message_class(f"{name}Response")
        try:
            correlation_id = self.send(cls, version, **values)
        except OSError:
            self.close()
            self._run.record(self._name(cls), version, note, CLOSED)
            return None
        return self.receive(response, version, correlation_id, note, show)

    def _name(self, cls: type[Message]) -> str:
        return cls.__schema__.name.removesuffix("Request").removesuffix("Response") + self._listener

    def close(self) -> None:
        """End the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class Run:
    """What a case is given: a client that records, and set-up that does not."""

    def __init__(self, target: OwnedTarget, case: str, plan: Plan = WHOLE) -> None:
        self.target = target
        self.case = case
        self.plan = plan
        port = int(target.bootstrap.rpartition(":")[2])
        self.names = Names(port, "", f"{plan.token}{case}", now_ms=[time.time() * 1000])
        self.names.host = target.bootstrap.rpartition(":")[0]
        self.names.node_id = target.node_id
        if not isinstance(target, ExternalTarget):
            self.names.data_dir = str(target.data_dir)
            self.names.controller_port = target.controller_port
        self.steps: list[Step] = []
        self._peers: list[Peer] = []
        self._topics = 0
        self.client = self.peer("compat")

    def record(self, api: str, version: int, note: str, outcome: Json) -> None:
        self.steps.append(Step(api, version, note, outcome))

    def peer(self, client_id: str) -> Peer:
        """A client with a connection of its own."""
        return self._peer(Peer(self, client_id, self.target.bootstrap))

    def controller(self) -> Peer:
        """A client of the controller's listener; its answers count as those of "API @controller"."""
        if isinstance(self.target, ExternalTarget):
            raise NotServed("the controller's listener of a server elsewhere is not known")
        return self._peer(Peer(self, "compat", f"127.0.0.1:{self.target.controller_port}", ON_CONTROLLER))

    def _peer(self, peer: Peer) -> Peer:
        self._peers.append(peer)
        return peer

    def ask(self, cls: type[Message], version: int, note: str = "", **values: Any) -> Any:
        """Ask by the case's own client and record the answer."""
        return self.client.ask(cls, version, note, **values)

    def close(self) -> None:
        for peer in self._peers:
            peer.close()

    def versions(self, request: type[Message], low: int = 0, high: int = 99) -> Sequence[int]:
        """The versions of an API to ask, between two bounds."""
        return self.plan.versions(request, low, high)

    # set-up

    def quiet(self, cls: type[Message], version: int, **values: Any) -> Any:
        """Ask without recording."""
        name = cls.__schema__.name.removesuffix("Request")
        if not self.plan.allows(cls, version):
            raise NotServed(f"{name} {version} is not served by both")
        return self.client.wire().ask(fit(cls, version, **values), version, message_class(f"{name}Response"))

    def new_name(self, of: str = "topic") -> str:
        """A name that is new on this broker and the same on the other one."""
        self._topics += 1
        return f"{self.plan.token}{self.case}.{of}{self._topics}".replace("[", ".").replace("]", "").replace("/", ".")

    def topic(self, partitions: int = 1, **configs: str) -> Topic:
        """Create a topic and wait until its partitions have leaders. `cleanup_policy` stands for cleanup.policy."""
        name = self.new_name()
        rows = [{"name": k.replace("_", "."), "value": value} for k, value in configs.items()]
        asked = {
            "name": name,
            "num_partitions": partitions,
            "replication_factor": 1,
            "assignments": [],
            "configs": rows,
        }
        created = self.quiet(CreateTopicsRequest, 7, topics=[asked], timeout_ms=30000).topics[0]
        if created.error_code:
            raise RuntimeError(f"{name}: error {created.error_code}, {created.error_message}")
        self.wait_for(name, partitions)
        self.names.call("id of", uuid_text(created.topic_id), name)
        return Topic(name, created.topic_id)

    def wait_for(self, name: str, partitions: int = 1) -> None:
        """Wait until the broker leads all partitions of a topic: metadata reaches it after the controller answers."""
        rows = [{"partition_index": i, "timestamp": -1} for i in range(partitions)]
        for _ in self.attempts(f"{name} has no leader"):
            answer = self.quiet(ListOffsetsRequest, 1, replica_id=-1, topics=[{"name": name, "partitions": rows}])
            if not any(p.error_code for p in answer.topics[0].partitions):
                return

    def settle(self) -> None:
        """Wait until the broker has seen every change that the controller has answered."""
        self.topic()

    def attempts(self, failure: str) -> Iterator[int]:
        """Numbers of attempts, some milliseconds apart; raises when they take too long."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        n = 0
        while time.monotonic() < deadline:
            yield n
            n += 1
            time.sleep(0.005 * min(n, 20))
        raise RuntimeError(f"{self.target.name}: {failure}")

    def produce(self, topic: Topic, *batches: bytes, partition: int = 0, acks: int = -1) -> int:
        """Append batches one after the other; gives the base offset of the last."""
        base_offset = -1
        for data in batches:
            answer = self.quiet(ProduceRequest, 9, **records_for(topic, data, partition=partition, acks=acks))
            result = answer.responses[0].partition_responses[0]
            if result.error_code:
                raise RuntimeError(f"produce to {topic.name}: error {result.error_code}, {result.error_message}")
            base_offset = result.base_offset
        return base_offset

    def producer_id(self) -> int:
        """A new producer id; the epoch is 0."""
        for _ in self.attempts("no producer id"):
            answer = self.quiet(InitProducerIdRequest, 4, transactional_id=None, transaction_timeout_ms=60000)
            if not answer.error_code:
                self.names.name("producer", answer.producer_id)
                return int(answer.producer_id)
        raise AssertionError

    # bytes that are no request

    def raw(self, note: str, data: bytes, *, half_close: bool = False, wait_s: float = 2.0) -> list[bytes]:
        """Send bytes on a connection of their own and record how it went: the frames that came, then the end."""
        if isinstance(self.target, ExternalTarget) and self.target.access != OPEN:
            raise NotServed("bytes that are no request cannot go through TLS or SASL")
        host, _, port = self.target.bootstrap.rpartition(":")
        frames: list[bytes] = []
        with socket.create_connection((host.strip("[]"), int(port)), timeout=wait_s) as connection:
            try:
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
                while (frame := _frame(connection)) is not None:
                    frames.append(frame)
                    connection.settimeout(_AFTER_FRAME_S)
                end = CLOSED
            except TimeoutError:
                end = "open"
            except OSError:
                end = CLOSED
        self.record("frame", 0, note, {"frames": [frame.hex() for frame in frames], "then": end})
        return frames


def _frame(connection: socket.socket) -> bytes | None:
    head = _receive(connection, 4)
    return None if head is None else _receive(connection, struct.unpack(">i", head)[0])


def _receive(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def records_for(topic: Topic, data: bytes | None, partition: int = 0, acks: int = -1, **more: Any) -> dict[str, Any]:
    """The values of a Produce request with one partition's records."""
    row = {"index": partition, "records": data}
    asked = {"name": topic.name, "topic_id": topic.topic_id, "partition_data": [row]}
    return {"acks": acks, "timeout_ms": 30000, "topic_data": [asked], **more}

"""Record what a broker answers to the group conversations: `python -m tests.server.handlers.record_groups [klamm]`.

Starts real Kafka 4.3.1 (needs a JVM and the jars that `compat.kafka_jars` fetches) and writes its answers to
tests/data/groups; with "klamm" it starts a klamm process instead and prints where its answers differ.
"""

from __future__ import annotations

import gzip
import importlib
import json
import socket
import struct
import sys
import time
from typing import Any

from compat.targets import KafkaTarget, KlammTarget
from klamm.kproto.apis import APIS
from klamm.kproto.messages.create_topics import CreateTopicsRequest
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest
from klamm.kproto.messages.heartbeat import HeartbeatRequest
from klamm.kproto.messages.metadata import MetadataRequest
from klamm.kproto.schema import Message
from klamm.kproto.uuids import uuid_text
from klamm.server.routes import SERVED
from tests.server.handlers.group_answers import Transcript
from tests.server.handlers.group_broker import NO_TOPIC
from tests.server.handlers.group_conversations import CONVERSATIONS, SETTINGS, TOPICS
from tests.server.handlers.test_group_conversations import RECORDED

PAUSE_S = 0.25  # for a request to be parked, or a topic's deletion to reach the coordinator


class _Connection:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._expected: tuple[type[Message], int, int] | None = None

    def send(self, version: int, request: Message, client_id: str | None) -> None:
        api = APIS[request.__schema__.key]
        text = b"\xff\xff" if client_id is None else struct.pack(">h", len(client_id)) + client_id.encode()
        tags = b"\x00" if api.request_header_version(version) == 2 else b""
        data = struct.pack(">hhi", api.key, version, 1) + text + tags + request.encode(version)
        self._socket.sendall(struct.pack(">i", len(data)) + data)
        module = importlib.import_module(f"klamm.kproto.messages.{SERVED[api.key]}")
        self._expected = getattr(module, f"{api.name}Response"), version, api.response_header_version(version)

    def receive(self) -> tuple[Any, int]:
        (size,) = struct.unpack(">i", self._read(4))
        data = self._read(size)
        assert self._expected is not None
        response, version, header = self._expected
        return response.decode(data[4 + header :], version), version

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            assert piece, "the broker closed the connection"
            data += piece
        return data


class OverSockets:
    """A speaker to a broker on 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connections: dict[str, _Connection] = {}
        self.conversation = ""
        self._prepare()
        self.transcript = Transcript({uuid_text(i): name for name, i in self.ids.items()})

    def _prepare(self) -> None:
        topic = CreateTopicsRequest.CreatableTopic
        topics = [
            topic(name=n, num_partitions=p, replication_factor=1, assignments=[], configs=[]) for n, p in TOPICS.items()
        ]
        self._call(7, CreateTopicsRequest(topics=topics, timeout_ms=10000))
        asked = [MetadataRequest.MetadataRequestTopic(name=name, topic_id=bytes(16)) for name in TOPICS]
        while True:
            found = self._call(12, MetadataRequest(topics=asked)).topics
            known = self._call(4, FindCoordinatorRequest(coordinator_keys=["g"])).coordinators[0]
            probes = [HeartbeatRequest(group_id=g, generation_id=1, member_id="m") for g in ("a", "b", "c")]
            if not any(t.error_code for t in found) and known.error_code == 0:
                codes = {self._call(4, probe).error_code for probe in probes}
                if codes == {25}:
                    break
            time.sleep(PAUSE_S)
        self.ids = {t.name: t.topic_id for t in found} | {"nope": NO_TOPIC}

    def _call(self, version: int, request: Message) -> Any:
        connection = self._of("prepare")
        connection.send(version, request, "c")
        return connection.receive()[0]

    def _of(self, who: str) -> _Connection:
        if who not in self._connections:
            self._connections[who] = _Connection(self._port)
        return self._connections[who]

    def ask(self, version: int, request: Message, who: str = "main", client_id: str | None = "c") -> Any:
        self._of(who).send(version, request, client_id)
        return self.finish(who)

    def start(self, version: int, request: Message, who: str) -> None:
        self._of(who).send(version, request, "c")
        time.sleep(PAUSE_S)

    def finish(self, who: str) -> Any:
        response, version = self._of(who).receive()
        self.transcript.add(self.conversation, who, response, version)
        return response

    def delete_topic(self, name: str) -> None:
        self._call(5, DeleteTopicsRequest(topic_names=[name], timeout_ms=10000))
        time.sleep(4 * PAUSE_S)


def main(name: str) -> None:
    target = KlammTarget(SETTINGS) if name == "klamm" else KafkaTarget(SETTINGS)
    target.start()
    try:
        speaker = OverSockets(target.port)
        for conversation in CONVERSATIONS:
            speaker.conversation = conversation.__name__
            conversation(speaker)
    finally:
        target.stop()
        target.remove()
    lines = speaker.transcript.lines
    if name != "klamm":
        RECORDED.parent.mkdir(parents=True, exist_ok=True)
        RECORDED.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))
        print(f"{len(lines)} answers of {name} written to {RECORDED}")
        return
    recorded = gzip.decompress(RECORDED.read_bytes()).decode().splitlines()
    different = [(a, b) for a, b in zip(recorded, lines, strict=False) if json.loads(a) != json.loads(b)]
    for theirs, ours in different:
        print(f"kafka {theirs}\nklamm {ours}")
    print(f"{len(recorded)} recorded, {len(lines)} of klamm, {len(different)} different")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "kafka")

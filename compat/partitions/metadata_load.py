"""Changes of the metadata by clients of every node: topics that come and go all the time, and what was seen of them."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence

from compat.cluster_kill.wire import ask_any, view, wait_until
from compat.partitions.linearizable import CREATE, DELETE, LOOK, Operation, is_linearizable
from klamm.kproto import errors
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.kproto.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse

NAMES = 4
TIMEOUT_S = 2.0
PAUSE_S = 0.05
_AGREE_S = 60.0
_LAG_S = 1.0
"""Brokers may know a little later than the client whose change it was; not all of them, nor for long."""
_CREATE_VERSION, _DELETE_VERSION = 7, 6
_REFUSED = {CREATE: errors.TOPIC_ALREADY_EXISTS, DELETE: errors.UNKNOWN_TOPIC_OR_PARTITION}


class History:
    """What all clients saw, by topic. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: dict[str, list[Operation]] = {}

    def add(self, name: str, operation: Operation) -> None:
        with self._lock:
            self._operations.setdefault(name, []).append(operation)

    @property
    def size(self) -> int:
        with self._lock:
            return sum(map(len, self._operations.values()))

    def answered(self) -> int:
        with self._lock:
            return sum(one.succeeded is not None for rows in self._operations.values() for one in rows)

    def contradictions(self) -> list[str]:
        """The topics whose history has no order, in words."""
        with self._lock:
            return [
                f"{name}: no order of {len(rows)} operations: {rows}"
                for name, rows in self._operations.items()
                if not is_linearizable(rows)
            ]


class Changer(threading.Thread):
    """Creates and deletes topics by one node, one at a time."""

    def __init__(self, address: str, names: Sequence[str], history: History, seed: int) -> None:
        super().__init__(name=f"changer-{address}", daemon=True)
        self._address = address
        self._names = list(names)
        self._history = history
        self._entropy = random.Random(seed)
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            name, kind = self._entropy.choice(self._names), self._entropy.choice((CREATE, DELETE))
            began = time.monotonic()
            code = self._ask_to_create(name) if kind == CREATE else self._ask_to_delete(name)
            ended = time.monotonic()
            succeeded = {errors.NONE: True, _REFUSED[kind]: False}.get(code) if code is not None else None
            self._history.add(name, Operation(kind, began, ended, succeeded))
            self._stopping.wait(PAUSE_S)

    def stop(self) -> None:
        self._stopping.set()
        self.join(30)

    def _ask_to_create(self, name: str) -> int | None:
        row = CreateTopicsRequest.CreatableTopic(
            name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]
        )
        request = CreateTopicsRequest(topics=[row], timeout_ms=round(TIMEOUT_S * 1000))
        answer = ask_any([self._address], request, _CREATE_VERSION, CreateTopicsResponse, TIMEOUT_S)
        return None if answer is None else answer.topics[0].error_code

    def _ask_to_delete(self, name: str) -> int | None:
        row = DeleteTopicsRequest.DeleteTopicState(name=name, topic_id=bytes(16))
        request = DeleteTopicsRequest(topics=[row], timeout_ms=round(TIMEOUT_S * 1000))
        answer = ask_any([self._address], request, _DELETE_VERSION, DeleteTopicsResponse, TIMEOUT_S)
        return None if answer is None else answer.responses[0].error_code


def look(addresses: Sequence[str], names: Sequence[str], history: History) -> list[str]:
    """Note which topics are there, once all brokers say the same; in words, what they do not agree on."""
    time.sleep(_LAG_S)
    seen: list[set[str]] = []

    def agree() -> bool:
        views = [view([address]) for address in addresses]
        seen[:] = [{p.topic for p in one.partitions} & set(names) for one in views if one is not None]
        return len(seen) == len(addresses) and all(one == seen[0] for one in seen)

    began = time.monotonic()
    if not wait_until(agree, _AGREE_S, 0.2):
        return [f"after {_AGREE_S} s without a partition the brokers still know different topics: {seen}"]
    ended = time.monotonic()
    for name in names:
        history.add(name, Operation(LOOK, began, ended, name in seen[0]))
    return []

"""A client program in another language, driven over its standard input and output, as a `compat.scenario.Client`.

One JSON object a line: `{"id", "op", "args"}` in, `{"id", "result"}` or `{"id", "error"}` out; README.md lists the
operations. Answers may come in any order. What decides pass or fail stands in `compat.scenario`, never in a program.
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from compat.scenario import Fetched, Record

ANSWER_TIMEOUT_S = 60.0
END_TIMEOUT_S = 10.0


class ProgramError(RuntimeError):
    """An operation failed in the program, or the program ended."""


class Program:
    """A running client program. Its standard error is kept for the report of a failure."""

    def __init__(self, command: Sequence[str], directory: Path | None = None) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the program
        self._process = subprocess.Popen(
            command, cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def begin(self, op: str, **args: object) -> Future[Any]:
        """Ask for an operation; the future gets its result. Operations begin in the order of these calls."""
        future: Future[Any] = Future()
        with self._lock:
            if self._ended:
                raise ProgramError(f"{op}: {self._why_ended()}")
            number = next(self._ids)
            self._waiting[number] = future
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"id": number, "op": op, "args": args}).encode() + b"\n")
            self._process.stdin.flush()
        return future

    def call(self, op: str, **args: object) -> Any:
        """The result of an operation; ProgramError when it failed."""
        return self.begin(op, **args).result(ANSWER_TIMEOUT_S)

    def close(self) -> None:
        """End the program; ProgramError when it does not end well by itself."""
        try:
            assert self._process.stdin is not None
            self._process.stdin.close()
            status = self._process.wait(END_TIMEOUT_S)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            status = None
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
            said = self._said()
            self._stderr.close()
        if status != 0:
            raise ProgramError(f"the program did not end well (status {status}):\n{said}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                future = self._waiting.pop(answer["id"])
            if "error" in answer:
                future.set_exception(ProgramError(answer["error"]))
            else:
                future.set_result(answer.get("result"))
        with self._lock:
            self._ended = True
            lost, self._waiting = self._waiting, {}
        for future in lost.values():
            future.set_exception(ProgramError(self._why_ended()))

    def _why_ended(self) -> str:
        return f"the program ended with status {self._process.wait()}:\n{self._said()}"

    def _said(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()[-6000:].decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except ProgramError:
            if error is None:
                raise


def _to_text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _to_bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def to_json(record: Record) -> dict[str, object]:
    """A record as programs take it; bytes are base64."""
    return {
        "partition": record.partition,
        "key": _to_text(record.key),
        "value": _to_text(record.value),
        "headers": [{"name": name, "value": _to_text(value)} for name, value in record.headers],
        "timestamp_ms": record.timestamp_ms,
    }


def from_json(item: dict[str, Any]) -> Fetched:
    """A record as programs give it."""
    headers = tuple((header["name"], _to_bytes(header["value"])) for header in item["headers"] or ())
    key, value = _to_bytes(item["key"]), _to_bytes(item["value"])
    return Fetched(item["offset"], Record(item["partition"], key, value, headers, item["timestamp_ms"]))


class _Producer:
    def __init__(self, program: Program, handle: int) -> None:
        self._program = program
        self._handle = handle
        self._sent: list[tuple[Record, Future[Any]]] = []

    def send(self, topic: str, record: Record) -> None:
        future = self._program.begin("producer.send", handle=self._handle, topic=topic, record=to_json(record))
        self._sent.append((record, future))

    def flush(self) -> list[Fetched]:
        sent, self._sent = self._sent, []
        return [Fetched(future.result(ANSWER_TIMEOUT_S), record) for record, future in sent]

    def close(self) -> None:
        self._program.call("producer.close", handle=self._handle)


class _Consumer:
    def __init__(self, program: Program, handle: int) -> None:
        self._program = program
        self._handle = handle

    def _call(self, op: str, **args: object) -> Any:
        return self._program.call(f"consumer.{op}", handle=self._handle, **args)

    def assign(self, topic: str) -> None:
        self._call("assign", topic=topic)

    def subscribe(self, topic: str) -> None:
        self._call("subscribe", topic=topic)

    def poll(self, timeout_ms: int) -> list[Fetched]:
        return [from_json(item) for item in self._call("poll", timeout_ms=timeout_ms) or ()]

    def assignment(self) -> frozenset[int]:
        return frozenset(self._call("assignment") or ())

    def commit(self) -> bool:
        done: bool = self._call("commit")
        return done

    def committed(self, topic: str) -> dict[int, int]:
        offsets = self._call("committed", topic=topic) or {}
        return {int(partition): offset for partition, offset in offsets.items()}

    def close(self) -> None:
        self._call("close")


class DrivenClient:
    """A client program as the scenario's `Client`. `options` go to every operation that opens something."""

    protocols: Sequence[str] = ("eager",)
    null_headers = True

    def __init__(self, program: Program, **options: object) -> None:
        self.program = program
        self._options = options
        self._handles = itertools.count(1)

    def create_topic(self, bootstrap: str, topic: str, partitions: int) -> None:
        self.program.call("create_topic", bootstrap=bootstrap, topic=topic, partitions=partitions, **self._options)

    def producer(self, bootstrap: str, *, compression: str, idempotent: bool) -> _Producer:
        handle = next(self._handles)
        self.program.call("producer.open", handle=handle, bootstrap=bootstrap, compression=compression,
                          idempotent=idempotent, **self._options)  # fmt: skip
        return _Producer(self.program, handle)

    def consumer(self, bootstrap: str, *, group: str | None, protocol: str = "eager") -> _Consumer:
        handle = next(self._handles)
        self.program.call("consumer.open", handle=handle, bootstrap=bootstrap, group=group, protocol=protocol,
                          **self._options)  # fmt: skip
        return _Consumer(self.program, handle)

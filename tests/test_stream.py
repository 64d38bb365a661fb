"""A socket's flow control: reading pauses for reasons, and what is sent leaves in few pieces."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from klamm.stream import Stream


class Transport(asyncio.Transport):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []
        self.is_closed = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")

    def write(self, data: Any) -> None:
        self.told.append(bytes(data))

    def writelines(self, chunks: Any) -> None:
        self.told.append([len(chunk) for chunk in chunks])

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def stream() -> tuple[Stream, Transport]:
    made, transport = Stream(), Transport()
    made.connection_made(transport)
    return made, transport


def test_it_is_read_again_when_every_reason_has_gone(stream: tuple[Stream, Transport]) -> None:
    made, transport = stream
    made.pause(1)
    made.pause(4)
    made.pause(4)
    made.resume(2)
    made.resume(4)
    assert transport.told == ["pause"] and made.is_paused_for(1) and not made.is_paused_for(4)
    made.resume(1)
    made.resume(1)
    assert transport.told == ["pause", "resume"]


def test_what_is_closed_is_left_alone(stream: tuple[Stream, Transport]) -> None:
    made, transport = stream
    made.pause(1)
    made.close()
    made.resume(1)
    assert transport.told == ["pause"] and not made.is_open
    made.transport = None
    made.send([b"a"])
    made.close()
    made.pause(1)
    assert transport.told == ["pause"]


def test_small_chunks_leave_in_one_piece(stream: tuple[Stream, Transport]) -> None:
    made, transport = stream
    made.send([b"a"])
    made.send([b"b", memoryview(b"c")])
    made.send([b"d", bytes(100_000)])
    assert transport.told == [b"a", b"bc", [1, 100_000]]

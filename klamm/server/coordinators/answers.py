"""Answers that may have to wait: values, or futures of them. Combined without a task for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

R = TypeVar("R")
S = TypeVar("S")
Answer: TypeAlias = R | asyncio.Future[R]


def chain(answer: Answer[R], then: Callable[[R], S]) -> Answer[S]:
    """`then` of the answer, now or when it comes."""
    if not isinstance(answer, asyncio.Future):
        return then(answer)
    chained: asyncio.Future[S] = asyncio.get_running_loop().create_future()

    def done(future: asyncio.Future[R]) -> None:
        if chained.done():
            return
        try:
            chained.set_result(then(future.result()))
        except Exception as error:
            chained.set_exception(error)

    answer.add_done_callback(done)
    return chained


def gather(answers: Sequence[Answer[list[R]]]) -> Answer[list[R]]:
    """All lists in one, when the last of them has come."""
    waiting = [answer for answer in answers if isinstance(answer, asyncio.Future)]
    if not waiting:
        return _joined(answers)
    combined: asyncio.Future[list[R]] = asyncio.get_running_loop().create_future()
    left = len(waiting)

    def done(_: asyncio.Future[list[R]]) -> None:
        nonlocal left
        left -= 1
        if left or combined.done():
            return
        try:
            combined.set_result(_joined(answers))
        except Exception as error:
            combined.set_exception(error)

    for answer in waiting:
        answer.add_done_callback(done)
    return combined


def _joined(answers: Sequence[Answer[list[R]]]) -> list[R]:
    found: list[R] = []
    for answer in answers:
        found.extend(answer.result() if isinstance(answer, asyncio.Future) else answer)
    return found

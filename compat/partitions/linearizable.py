"""Whether what clients saw of a topic's being created and deleted can have happened in one order, each change at one
moment between its request and its answer.

A topic is a register with two values. Creation succeeds if it is absent and fails if it is there, deletion the other
way round; a look tells which it is. A request without an answer may have been carried out, at any later time. One that
took long may have been carried out twice: a broker that loses its controller sends again what it has forwarded, and
only the second answer reaches the client.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

CREATE, DELETE, LOOK = "create", "delete", "look"
RESENT_AFTER_S = 0.3
"""An answer that came sooner is that of the only request."""
_STEPS_MAX = 2_000_000


@dataclass(frozen=True)
class Operation:
    """`succeeded` is whether it was carried out (for a look: whether the topic was there); None: no answer came."""

    kind: str
    began: float
    ended: float
    succeeded: bool | None


class _Step(NamedTuple):
    """A change or an observation at one moment from `began` to `ended`. `before` and `after`: the topic is there."""

    began: float
    ended: float
    before: bool
    after: bool


def is_linearizable(operations: Sequence[Operation], *, is_there: bool = False) -> bool:
    """Whether there is such an order, the topic being there or not at the beginning."""
    must: list[_Step] = []
    may: list[_Step] = []
    for operation in operations:
        goal = operation.kind == CREATE
        change = _Step(operation.began, operation.ended, not goal, goal)
        if operation.kind == LOOK:
            if operation.succeeded is not None:
                must.append(_Step(operation.began, operation.ended, operation.succeeded, operation.succeeded))
        elif operation.succeeded is None:
            may += [change._replace(ended=math.inf)] * 2
        else:
            must.append(change if operation.succeeded else change._replace(before=goal))
            if operation.ended - operation.began > RESENT_AFTER_S:
                may.append(change)
    return _Search(sorted(must), sorted(may)).succeeds(is_there)


class _Search:
    """Depth first, over which steps are left and whether the topic is there."""

    def __init__(self, must: list[_Step], may: list[_Step]) -> None:
        self._must = must
        self._may = may

    def succeeds(self, is_there: bool) -> bool:
        start = ((1 << len(self._must)) - 1, (1 << len(self._may)) - 1, is_there)
        seen = {start}
        open_states = [start]
        while open_states:
            state = open_states.pop()
            if not state[0]:
                return True
            for following in self._following(*state):
                if following not in seen:
                    seen.add(following)
                    open_states.append(following)
            if len(seen) > _STEPS_MAX:
                raise RuntimeError("too many requests without an answer: no order was found, and none ruled out")
        return False

    def _following(self, must: int, may: int, is_there: bool) -> list[tuple[int, int, bool]]:
        left = [step for number, step in enumerate(self._must) if must >> number & 1]
        # Whatever comes next must have begun before anything else that is left has ended.
        latest = min(step.ended for step in left)
        found = []
        for number, step in enumerate(self._must):
            if must >> number & 1 and step.began <= latest and step.before == is_there:
                found.append((must & ~(1 << number), may, step.after))
        for number, step in enumerate(self._may):
            # Two moments of the same kind stand for each other: the first that is left will do.
            is_next = number == 0 or not may >> (number - 1) & 1 or self._may[number - 1] != step
            if may >> number & 1 and is_next and step.began <= latest and step.before == is_there:
                found.append((must, may & ~(1 << number), step.after))
        return found

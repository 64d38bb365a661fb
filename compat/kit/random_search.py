"""More random requests by a seed; what two brokers answer differently is made as small as it goes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from compat.differential.card import Card
from compat.differential.cases.groups import create_internal_topics
from compat.differential.comparing import Difference, compare, describe, place
from compat.differential.drawing import NAMES, Draws, Pools, is_ambiguous, lowest, smaller
from compat.differential.known import explanation
from compat.differential.run import Plan, Run, Step, fit
from compat.kit.pairs import Pair
from compat.providers import OwnedTarget
from klamm.kproto.catalog import message_class
from klamm.kproto.schema import Message
from klamm.proxy.normal import normal_form

_TRIES = 600
_SHRUNK_AN_API = 3


class _Side(NamedTuple):
    run: Run
    pools: Pools


class _Search:
    """Random requests of one API on both brokers, in step."""

    def __init__(self, pair: Pair, api: str, plan: Plan, pool: ThreadPoolExecutor) -> None:
        self.case = f"random_requests.{api}"
        self._api = api
        self._request: type[Message] = message_class(f"{api}Request")
        self.versions = plan.versions(self._request, low=lowest(api, self._request.__schema__.key))
        self._pool = pool
        self._sides = list(pool.map(lambda target: _side(target, self.case, api, plan), (pair.left, pair.right)))

    def ask(self, version: int, draws: Draws) -> tuple[Step, Step] | None:
        """The two answers; None for a request that is not asked. All choices are in `draws.taken` then."""
        left, right = self._sides
        values = left.pools.message(self._request, version, draws)
        if is_ambiguous(self._api, values):
            return None
        others = right.pools.message(self._request, version, Draws(draws.taken))
        first, second = self._pool.map(
            lambda job: self._ask_one(version, *job), ((left.run, values), (right.run, others))
        )
        return first, second

    def _ask_one(self, version: int, run: Run, values: dict[str, Any]) -> Step:
        note = normal_form(fit(self._request, version, **values), version, run.names)
        run.ask(self._request, version, str(note), **values)
        return run.steps[-1]

    def differences(self, version: int, draws: Draws) -> list[Difference]:
        """Those that no known difference explains."""
        answers = self.ask(version, draws)
        return [] if answers is None else unexplained(self.case, *answers)

    def shrink(self, version: int, taken: Sequence[int], found: Sequence[Difference]) -> list[Difference]:
        """The smallest request that was found to differ at one of the same places, as its differences."""
        best, smallest = list(found), list(taken)
        places = set(map(place, found))
        tries = 0
        improved = True
        while improved and tries < _TRIES:
            improved = False
            for candidate in smaller(smallest):
                tries += 1
                draws = Draws(candidate)
                now = self.differences(version, draws)
                if set(map(place, now)) & places and _size(draws.taken) < _size(smallest):
                    best, smallest, improved = now, draws.taken, True
                    break
                if tries >= _TRIES:
                    break
        return best

    def close(self) -> None:
        for side in self._sides:
            side.run.close()


def _size(draws: Sequence[int]) -> tuple[int, int]:
    return len(draws), sum(draws)


def _side(target: OwnedTarget, case: str, api: str, plan: Plan) -> _Side:
    run = Run(target, case, plan)
    create_internal_topics(run)
    return _Side(run, Pools(run, api))


def unexplained(case: str, left: Step, right: Step) -> list[Difference]:
    """Where two answers differ for no known reason."""
    return [found for found in compare(case, [left], [right]) if explanation(found) is None]


def search(
    pair: Pair, card: Card, count: int, seed: int, note: Callable[[str], None], apis: Sequence[str] = NAMES
) -> dict[str, Any]:
    """`count` requests for each version of each API; the smallest form of what differed is in the result."""
    smallest: list[dict[str, Any]] = []
    asked = 0
    plan = pair.plan()
    with ThreadPoolExecutor(2) as pool:
        for api in apis:
            if not plan.versions(message_class(f"{api}Request")):
                continue
            note(f"random requests: {api}")
            one = _Search(pair, api, plan, pool)
            shrunk = 0
            lefts: list[Step] = []
            rights: list[Step] = []
            for version in one.versions:
                for number in range(count):
                    draws = Draws(random.Random(f"{seed}/{api}/{version}/{number}"))
                    answers = one.ask(version, draws)
                    if answers is None:
                        continue
                    asked += 1
                    lefts.append(answers[0])
                    rights.append(answers[1])
                    found = unexplained(one.case, *answers)
                    if found and shrunk < _SHRUNK_AN_API:
                        shrunk += 1
                        best = one.shrink(version, draws.taken, found)
                        smallest.append(
                            {"api": api, "version": version, "request": best[0].note, "differences": describe(best)}
                        )
            one.close()
            card.add(f"{one.case} (seed {seed})", lefts, compare(one.case, lefts, rights))
    return {"seed": seed, "requests": asked, "smallest": smallest}

"""A rolling restart: the nodes of a supervisor one after another, each when nothing is amiss with the cluster.

Two nodes away at a time could cost partitions their leaders and the quorum its majority: so whatever is amiss at the
beginning, or does not mend behind a restart, ends it. The active controller goes last: the quorum changes its leader
once.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from klamm.cli.cluster_facts import CONTROLLER, NotReached, ask_cluster

if TYPE_CHECKING:
    from klamm.cli.supervisor import Child
    from klamm.server.config.addresses import Address

MENDED_WITHIN_S: Final = 600.0
"""How long replicas may take to catch up behind a restart."""
_POLL_S: Final = 0.02
_LOOK_S: Final = 0.25
_ANSWER_MS: Final = 10_000.0


class View(NamedTuple):
    """What all brokers say. `amiss`: in words, empty if all is well. `fetched_ms_ago`: by voter, 0 for the leader."""

    amiss: str
    controller_id: int
    fetched_ms_ago: Mapping[int, int]


Look = Callable[[], Awaitable[View]]


async def look_at(brokers: Sequence[Address]) -> View:
    """Ask every broker, for one of them may not have heard yet of what another knows."""
    view = View("", -1, {})
    for address in brokers:
        try:
            state = await ask_cluster([address], _ANSWER_MS)
        except NotReached as error:
            return View(str(error), -1, {})
        quorum = state.quorum
        fetched = {voter.node_id: voter.fetched_ms_ago or 0 for voter in quorum.voters}
        view = View("; ".join(state.amiss), quorum.leader_id, fetched | {quorum.leader_id: 0})
        if view.amiss:
            break
    return view


class Interrupted(Exception):
    """Why not all nodes were restarted, in words."""


class RollingRestart:
    """`ask` for one at a time. `say` takes lines for people; `changed` is called when `facts` are others."""

    def __init__(
        self, children: Sequence[Child], look: Look, say: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        self._children = children
        self._look = look
        self._say = say
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._now: Child | None = None
        self._left: list[Child] = []
        self._error: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """For programs. `number` counts what was asked for; `node` is the one whose turn it is, null at the end."""
        return {
            "number": self._number,
            "node": None if self._now is None else self._now.node_id,
            "left": [child.node_id for child in self._left],
            "error": self._error,
        }

    def ask(self) -> None:
        """Begin, unless one is under way."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        self._error = None
        try:
            await self._in_turn()
        except Interrupted as error:
            self._error = str(error)
            self._say(f"the rolling restart has ended: {error}")
        self._now, self._left = None, []
        self._number += 1
        self._changed()

    async def _in_turn(self) -> None:
        if waiting := [child.name for child in self._children if not child.is_ready]:
            raise Interrupted(f"{', '.join(waiting)} not there")
        view = await self._look()
        if view.amiss:
            raise Interrupted(view.amiss)
        # Brokers before controllers of their own, as at a stop.
        self._left = sorted(
            self._children,
            key=lambda child: (child.node_id == view.controller_id, child.node.node.roles == (CONTROLLER,)),
        )
        while self._left:
            self._now = self._left.pop(0)
            self._changed()
            began = time.monotonic()
            await self._restart(self._now)
            back = time.monotonic()
            await self._mended(self._now, back)
            mended_s = time.monotonic() - back
            self._say(f"{self._now.name} was away for {back - began:.1f} s, all was well {mended_s:.1f} s later")

    async def _restart(self, child: Child) -> None:
        """Have one node stop in order and start again; it serves then."""
        before = child.process
        child.is_to_return = True
        child.send(signal.SIGTERM)
        while child.process is before or not child.is_ready:
            if child.has_ended:
                raise Interrupted(f"{child.name} did not come back")
            await asyncio.sleep(_POLL_S)

    async def _mended(self, child: Child, back: float) -> None:
        """Wait until all is well, and the node takes part in the quorum if it votes."""
        while True:
            view = await self._look()
            since_ms = (time.monotonic() - back) * 1000
            if not view.amiss and view.fetched_ms_ago.get(child.node_id, 0) <= since_ms:
                return
            if since_ms > MENDED_WITHIN_S * 1000:
                raise Interrupted(f"{child.name} is back, but {view.amiss or 'does not take part in the quorum'}")
            await asyncio.sleep(_LOOK_S)

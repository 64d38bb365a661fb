"""The disk of a simulated node and what works on it: threads become jobs that take virtual time.

Jobs of one lane stay in order, those of different lanes overtake each other, and a crash comes between any two of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from klamm.log import partition_log
from klamm.log.faulty_disk import FaultyDisk
from klamm.log.io_thread import Done, InlineIo, Work
from klamm.metadata.raft import election_state
from klamm.server import connection, dispatch, listener
from tests.sim.sim_loop import Owner, SimLoop

SCRATCH_BYTES = 2048
"""Requests up to this size are served out of the buffer that all connections share."""
LARGE_WRITE_BYTES = 2500
"""Appends of this size and more go by way of the writer here, so that both ways of writing meet. More than
SCRATCH_BYTES, as in earnest: what is still to be written stands in a buffer of its own."""


class SimDisk(FaultyDisk):
    """A disk that is as slow as `delay_ms` says: how long a job takes on it, drawn up to that."""

    def __init__(self, seed: int, *, is_ordered: bool, delay_ms: float) -> None:
        super().__init__(seed, is_ordered=is_ordered, sector_bytes=512)
        self.delay_ms = delay_ms
        self.votes: dict[int, int] = {}
        """Epoch of the quorum to whom this node has voted for in it, over all of its lives."""
        self.on_second_vote: Callable[[str], None] = lambda _: None

    def write_atomic(self, path: str, data: bytes) -> None:
        super().write_atomic(path, data)
        if path.endswith("/" + election_state.FILE):
            election = election_state.decode(data)
            if election.voted_id >= 0:
                self.voted(election.epoch, election.voted_id)

    def voted(self, epoch: int, candidate_id: int) -> None:
        """The node has written a vote down, or has told somebody of it."""
        voted_id = self.votes.setdefault(epoch, candidate_id)
        if voted_id != candidate_id:
            self.on_second_vote(f"for {voted_id} and {candidate_id} in epoch {epoch}")


class SimIo:
    """`klamm.log.io_thread.IoThread` in virtual time. Its jobs are its owner's: they die and stand still with it."""

    def __init__(self, loop: SimLoop, owner: Owner, delay_ms: Callable[[], float]) -> None:
        self._loop, self._owner, self._delay_ms = loop, owner, delay_ms
        self._lanes: dict[Hashable, deque[tuple[Work, Done]]] = {}
        self._ended: deque[tuple[Done, BaseException | None]] = deque()

    def submit(self, work: Work, done: Done, lane: Hashable = None) -> None:
        jobs = self._lanes.setdefault(lane, deque())
        jobs.append((work, done))
        if len(jobs) == 1:
            self._plan(lane)

    def _plan(self, lane: Hashable) -> None:
        self._owner.call_after(self._delay_ms() * self._loop.random.random(), self._run, lane)

    def _run(self, lane: Hashable) -> None:
        if lane not in self._lanes:
            return  # drained meanwhile
        self._do(lane)
        if lane in self._lanes:
            self._plan(lane)
        # As a thread hands the end over to the loop, a little later and not at once.
        self._owner.call_after(self._loop.random.random() * 0.1, self._deliver)

    def _do(self, lane: Hashable) -> None:
        jobs = self._lanes[lane]
        work, done = jobs.popleft()
        if not jobs:
            del self._lanes[lane]
        InlineIo().submit(work, lambda error: self._ended.append((done, error)))

    def _deliver(self) -> None:
        while self._ended:
            done, error = self._ended.popleft()
            done(error)

    def drain(self) -> None:
        while self._lanes:
            self._do(self._loop.random.choice(list(self._lanes)))
        self._deliver()

    def close(self) -> None:
        while self._lanes or self._ended:
            self.drain()


@contextmanager
def small_sizes() -> Iterator[None]:
    """The sizes at which the nodes take another way are so small within that the records here meet both ways."""
    with ExitStack() as stack:
        for module in (connection, dispatch, listener):
            stack.enter_context(mock.patch.object(module, "SCRATCH_BYTES", SCRATCH_BYTES))
        stack.enter_context(mock.patch.object(partition_log, "LARGE_WRITE_BYTES", LARGE_WRITE_BYTES))
        yield

"""Brokers, a controller and a network as values, around the rules of `klamm/log/isr.py` and `following.py`.

One partition. Time is a heap of events, chance is a seed. A broker's log loses what was not synced when it crashes;
messages are late, lost, repeated and overtake each other. The checker looks at every high watermark that moves, every
election and every cut: what was committed once is the same for everybody and for ever.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from klamm.kproto import errors
from klamm.log import following
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.following import Following, State
from klamm.log.isr import IsrChange, Replication

LAG_MAX_MS = 500
RPC_TIMEOUT_MS = 400
CONTROLLER = 0
SESSION_CHECKS = 3


class Violation(Exception):
    """What must never be."""


class Brokers(NamedTuple):
    """What the metadata says of one broker."""

    epoch: int
    fenced: bool


class Metadata(NamedTuple):
    """What the controller publishes; `version` grows by one with each change."""

    version: int
    leader: int
    leader_epoch: int
    partition_epoch: int
    isr: tuple[int, ...]
    elr: tuple[int, ...]
    brokers: dict[int, Brokers]


class SimLog:
    """A log of (epoch, value). What is below `synced` survives a crash, and a part of the rest may."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int]] = []
        self.epochs = LeaderEpochs()
        self.synced = 0
        self.high_watermark = 0

    @property
    def log_end_offset(self) -> int:
        return len(self.entries)

    def end_offset_for_epoch(self, epoch: int) -> tuple[int, int]:
        return self.epochs.end_offset_for(epoch, len(self.entries))

    def append(self, epoch: int, value: int) -> None:
        if epoch != self.epochs.latest_epoch:
            self.epochs.assign(epoch, len(self.entries))
        self.entries.append((epoch, value))

    def truncate(self, offset: int) -> None:
        del self.entries[offset:]
        self.epochs.truncate_from_end(min(offset, len(self.entries)))
        self.synced = min(self.synced, len(self.entries))

    def crash(self, kept: int, checkpointed: int) -> None:
        del self.entries[kept:]
        self.synced = min(self.synced, kept)
        # Recovery takes the epochs from the records.
        self.epochs = LeaderEpochs()
        for offset, (epoch, _) in enumerate(self.entries):
            self.epochs.assign(epoch, offset)
        self.high_watermark = min(checkpointed, kept)


class Fetch(NamedTuple):
    """A follower's request."""

    replica_id: int
    broker_epoch: int
    leader_epoch: int
    offset: int
    last_epoch: int


class Answer(NamedTuple):
    """A leader's answer."""

    code: int = errors.NONE
    entries: tuple[tuple[int, int], ...] = ()
    high_watermark: int = -1
    diverging: tuple[int, int] | None = None
    log_end: int = 0


class Controller:
    """Kafka's rules for one partition, with eligible leader replicas (KIP-966); it never crashes."""

    def __init__(self, world: World, ids: Iterable[int], min_isr: int) -> None:
        self.world, self.min_isr = world, min_isr
        ids = tuple(ids)
        self.replicas = ids
        self.now = Metadata(1, ids[0], 0, 0, ids, (), {i: Brokers(i, False) for i in ids})
        self.last_epoch = max(ids)
        self.missed = dict.fromkeys(ids, 0)

    def _publish(self, **fields: Any) -> None:
        self.now = self.now._replace(version=self.now.version + 1, **fields)
        for broker in self.world.brokers.values():
            self.world.send(CONTROLLER, broker.node_id, broker.on_metadata, self.now, is_reliable=True)

    def check_sessions(self) -> None:
        world = self.world
        for broker in world.brokers.values():
            i = broker.node_id
            is_heard = broker.is_up and not world.is_cut(i, CONTROLLER) and not world.is_cut(CONTROLLER, i)
            self.missed[i] = 0 if is_heard else self.missed[i] + 1
            if is_heard and broker.epoch != self.now.brokers[i].epoch:
                self._register(broker)
            elif self.missed[i] >= SESSION_CHECKS and not self.now.brokers[i].fenced:
                self._fence(i)
            elif is_heard and self.now.brokers[i].fenced and broker.known == self.now.version:
                self._unfence(i)
        world.after(100, self.check_sessions)

    def _register(self, broker: SimBroker) -> None:
        """Another life of a broker: after an unclean stop nobody knows what it still has."""
        i = broker.node_id
        self.last_epoch += 1
        broker.epoch = self.last_epoch
        brokers = {**self.now.brokers, i: Brokers(self.last_epoch, True)}
        isr, elr = self.now.isr, self.now.elr
        if not broker.was_clean:
            elr = tuple(j for j in elr if j != i)
            if i in isr:
                isr, elr = self._without(i)
                elr = tuple(j for j in elr if j != i)
        else:
            isr, elr = self._without(i)
        self._change(isr, elr, brokers)

    def _fence(self, i: int) -> None:
        isr, elr = self._without(i)
        self._change(isr, elr, {**self.now.brokers, i: self.now.brokers[i]._replace(fenced=True)})

    def _unfence(self, i: int) -> None:
        brokers = {**self.now.brokers, i: self.now.brokers[i]._replace(fenced=False)}
        self._change(self.now.isr, self.now.elr, brokers)

    def _without(self, i: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        isr = tuple(j for j in self.now.isr if j != i)
        return isr, self._eligible(isr)

    def _eligible(self, isr: tuple[int, ...]) -> tuple[int, ...]:
        if len(isr) >= self.min_isr:
            return ()
        return tuple(sorted({*self.now.isr, *self.now.elr} - set(isr)))

    def _change(self, isr: tuple[int, ...], elr: tuple[int, ...], brokers: dict[int, Brokers]) -> None:
        now = self.now
        leader, leader_epoch = now.leader, now.leader_epoch
        has_moved = leader < 0 or brokers[leader].fenced or leader not in isr
        if has_moved:
            leader = next((i for i in self.replicas if i in isr and not brokers[i].fenced), -1)
            if leader < 0:
                leader = next((i for i in self.replicas if i in elr and not brokers[i].fenced), -1)
                if leader >= 0:
                    isr, elr = (leader,), tuple(i for i in elr if i != leader)
        if leader != now.leader:
            leader_epoch = self.next_leader_epoch(leader_epoch)
        is_same = (leader, leader_epoch, isr, elr) == (now.leader, now.leader_epoch, now.isr, now.elr)
        self._publish(
            leader=leader,
            leader_epoch=leader_epoch,
            partition_epoch=now.partition_epoch + (not is_same),
            isr=isr,
            elr=elr,
            brokers=brokers,
        )

    def next_leader_epoch(self, leader_epoch: int) -> int:
        return leader_epoch + 1

    def alter_partition(self, broker_id: int, change: IsrChange) -> tuple[int, Metadata]:
        now = self.now
        if now.leader != broker_id or change.leader_epoch != now.leader_epoch:
            return errors.FENCED_LEADER_EPOCH, now
        if change.partition_epoch != now.partition_epoch:
            return errors.INVALID_UPDATE_VERSION, now
        for i, epoch in change.isr:
            if now.brokers[i].fenced or epoch not in (-1, now.brokers[i].epoch):
                return errors.INELIGIBLE_REPLICA, now
        isr = tuple(i for i, _ in change.isr)
        if isr != now.isr:
            self._publish(isr=isr, elr=self._eligible(isr), partition_epoch=now.partition_epoch + 1)
        return errors.NONE, self.now


class SimBroker:
    """One broker: its log, and its role as far as it has heard."""

    def __init__(self, world: World, node_id: int) -> None:
        self.world, self.node_id = world, node_id
        self.log = SimLog()
        self.is_up = True
        self.was_clean = True
        self.epoch = node_id
        self.life = 0
        self.known = 0
        self.metadata: Metadata | None = None
        self.leading: Replication | None = None
        self.following: Following | None = None
        self.waiting: list[tuple[int, int]] = []
        self._fetch_id = 0

    # -- life --

    def stop(self, *, clean: bool) -> None:
        log, draw = self.log, self.world.random
        # As in Kafka, the note of a clean stop bears the epoch of this life: without one it counts for nothing.
        self.is_up, self.was_clean = False, clean and self.epoch >= 0
        self.life += 1
        self.leading = self.following = None
        self.waiting.clear()
        if clean:
            log.synced = log.log_end_offset
        else:
            kept = draw.randint(log.synced, log.log_end_offset)
            log.crash(kept, draw.randint(0, log.high_watermark))

    def start(self) -> None:
        if not self.is_up:
            self.is_up = True
            self.epoch = -1  # to be given by the controller
            self.known = 0
            self.metadata = None
            world = self.world
            world.send(CONTROLLER, self.node_id, self.on_metadata, world.controller.now, is_reliable=True)
            world.after(LAG_MAX_MS / 2, self._check_isr, self.life)
            world.after(world.random.uniform(5, 80), self._sync, self.life)

    def _sync(self, life: int) -> None:
        if life == self.life:
            self.log.synced = self.log.log_end_offset
            self.world.after(self.world.random.uniform(20, 400), self._sync, life)

    # -- roles --

    def on_metadata(self, metadata: Metadata) -> None:
        if not self.is_up or metadata.version <= self.known:
            return
        if metadata.brokers[self.node_id].epoch != self.epoch:
            # Roles of an earlier life, whose log may have had more: nothing is done before the registration is seen.
            self.known = metadata.version
            return
        before, self.metadata, self.known = self.metadata, metadata, metadata.version
        if metadata.leader == self.node_id:
            self._lead(metadata)
        elif before is None or before.leader_epoch != metadata.leader_epoch or self.leading is not None:
            self._follow(metadata)

    def _lead(self, metadata: Metadata) -> None:
        world, log = self.world, self.log
        replication = self.leading
        if replication is None:
            world.checker.elected(self, metadata)
            replication = self.leading = Replication(self.node_id, LAG_MAX_MS)
            replication.min_isr = world.controller.min_isr
            self.following = None
            self._fetch_id += 1
        replication.lead(
            world.controller.replicas,
            metadata.isr,
            metadata.leader_epoch,
            metadata.partition_epoch,
            log.log_end_offset,
            world.now_ms,
        )
        log.epochs.assign(metadata.leader_epoch, log.log_end_offset)
        self.advance()

    def _follow(self, metadata: Metadata) -> None:
        log = self.log
        self.leading = None
        self.waiting.clear()
        self._fetch_id += 1
        self.following = None
        if metadata.leader >= 0:
            self.following = following.begin(
                metadata.leader_epoch, log.epochs.latest_epoch, log.log_end_offset, log.high_watermark
            )
            if self.following.state is State.TRUNCATING:
                self._cut(self.following.fetch_offset)
            self._fetch()

    def is_eligible(self, replica_id: int, broker_epoch: int | None) -> bool:
        assert self.metadata is not None
        known = self.metadata.brokers[replica_id]
        return not known.fenced and broker_epoch is not None and broker_epoch in (-1, known.epoch)

    # -- leading --

    def produce(self, value: int) -> None:
        replication = self.leading
        if replication is None or replication.is_under_min_isr:
            return
        self.log.append(replication.leader_epoch, value)
        self.waiting.append((self.log.log_end_offset, value))
        self.advance()

    def advance(self) -> None:
        replication, log = self.leading, self.log
        if replication is None:
            return
        offset = replication.high_watermark(log.log_end_offset, self.world.now_ms, self.is_eligible)
        if offset is not None and offset > log.high_watermark:
            self._commit(min(offset, log.log_end_offset))
            while self.waiting and self.waiting[0][0] <= log.high_watermark:
                end, value = self.waiting.pop(0)
                if replication.has_enough_for_acks:
                    self.world.checker.acknowledged(end - 1, value)

    def _commit(self, high_watermark: int) -> None:
        before, self.log.high_watermark = self.log.high_watermark, high_watermark
        self.world.checker.committed_at(self, before, high_watermark)

    def on_fetch(self, fetch: Fetch) -> Answer | None:
        """Answer a follower, as `server/follower_fetch.py` does."""
        replication, log, metadata = self.leading, self.log, self.metadata
        if not self.is_up:
            return None
        if replication is None or metadata is None:
            return Answer(errors.NOT_LEADER_OR_FOLLOWER)
        if fetch.leader_epoch != replication.leader_epoch:
            is_old = fetch.leader_epoch < replication.leader_epoch
            return Answer(errors.FENCED_LEADER_EPOCH if is_old else errors.UNKNOWN_LEADER_EPOCH)
        if fetch.broker_epoch < metadata.brokers[fetch.replica_id].epoch:
            return Answer(errors.NOT_LEADER_OR_FOLLOWER)
        if fetch.last_epoch >= 0:
            epoch, end = log.end_offset_for_epoch(fetch.last_epoch)
            if end < 0:
                return Answer(errors.OFFSET_OUT_OF_RANGE, log_end=log.log_end_offset)
            if epoch < fetch.last_epoch or end < fetch.offset:
                return Answer(diverging=(epoch, end), high_watermark=log.high_watermark)
        if fetch.offset > log.log_end_offset:
            return Answer(errors.OFFSET_OUT_OF_RANGE, log_end=log.log_end_offset)
        entries = tuple(log.entries[fetch.offset : fetch.offset + self.world.random.randint(1, 5)])
        self._fetched(replication, fetch)
        return Answer(entries=entries, high_watermark=log.high_watermark)

    def _fetched(self, replication: Replication, fetch: Fetch) -> None:
        follower, log = replication.followers[fetch.replica_id], self.log
        follower.fetched(fetch.offset, 0, log.log_end_offset, self.world.now_ms, fetch.broker_epoch)
        if fetch.replica_id not in replication.isr:
            change = replication.expansion(fetch.replica_id, log.high_watermark, self.epoch, self.is_eligible)
            if change is not None:
                self._propose(change)
        self.advance()

    def _check_isr(self, life: int) -> None:
        if life != self.life:
            return
        if self.leading is not None:
            change = self.leading.shrink(self.log.log_end_offset, self.world.now_ms, self.epoch)
            if change is not None:
                self._propose(change)
            self.advance()
        self.world.after(LAG_MAX_MS / 2, self._check_isr, life)

    def _propose(self, change: IsrChange) -> None:
        world, replication, life = self.world, self.leading, self.life

        def arrived() -> None:
            code, now = world.controller.alter_partition(self.node_id, change)
            world.send(CONTROLLER, self.node_id, answered, code, now)

        def answered(code: int, now: Metadata) -> None:
            if replication is None or self.leading is not replication or life != self.life:
                return
            if code:
                if replication.refused(change, code):
                    self._propose(change)
            elif replication.altered(change, now.leader_epoch, now.partition_epoch, now.isr, 0):
                self.advance()

        def expired() -> None:
            if replication is not None and self.leading is replication and replication.is_under_way(change):
                answered(errors.REQUEST_TIMED_OUT, world.controller.now)

        world.send(self.node_id, CONTROLLER, arrived)
        world.after(RPC_TIMEOUT_MS, expired)

    # -- following --

    def _fetch(self) -> None:
        state, metadata, world = self.following, self.metadata, self.world
        if state is None or metadata is None or metadata.leader < 0 or state.state is State.FAILED:
            return
        self._fetch_id += 1
        fetch_id, life = self._fetch_id, self.life
        leader = world.brokers[metadata.leader]
        fetch = Fetch(self.node_id, self.epoch, state.leader_epoch, state.fetch_offset, state.last_fetched_epoch)

        def arrived() -> None:
            answer = leader.on_fetch(fetch)
            if answer is not None:
                world.send(leader.node_id, self.node_id, answered, answer)

        def answered(answer: Answer) -> None:
            if fetch_id == self._fetch_id and life == self.life:
                self._take(state, answer)

        def expired() -> None:
            if fetch_id == self._fetch_id and life == self.life:
                self._fetch()

        world.send(self.node_id, leader.node_id, arrived)
        world.after(RPC_TIMEOUT_MS, expired)

    def _take(self, state: Following, answer: Answer) -> None:
        log = self.log
        wait_ms = 5.0
        if answer.code:
            verdict = following.judge(answer.code, state.leader_epoch, state.leader_epoch)
            wait_ms = 50
            if verdict is following.Verdict.ASK_OFFSETS:
                self._cut(following.restart(log.log_end_offset, 0, answer.log_end).offset)
                state.resume(log.log_end_offset, log.epochs.latest_epoch)
            elif verdict is following.Verdict.FAIL:
                state.state = State.FAILED
        elif answer.diverging is not None:
            self._cut(following.truncation(log, *answer.diverging, state.fetch_offset).offset)
            state.resume(log.log_end_offset, log.epochs.latest_epoch)
        else:
            for epoch, value in answer.entries:
                log.append(epoch, value)
            state.fetched(log.log_end_offset, log.epochs.latest_epoch, answer.high_watermark)
            high_watermark = self.bounded(answer.high_watermark)
            if high_watermark > log.high_watermark:
                self._commit(high_watermark)
            wait_ms = 1.0 if answer.entries else 20.0
        self._fetch_id += 1
        self.world.after(wait_ms * self.world.random.uniform(0.5, 1.5), self._fetch_again, self._fetch_id, self.life)

    def bounded(self, high_watermark: int) -> int:
        """A follower commits what its leader has committed, as far as it has it."""
        return min(high_watermark, self.log.log_end_offset)

    def _fetch_again(self, fetch_id: int, life: int) -> None:
        if fetch_id == self._fetch_id and life == self.life:
            self._fetch()

    def _cut(self, offset: int) -> None:
        self.world.checker.cut(self, offset)
        self.log.truncate(offset)


class Checker:
    """What is committed, for ever: one value an offset."""

    def __init__(self) -> None:
        self.committed: list[tuple[int, int]] = []
        self.acks = 0
        self.elections = 0
        self.cuts = 0

    def committed_at(self, broker: SimBroker, before: int, high_watermark: int) -> None:
        entries, committed = broker.log.entries, self.committed
        if high_watermark < before:
            raise Violation(f"the high watermark of {broker.node_id} went back from {before} to {high_watermark}")
        if high_watermark > len(entries):
            raise Violation(f"{broker.node_id} has its high watermark at {high_watermark} of {len(entries)}")
        for offset in range(before, high_watermark):
            if offset == len(committed):
                committed.append(entries[offset])
            elif committed[offset] != entries[offset]:
                raise Violation(
                    f"{broker.node_id} commits {entries[offset]} at {offset}, where {committed[offset]} was committed"
                )

    def acknowledged(self, offset: int, value: int) -> None:
        self.acks += 1
        if offset >= len(self.committed) or self.committed[offset][1] != value:
            raise Violation(f"{value} was acknowledged at {offset}, where it is not committed")

    def elected(self, broker: SimBroker, metadata: Metadata) -> None:
        self.elections += 1
        has = broker.log.entries[: len(self.committed)]
        if metadata.version == broker.world.controller.now.version and has != self.committed:
            first = next((i for i, row in enumerate(self.committed) if i >= len(has) or has[i] != row), 0)
            raise Violation(f"{broker.node_id} was elected without what is committed at {first}")

    def cut(self, broker: SimBroker, offset: int) -> None:
        log = broker.log
        self.cuts += offset < log.log_end_offset
        if offset < log.high_watermark:
            raise Violation(f"{broker.node_id} cuts its log to {offset}, its high watermark is {log.high_watermark}")


class World:
    """The heap, the network and the faults of one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_ms = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.cut: set[tuple[int, int]] = set()
        self.is_chaos = True
        draw = self.random
        self.loss = draw.choice((0.0, 0.02, 0.1))
        self.delay_ms = draw.choice((1.0, 5.0, 30.0))
        count = draw.choice((2, 3, 3, 3, 4, 5))
        self.checker = Checker()
        self.brokers = {i: SimBroker(self, i) for i in range(1, count + 1)}
        self.controller = Controller(self, self.brokers, draw.randint(2, max(2, count - 1)))
        for broker in self.brokers.values():
            self.send(CONTROLLER, broker.node_id, broker.on_metadata, self.controller.now, is_reliable=True)
            self.after(LAG_MAX_MS / 2, broker._check_isr, 0)
            self.after(draw.uniform(5, 80), broker._sync, 0)
        self.after(100, self.controller.check_sessions)

    def after(self, delay_ms: float, call: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now_ms + delay_ms, self._count, call, arguments))

    def is_cut(self, sender: int, receiver: int) -> bool:
        return (sender, receiver) in self.cut

    def send(
        self, sender: int, receiver: int, call: Callable[..., None], *arguments: Any, is_reliable: bool = False
    ) -> None:
        """`is_reliable`: it arrives some time (metadata, which brokers fetch until they have it)."""
        draw = self.random
        if self.is_chaos and self.is_cut(sender, receiver):
            if is_reliable:
                self.after(50, self._again, sender, receiver, call, arguments)
            return
        if not is_reliable and self.is_chaos and draw.random() < self.loss:
            return
        delay_ms = self.delay_ms * draw.uniform(0.2, 1.8)
        if self.is_chaos and draw.random() < 0.05:
            delay_ms *= draw.choice((10, 40))
        self.after(delay_ms, call, *arguments)
        if not is_reliable and self.is_chaos and draw.random() < self.loss:
            self.after(delay_ms * draw.uniform(1, 20), call, *arguments)

    def _again(self, sender: int, receiver: int, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.send(sender, receiver, call, *arguments, is_reliable=True)

    def run_until(self, end_ms: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= end_ms:
            self.now_ms, _, call, arguments = heapq.heappop(heap)
            self.steps += 1
            call(*arguments)
        self.now_ms = end_ms

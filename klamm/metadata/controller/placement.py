"""Where new replicas go: striped over racks and, within a rack, over brokers; the leader never on a fenced broker.

Every partition starts one rack further, and every round over a rack one broker further, so that leaders and pairs of
replicas spread evenly. Where the stripes begin is drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError

T = TypeVar("T")


class UsableBroker(NamedTuple):
    """A broker that may get replicas. A fenced one only when no other is left, and never the first replica."""

    broker_id: int
    rack: str | None
    fenced: bool


class _Stripe:
    """Brokers of one rack that are alike. A new round starts one broker further than the last one did."""

    def __init__(self, brokers: list[int], randrange: Callable[[int], int]) -> None:
        self.brokers = sorted(brokers)
        self._offset = randrange(len(brokers)) if brokers else 0
        self._round = 0
        self._given = 0

    def take(self, round_number: int) -> int | None:
        """The next broker of this round, None when all have been given."""
        count = len(self.brokers)
        if not count:
            return None
        if self._round != round_number:
            self._round = round_number
            self._given = 0
            self._offset = (self._offset + 1) % count
        if self._given == count:
            return None
        broker = self.brokers[(self._offset + self._given) % count]
        self._given += 1
        return broker


class _Rack:
    def __init__(self, brokers: list[UsableBroker], randrange: Callable[[int], int]) -> None:
        # The order of these two is Kafka's order of drawing.
        self.fenced = _Stripe([b.broker_id for b in brokers if b.fenced], randrange)
        self.unfenced = _Stripe([b.broker_id for b in brokers if not b.fenced], randrange)

    def take(self, round_number: int) -> int | None:
        broker = self.unfenced.take(round_number)
        return self.fenced.take(round_number) if broker is None else broker


def place(
    partitions: int, replication_factor: int, brokers: Iterable[UsableBroker], randrange: Callable[[int], int]
) -> list[list[int]]:
    """The replicas of each new partition, the preferred leader first. Raises KafkaError INVALID_REPLICATION_FACTOR.

    `randrange(n)` draws from [0, n).
    """
    usable = list(brokers)
    if replication_factor <= 0:
        raise _invalid(f"Invalid replication factor {replication_factor}: the replication factor must be positive.")
    if all(broker.fenced for broker in usable):
        raise _invalid("All brokers are currently fenced, or have all their log directories cordoned.")
    if replication_factor > len(usable):
        raise _invalid(
            f"The target replication factor of {replication_factor} cannot be reached because only "
            f"{len(usable)} broker(s) are registered or some brokers have all their log directories cordoned."
        )
    by_rack: dict[str | None, list[UsableBroker]] = {}
    for broker in usable:
        by_rack.setdefault(broker.rack, []).append(broker)
    names = sorted(by_rack, key=lambda name: (name is not None, name or ""))
    racks = [_Rack(by_rack[name], randrange) for name in names]
    layout = _Layout(racks, sum(not broker.fenced for broker in usable), randrange)
    return [layout.next(replication_factor) for _ in range(partitions)]


class _Layout:
    def __init__(self, racks: list[_Rack], unfenced: int, randrange: Callable[[int], int]) -> None:
        self._racks = racks
        self._all_racks = tuple(racks)
        self._unfenced = unfenced
        self._randrange = randrange
        self._offset = randrange(len(racks))
        self._round = 0

    def next(self, replication_factor: int) -> list[int]:
        if self._round == self._unfenced and self._unfenced > 1:
            # As many partitions as brokers: mix, so that the same assignments do not come again.
            self._shuffle()
            self._round = 0
        racks, count = self._racks, len(self._racks)
        at = self._offset % count
        leader = None
        for first in range(at, at + count):
            leader = racks[first % count].unfenced.take(self._round)
            if leader is not None:
                break
        assert leader is not None  # some broker is unfenced, and every round gives each of them once
        replicas = [leader]
        skip = first % count
        while len(replicas) < replication_factor:
            if at == skip:
                skip = -1  # the leader's rack has given its share of this lap
            else:
                broker = racks[at].take(self._round)
                if broker is not None:
                    replicas.append(broker)
            at = (at + 1) % count
        self._round += 1
        self._offset = (self._offset + 1) % count
        return replicas

    def _shuffle(self) -> None:
        self._mix(self._racks)
        for rack in self._all_racks:
            self._mix(rack.fenced.brokers)
            self._mix(rack.unfenced.brokers)

    def _mix(self, items: list[T]) -> None:
        for i in range(len(items) - 1, 0, -1):
            j = self._randrange(i + 1)
            items[i], items[j] = items[j], items[i]


def _invalid(message: str) -> KafkaError:
    return KafkaError(errors.INVALID_REPLICATION_FACTOR, message)

"""All fetchers of a broker: one for each leader and fetcher number (`num.replica.fetchers`), as there is need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from klamm.server.coordinators.partitioner import java_hash
from klamm.server.replica_fetcher import ReplicaFetcher

if TYPE_CHECKING:
    from klamm.server.followed_partition import FollowedPartition
    from klamm.server.replica_fetcher import FetcherPorts

Key = tuple[bytes, int]


class ReplicaFetchers:
    """Spreads followed partitions over fetchers."""

    def __init__(self, ports: FetcherPorts, fetchers_per_leader: int) -> None:
        self._ports = ports
        self._per_leader = fetchers_per_leader
        self._fetchers: dict[tuple[int, int], ReplicaFetcher] = {}
        self._where: dict[Key, tuple[int, int]] = {}

    def follow(self, partition: FollowedPartition) -> None:
        """Fetch `partition` from the leader that it names, and from no other."""
        key = partition.topic_id, partition.index
        number = (java_hash(partition.topic) * 31 + partition.index) % self._per_leader
        where = partition.leader_id, number
        if self._where.get(key, where) != where:
            self.unfollow(key)
        fetcher = self._fetchers.get(where)
        if fetcher is None:
            fetcher = self._fetchers[where] = ReplicaFetcher(self._ports, *where)
        self._where[key] = where
        fetcher.add(partition)

    def resize(self, fetchers_per_leader: int) -> None:
        """`num.replica.fetchers` is another: what is fetched is spread anew."""
        if fetchers_per_leader == self._per_leader:
            return
        followed = [partition for fetcher in self._fetchers.values() for partition in fetcher.followed]
        self.close()
        self._per_leader = fetchers_per_leader
        for partition in followed:
            self.follow(partition)

    def unfollow(self, key: Key) -> None:
        """Fetch that partition no more."""
        where = self._where.pop(key, None)
        if where is None:
            return
        fetcher = self._fetchers[where]
        fetcher.remove(key)
        if not len(fetcher):
            fetcher.close()
            del self._fetchers[where]

    def close(self) -> None:
        for fetcher in self._fetchers.values():
            fetcher.close()
        self._fetchers.clear()
        self._where.clear()

    def __len__(self) -> int:
        return len(self._fetchers)

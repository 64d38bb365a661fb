"""What the replicas of a broker share: the metadata's view of brokers, the way to the controller, fetchers, throttles.

Without `ReplicationPorts` a broker is alone: nothing is sent to anybody, which is all that partitions of one replica
need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from klamm.log.following import fetch_version
from klamm.log.isr import UNKNOWN
from klamm.metadata.image.image import BROKER_RESOURCE, EMPTY
from klamm.server.alter_partition import IsrChanges
from klamm.server.replica_fetcher import FetcherPorts, FetcherSettings
from klamm.server.replica_fetchers import ReplicaFetchers
from klamm.server.replication_quota import FOLLOWER, LEADER, ReplicationQuota

if TYPE_CHECKING:
    from klamm.channel import Channels
    from klamm.log.isr import IsrChange
    from klamm.metadata.image.cluster import Endpoint
    from klamm.metadata.image.image import MetadataImage
    from klamm.seams import Clock, Timer
    from klamm.server.followed_partition import FollowedPartition
    from klamm.server.partition import Partition
    from klamm.server.replica import Waking
    from klamm.server.settings import Settings
    from klamm.server.to_controller import ToController

RACK_AWARE = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
_PLAINTEXT = 0


class ReplicationPorts(NamedTuple):
    """What a broker needs to be one of several. `broker_epoch`: its own, -1 before it is registered."""

    channels: Channels
    to_controller: ToController
    broker_epoch: Callable[[], int]


class ReplicaSurroundings:
    """`partition.Surroundings` of all partitions of one broker. `image` is replaced with every publication."""

    def __init__(self, node_id: int, settings: Settings, clock: Clock, ports: ReplicationPorts | None) -> None:
        self.image: MetadataImage | None = None
        self.clock = clock
        self._node_id = node_id
        self._settings = settings
        self._ports = ports
        self._touched: list[Waking] = []
        self.lag_max_ms = self._int("replica.lag.time.max.ms")
        self.selects_by_rack = self._text("replica.selector.class") == RACK_AWARE
        self.leader_quota = self._quota(LEADER)
        self.follower_quota = self._quota(FOLLOWER)
        self.moving_quota = ReplicationQuota(
            clock,
            node_id,
            lambda _: (),
            window_count=self._int("alter.log.dirs.replication.quota.window.num"),
            window_ms=self._int("alter.log.dirs.replication.quota.window.size.seconds") * 1000,
        )
        """The throttle of replicas that move between directories: all of them."""
        self._isr_changes: IsrChanges | None = None
        self._fetchers: ReplicaFetchers | None = None
        self._timer: Timer | None = None
        if ports is not None:
            self._isr_changes = IsrChanges(ports.to_controller, clock, node_id, ports.broker_epoch, self.turn_done)
            self._fetchers = ReplicaFetchers(self._fetcher_ports(ports), self._int("num.replica.fetchers"))

    def _fetcher_ports(self, ports: ReplicationPorts) -> FetcherPorts:
        settings = FetcherSettings(
            wait_max_ms=self._int("replica.fetch.wait.max.ms"),
            min_bytes=self._int("replica.fetch.min.bytes"),
            response_max_bytes=self._int("replica.fetch.response.max.bytes"),
            partition_max_bytes=self._int("replica.fetch.max.bytes"),
            backoff_ms=self._int("replica.fetch.backoff.ms"),
            socket_timeout_ms=self._int("replica.socket.timeout.ms"),
        )
        return FetcherPorts(
            self._node_id,
            ports.channels,
            settings,
            ports.broker_epoch,
            self.endpoint,
            lambda: fetch_version((self.image or EMPTY).metadata_version),
            self.follower_quota,
            self.turn_done,
        )

    # -- settings --

    def _value(self, name: str) -> object:
        return self._settings.broker(self.image or EMPTY, name)

    def _int(self, name: str) -> int:
        value = self._value(name)
        assert isinstance(value, int)
        return value

    def _text(self, name: str) -> str | None:
        value = self._value(name)
        return None if value is None else str(value)

    def _quota(self, which: str) -> ReplicationQuota:
        def throttled(topic: str) -> Iterable[str]:
            value = self._settings.topic(self.image or EMPTY, topic)[f"{which}.replicas"]
            assert isinstance(value, Iterable)
            return [str(pair) for pair in value]

        quota = ReplicationQuota(
            self.clock,
            self._node_id,
            throttled,
            window_count=self._int("replication.quota.window.num"),
            window_ms=self._int("replication.quota.window.size.seconds") * 1000,
        )
        quota.reconfigure(self._rate(f"{which}.rate"))
        return quota

    def _rate(self, which: str) -> float:
        """Bytes a second. Rates are only ever set dynamically, for this broker or for all."""
        image = self.image or EMPTY
        for name in (str(self._node_id), ""):
            text = image.config(BROKER_RESOURCE, name).get(which)
            if text is not None:
                return float(text)
        return float("inf")

    def reconfigure(self) -> None:
        """Dynamic settings have changed."""
        self.leader_quota.reconfigure(self._rate(f"{LEADER}.rate"))
        self.follower_quota.reconfigure(self._rate(f"{FOLLOWER}.rate"))
        self.moving_quota.reconfigure(self._rate("replica.alter.log.dirs.io.max.bytes.per.second"))
        if self._fetchers is not None:
            self._fetchers.resize(self._int("num.replica.fetchers"))

    # -- time, and who waits --

    def every_half_lag(self, work: Callable[[], None]) -> None:
        """Do `work` every half `replica.lag.time.max.ms` from now on, as Kafka looks for laggards."""

        def run() -> None:
            self._timer = self.clock.call_later(self.lag_max_ms / 2, run)
            work()
            self.turn_done()

        self._timer = self.clock.call_later(self.lag_max_ms / 2, run)

    def now_ms(self) -> float:
        return self.clock.monotonic_ms()

    def touched(self, who: Waking) -> None:
        """Wake `who` when this turn is over."""
        self._touched.append(who)

    def turn_done(self) -> None:
        """Wake those whose partitions have moved since the last call."""
        while self._touched:
            touched, self._touched[:] = list(self._touched), []
            for who in touched:
                who.wake()

    # -- other brokers --

    def is_eligible(self, replica_id: int, broker_epoch: int | None) -> bool:
        """Whether a broker may be in sync: neither fenced nor shutting down, and the incarnation that has fetched."""
        broker = None if self.image is None else self.image.cluster.brokers.get(replica_id)
        return (
            broker is not None
            and broker.is_active
            and broker_epoch is not None
            and broker_epoch in (UNKNOWN, broker.broker_epoch)
        )

    def is_alive(self, replica_id: int) -> bool:
        broker = None if self.image is None else self.image.cluster.brokers.get(replica_id)
        return broker is not None and not broker.fenced

    def is_stale(self, replica_id: int, broker_epoch: int) -> bool:
        """Whether a fetch is of an earlier life of that broker."""
        broker = None if self.image is None else self.image.cluster.brokers.get(replica_id)
        return broker is not None and UNKNOWN < broker_epoch < broker.broker_epoch

    def endpoint(self, broker_id: int) -> Endpoint | None:
        """Where a broker has the listener for other brokers."""
        broker = None if self.image is None else self.image.cluster.brokers.get(broker_id)
        if broker is None:
            return None
        name = self._text("inter.broker.listener.name")
        if name is not None:
            return broker.listeners.get(name)
        return next((e for e in broker.listeners.values() if e.security_protocol == _PLAINTEXT), None)

    # -- what is sent to them --

    def broker_epoch(self) -> int:
        return UNKNOWN if self._ports is None else self._ports.broker_epoch()

    def propose(self, partition: Partition, change: IsrChange) -> None:
        """Ask the controller for another ISR."""
        if self._isr_changes is not None:
            self._isr_changes.propose(partition, change)

    def follow(self, partition: FollowedPartition) -> None:
        """Fetch from the leader that `partition` names."""
        if self._fetchers is not None:
            self._fetchers.follow(partition)

    def unfollow(self, topic_id: bytes, index: int) -> None:
        if self._fetchers is not None:
            self._fetchers.unfollow((topic_id, index))

    def close(self) -> None:
        """Ask and fetch nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._isr_changes is not None:
            self._isr_changes.close()
        if self._fetchers is not None:
            self._fetchers.close()

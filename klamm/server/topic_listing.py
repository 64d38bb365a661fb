"""How topics, partitions and brokers of an image look to a client on a listener: shared by the APIs that describe
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from klamm.kproto import errors
from klamm.metadata.image.cluster import ClusterImage, Endpoint
from klamm.metadata.image.partition import PartitionRegistration

INTERNAL_TOPICS: Final = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})


class BrokerAddress(NamedTuple):
    """A broker as a client of one listener sees it."""

    broker_id: int
    host: str
    port: int
    rack: str | None
    is_fenced: bool


def broker_addresses(cluster: ClusterImage, listener_name: str, include_fenced: bool = False) -> list[BrokerAddress]:
    """The brokers that have that listener, by id."""
    found = []
    for broker in cluster.brokers.values():
        endpoint: Endpoint | None = broker.listeners.get(listener_name)
        if endpoint is not None and (include_fenced or not broker.fenced):
            found.append(BrokerAddress(broker.broker_id, endpoint.host, endpoint.port, broker.rack, broker.fenced))
    return found


def controller_for_clients(cluster: ClusterImage, listener_name: str, controller_id: int, own_id: int) -> int:
    """The broker that clients are told is the controller; -1 while there is none (KIP-590).

    Any broker that serves will do, since brokers forward; a controller that is no broker is not the clients' to ask.
    The active controller comes first, which forwards nothing, then the broker that is asked (`own_id`).
    """
    serving = [b.broker_id for b in broker_addresses(cluster, listener_name)]
    return next((i for i in (controller_id, own_id, *serving) if i in serving), -1)


def on_listener(cluster: ClusterImage, broker_ids: Iterable[int], listener_name: str) -> list[int]:
    """Those of the brokers that are alive and have the client's listener."""
    found = []
    for broker_id in broker_ids:
        broker = cluster.brokers.get(broker_id)
        if broker is not None and not broker.fenced and listener_name in broker.listeners:
            found.append(broker_id)
    return found


def leader_error(cluster: ClusterImage, partition: PartitionRegistration, listener_name: str) -> int:
    """NONE, LEADER_NOT_AVAILABLE, or LISTENER_NOT_FOUND when the leader is not on the client's listener."""
    leader = cluster.brokers.get(partition.leader)
    if leader is None or leader.fenced:
        return errors.LEADER_NOT_AVAILABLE
    return errors.NONE if listener_name in leader.listeners else errors.LISTENER_NOT_FOUND


def offline_replicas(cluster: ClusterImage, partition: PartitionRegistration) -> list[int]:
    """Replicas whose broker is gone or fenced, or whose directory has failed."""
    offline = []
    for replica, directory in zip(partition.replicas, partition.directories, strict=True):
        broker = cluster.brokers.get(replica)
        if broker is None or broker.fenced or not broker.has_online_directory(directory):
            offline.append(replica)
    return offline

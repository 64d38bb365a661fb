"""Who leads a partition now, for clients that have asked the wrong broker (KIP-951)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from klamm.metadata.image.image import MetadataImage


class Address(NamedTuple):
    """A broker as clients of one listener reach it."""

    node_id: int
    host: str
    port: int
    rack: str | None


def current_leader(image: MetadataImage | None, topic: str | bytes, index: int) -> tuple[int, int]:
    """(leader, leader epoch) of a partition, by its topic's name or id; -1 and -1 when it is not known."""
    if image is None:
        return -1, -1
    found = image.topics.by_id.get(topic) if isinstance(topic, bytes) else image.topics.by_name.get(topic)
    partition = None if found is None else found.partitions.get(index)
    return (-1, -1) if partition is None else (partition.leader, partition.leader_epoch)


def address_of(image: MetadataImage | None, broker_id: int, listener_name: str) -> Address | None:
    """Where a live broker has that listener."""
    broker = None if image is None else image.cluster.brokers.get(broker_id)
    if broker is None or broker.fenced:
        return None
    endpoint = broker.listeners.get(listener_name)
    return None if endpoint is None else Address(broker_id, endpoint.host, endpoint.port, broker.rack)

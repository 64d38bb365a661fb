"""Whom clients are told to take for the controller."""

from __future__ import annotations

import pytest

from klamm.kproto.metadata_records import RegisterBrokerRecord
from klamm.metadata.image.cluster import ClusterImage
from klamm.metadata.image.image import EMPTY, MetadataDelta
from klamm.server.topic_listing import controller_for_clients

Row = RegisterBrokerRecord


def cluster(**fenced: bool) -> ClusterImage:
    """Brokers b1, b2, ... with the listener CLIENTS; whether each is fenced."""
    delta = MetadataDelta(EMPTY)
    for name, is_fenced in fenced.items():
        end_point = Row.BrokerEndpoint(name="CLIENTS", host=name, port=9092, security_protocol=0)
        broker_id = int(name[1:])
        delta.apply(
            Row(broker_id=broker_id, incarnation_id=bytes(16), broker_epoch=1, end_points=[end_point], features=[],
                fenced=is_fenced, log_dirs=[])
        )  # fmt: skip
    return delta.build(0, 1).cluster


@pytest.mark.parametrize(
    ("controller_id", "own_id", "told"),
    [
        (2, 1, 2),  # the active controller, where it is a broker that serves
        (101, 1, 1),  # a controller of its own is none of the brokers that clients know
        (-1, 2, 2),
        (101, 3, 1),  # a broker that is fenced sends nobody to itself
        (3, 3, 1),
    ],
)
def test_it_is_a_broker_that_serves(controller_id: int, own_id: int, told: int) -> None:
    image = cluster(b1=False, b2=False, b3=True)
    assert controller_for_clients(image, "CLIENTS", controller_id, own_id) == told


def test_without_a_broker_there_is_none() -> None:
    assert controller_for_clients(cluster(b1=True), "CLIENTS", 1, 1) == -1
    assert controller_for_clients(cluster(b1=False), "OTHER", 1, 1) == -1

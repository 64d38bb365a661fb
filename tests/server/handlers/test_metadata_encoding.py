"""The bytes of a topic in a Metadata answer, made from pieces, are those that the codec makes of the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klamm.kproto import errors
from klamm.kproto.codec import encode_struct
from klamm.kproto.messages.metadata import MetadataResponse
from klamm.kproto.uuids import UNASSIGNED_DIR
from klamm.metadata.image.cluster import BrokerRegistration, ClusterImage, Endpoint
from klamm.metadata.image.partition import PartitionRegistration
from klamm.metadata.image.topics import TopicImage
from klamm.server.handlers import metadata

LISTENER = "PLAINTEXT"
HERE = {LISTENER: Endpoint(LISTENER, "localhost", 9092)}


def broker(broker_id: int, *, fenced: bool = False, listeners: dict[str, Endpoint] = HERE) -> BrokerRegistration:
    return BrokerRegistration(broker_id, 1, bytes(16), listeners, {}, None, fenced, False, ())


# Brokers 1 and 2 serve, 3 is fenced, 4 is on another listener, 5 is unknown.
CLUSTER = ClusterImage({1: broker(1), 2: broker(2), 3: broker(3, fenced=True), 4: broker(4, listeners={})}, {})


@st.composite
def registrations(draw: st.DrawFn) -> PartitionRegistration:
    replicas = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=True)))
    return PartitionRegistration(
        replicas=replicas,
        directories=(UNASSIGNED_DIR,) * len(replicas),
        isr=replicas[: draw(st.integers(1, 3))],
        removing_replicas=(),
        adding_replicas=(),
        leader=draw(st.sampled_from([-1, *replicas])),
        leader_recovery_state=0,
        leader_epoch=draw(st.integers(0, 2)),
        partition_epoch=draw(st.integers(0, 9)),
    )


@pytest.mark.parametrize("version", range(14))
@given(st.lists(st.tuples(registrations(), st.integers(1, 4)), max_size=6))
def test_pieces_make_the_whole(version: int, runs: list[tuple[PartitionRegistration, int]]) -> None:
    one_by_one = [registration for registration, count in runs for _ in range(count)]
    # In another order than that of the answer, and with a gap.
    partitions = {index if index < 5 else index + 1: one for index, one in reversed(list(enumerate(one_by_one)))}
    topic = TopicImage("t", b"t" * 16, partitions)
    pieces = metadata._describe(topic, CLUSTER, version, LISTENER, False)
    whole = metadata._describe(TopicImage("t", b"t" * 16, {}), CLUSTER, version, LISTENER, False)
    for index, registration in sorted(partitions.items()):
        described = metadata._partition(registration, CLUSTER, version, LISTENER)
        described.partition_index = index
        whole.partitions.append(described)
    assert encode_struct(MetadataResponse, pieces, version) == encode_struct(MetadataResponse, whole, version)


def partition(leader: int, *replicas: int) -> PartitionRegistration:
    return PartitionRegistration(
        replicas=replicas,
        directories=(UNASSIGNED_DIR,) * len(replicas),
        isr=replicas[:1],
        removing_replicas=(),
        adding_replicas=(),
        leader=leader,
        leader_recovery_state=0,
        leader_epoch=0,
        partition_epoch=0,
    )


def test_clients_of_version_0_are_told_of_nodes_that_are_there() -> None:
    shown = metadata._partition(partition(1, 1, 3, 4), CLUSTER, 0, LISTENER)
    assert (shown.error_code, shown.leader_id) == (errors.REPLICA_NOT_AVAILABLE, 1)
    assert (shown.replica_nodes, shown.isr_nodes) == ([1], [1])
    shown = metadata._partition(partition(3, 3, 1), CLUSTER, 0, LISTENER)
    assert (shown.error_code, shown.replica_nodes, shown.isr_nodes) == (errors.LEADER_NOT_AVAILABLE, [1], [])
    shown = metadata._partition(partition(1, 1, 3, 4), CLUSTER, 1, LISTENER)
    assert (shown.error_code, shown.replica_nodes) == (errors.NONE, [1, 3, 4])

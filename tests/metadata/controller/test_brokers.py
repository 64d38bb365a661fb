"""Registrations that a controller does not take, and the steps of heartbeats."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.metadata.controller.brokers import BrokerControl
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.features import BOOTSTRAP, SUPPORTED
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage

NEXT_OFFSET = 77
TOPIC = b"t" * 16
Feature = BrokerRegistrationRequest.Feature
OFFERED = [
    Feature(name=n, min_supported_version=r.min_version, max_supported_version=r.max_version)
    for n, r in SUPPORTED.items()
]


def image(*records: Any, **levels: int) -> MetadataImage:
    delta = MetadataDelta(EMPTY)
    for name, level in {**BOOTSTRAP, **levels}.items():
        delta.apply(m.FeatureLevelRecord(name=name, feature_level=level))
    for record in records:
        delta.apply(record)
    return delta.build(50, 1)


def control(state: MetadataImage) -> BrokerControl:
    leadership = Leadership(lambda: state, 1, {})
    return BrokerControl(lambda: state, lambda: NEXT_OFFSET, leadership, "c", None, 9000)


def broker(broker_id: int, **fields: Any) -> m.RegisterBrokerRecord:
    given = {"incarnation_id": b"i" * 16, "broker_epoch": 5, "rack": None, "fenced": False, **fields}
    given.setdefault("log_dirs", [bytes([broker_id]) * 16])
    return m.RegisterBrokerRecord(broker_id=broker_id, **given)


def request(**fields: Any) -> BrokerRegistrationRequest:
    given = {"broker_id": 1, "cluster_id": "c", "incarnation_id": b"n" * 16, "listeners": [], "rack": "r", **fields}
    given.setdefault("features", OFFERED)
    given.setdefault("log_dirs", [b"\x01" * 16])
    return BrokerRegistrationRequest(**given)


def led(*, isr: tuple[int, ...] = (1,), leader: int = 1, **fields: Any) -> list[Any]:
    row = m.PartitionRecord(
        partition_id=0,
        topic_id=TOPIC,
        replicas=[1],
        isr=list(isr),
        leader=leader,
        leader_epoch=0,
        partition_epoch=0,
        directories=[b"\x01" * 16],
        **fields,
    )
    return [m.TopicRecord(name="t", topic_id=TOPIC), row]


def test_new_broker() -> None:
    decision = control(image()).register(request())
    assert decision.response == NEXT_OFFSET
    [record] = decision.records
    assert isinstance(record, m.RegisterBrokerRecord)
    assert (record.broker_id, record.broker_epoch, record.fenced, record.rack) == (1, NEXT_OFFSET, True, "r")
    assert not decision.timers  # its session begins with the first heartbeat


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"cluster_id": "d"}, errors.INCONSISTENT_CLUSTER_ID),
        ({"is_migrating_zk_broker": True}, errors.BROKER_ID_NOT_REGISTERED),
        ({"log_dirs": []}, errors.INVALID_REGISTRATION),
        ({"log_dirs": [bytes(16)]}, errors.INVALID_REGISTRATION),
        ({"log_dirs": [b"\x01" * 16] * 2}, errors.INVALID_REGISTRATION),
        ({"log_dirs": [b"\x02" * 16]}, errors.INVALID_REGISTRATION),
        ({"features": []}, errors.INVALID_REGISTRATION),
        ({"features": OFFERED[1:]}, errors.UNSUPPORTED_VERSION),
        ({"features": [f for f in OFFERED if f.name != "metadata.version"]}, errors.INVALID_REGISTRATION),
        (
            {"features": [*OFFERED, Feature(name="no.such", min_supported_version=1, max_supported_version=2)]},
            errors.UNSUPPORTED_VERSION,
        ),
        (
            {"features": [Feature(name=f.name, min_supported_version=0, max_supported_version=0) for f in OFFERED]},
            errors.UNSUPPORTED_VERSION,
        ),
    ],
)
def test_refused_registrations(fields: dict[str, Any], code: int) -> None:
    with pytest.raises(KafkaError) as caught:
        control(image(broker(2))).register(request(**fields))
    assert caught.value.code == code


def test_same_incarnation_keeps_epoch_and_state() -> None:
    decision = control(image(broker(1), *led())).register(request(incarnation_id=b"i" * 16))
    [record] = decision.records
    assert isinstance(record, m.RegisterBrokerRecord)
    assert (decision.response, record.broker_epoch, record.fenced) == (5, 5, False)


@pytest.mark.parametrize(
    ("previous_broker_epoch", "expected"),
    [
        # Clean: the broker leaves the ISR, and its replica stays eligible.
        (5, {"isr": [], "leader": -1, "eligible_leader_replicas": [1], "last_known_elr": [1]}),
        # Anything else is unclean: the disk may have lost the end of the log.
        (4, {"isr": [], "leader": -1, "eligible_leader_replicas": None, "last_known_elr": [1]}),
        (-1, {"isr": [], "leader": -1, "eligible_leader_replicas": None, "last_known_elr": [1]}),
    ],
)
def test_new_incarnation_of_a_broker_that_was_in_the_isr(previous_broker_epoch: int, expected: Any) -> None:
    decision = control(image(broker(1), *led())).register(request(previous_broker_epoch=previous_broker_epoch))
    change, _ = decision.records
    assert {name: getattr(change, name) for name in expected} == expected


def test_unclean_shutdown_empties_the_elr() -> None:
    state = image(broker(1), *led(isr=(), leader=-1, eligible_leader_replicas=[1], last_known_elr=[1]))
    change, _ = control(state).register(request()).records
    assert isinstance(change, m.PartitionChangeRecord)
    assert change.eligible_leader_replicas == [] and change.leader == -2 and change.isr is None


def beat(**fields: Any) -> BrokerHeartbeatRequest:
    given = {"broker_id": 1, "broker_epoch": 5, "current_metadata_offset": 50, **fields}
    return BrokerHeartbeatRequest(**{"want_fence": False, "want_shut_down": False, **given})


@pytest.mark.parametrize(
    ("state", "fields", "answer", "types"),
    [
        # (is_caught_up, is_fenced, should_shut_down) and the records' types
        ([broker(1, fenced=True)], {"want_fence": True}, (True, True, False), []),
        ([broker(1, fenced=True)], {"current_metadata_offset": 4}, (False, True, False), []),
        ([broker(1, fenced=True)], {}, (True, False, False), [m.BrokerRegistrationChangeRecord]),
        ([broker(1, fenced=True)], {"want_shut_down": True}, (True, True, True), [m.BrokerRegistrationChangeRecord]),
        ([broker(1)], {}, (True, False, False), []),
        ([broker(1)], {"want_fence": True}, (True, True, False), [m.BrokerRegistrationChangeRecord]),
        # Nothing to hand over: it may go at once.
        ([broker(1)], {"want_shut_down": True}, (True, True, True), [m.BrokerRegistrationChangeRecord]),
        (
            [broker(1), *led()],
            {"want_shut_down": True},
            (True, False, False),
            [m.BrokerRegistrationChangeRecord, m.PartitionChangeRecord],
        ),
        # In controlled shutdown, and nothing led any more.
        (
            [broker(1, in_controlled_shutdown=True), *led(isr=(), leader=-1)],
            {"want_shut_down": True},
            (True, True, True),
            [m.BrokerRegistrationChangeRecord],
        ),
        (
            # A new controller finds it so; what it still leads is taken from it, and it is not said again.
            [broker(1, in_controlled_shutdown=True), *led()],
            {"want_shut_down": True},
            (True, False, False),
            [m.PartitionChangeRecord],
        ),
        ([broker(1)], {"cordoned_log_dirs": []}, (True, False, False), [m.BrokerRegistrationChangeRecord]),
        ([broker(1, cordoned_log_dirs=[])], {"cordoned_log_dirs": []}, (True, False, False), []),
    ],
)
def test_heartbeats(state: Any, fields: Any, answer: tuple[bool, bool, bool], types: Any) -> None:
    decision = control(image(*state)).heartbeat(beat(**fields))
    response: Any = decision.response
    assert (response.is_caught_up, response.is_fenced, response.should_shut_down) == answer
    assert [type(record) for record in decision.records] == types


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"broker_id": 9}, errors.STALE_BROKER_EPOCH), ({"broker_epoch": 4}, errors.STALE_BROKER_EPOCH)],
)
def test_refused_heartbeats(fields: Any, code: int) -> None:
    with pytest.raises(KafkaError) as caught:
        control(image(broker(1))).heartbeat(beat(**fields))
    assert caught.value.code == code


def test_cordoning_is_not_told_below_4_3() -> None:
    state = image(broker(1), **{"metadata.version": 29})
    assert not control(state).heartbeat(beat(cordoned_log_dirs=[])).records

"""Who needs a session, when it ends, and when a broker that stops may go."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto import metadata_records as m
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.kproto.messages.unregister_broker import UnregisterBrokerRequest
from klamm.kproto.schema import Message
from klamm.log.machine import CancelTimer, Decision, SetTimer
from klamm.metadata.controller.broker_sessions import SessionKey
from klamm.metadata.controller.brokers import BrokerControl
from klamm.metadata.controller.leadership import Leadership
from klamm.metadata.features import BOOTSTRAP, SUPPORTED
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage

TOPIC = b"t" * 16


class Cluster:
    """A control whose decisions come true at once. `timers`: those that are set."""

    def __init__(self, *records: Any, local: int | None = None) -> None:
        self.image: MetadataImage = EMPTY
        self.offset = 0
        self.apply([m.FeatureLevelRecord(name=n, feature_level=level) for n, level in BOOTSTRAP.items()])
        self.apply(records)
        leadership = Leadership(lambda: self.image, 1, {})
        self.control = BrokerControl(lambda: self.image, lambda: self.offset, leadership, "c", local, 9000)
        self.timers: dict[Any, SetTimer] = {}
        self._set(self.control.on_leadership())

    def apply(self, records: Any) -> None:
        delta = MetadataDelta(self.image)
        for record in records:
            delta.apply(record)
            self.offset += 1
        self.image = delta.build(self.offset - 1, 1)

    def carry_out(self, decision: Decision[Any, Message]) -> Any:
        self.apply(decision.records)
        self._set(decision.timers)
        return decision.response

    def beat(self, broker_id: int, offset: int = 1000, **wants: bool) -> Any:
        epoch = self.image.cluster.brokers[broker_id].broker_epoch
        given = {"want_fence": False, "want_shut_down": False, **wants}
        request = BrokerHeartbeatRequest(
            broker_id=broker_id, broker_epoch=epoch, current_metadata_offset=offset, **given
        )
        return self.carry_out(self.control.heartbeat(request))

    def register(self, broker_id: int, incarnation: int = 1) -> Any:
        features = [
            BrokerRegistrationRequest.Feature(
                name=n, min_supported_version=r.min_version, max_supported_version=r.max_version
            )
            for n, r in SUPPORTED.items()
        ]
        request = BrokerRegistrationRequest(
            broker_id=broker_id,
            cluster_id="c",
            incarnation_id=bytes([incarnation]) * 16,
            listeners=[],
            rack=None,
            features=features,
            log_dirs=[bytes([broker_id]) * 16],
        )
        return self.carry_out(self.control.register(request))

    def fire(self, broker_id: int) -> None:
        self.carry_out(self.timers.pop(SessionKey(broker_id)).command())

    def _set(self, timers: Any) -> None:
        for timer in timers:
            if isinstance(timer, CancelTimer):
                self.timers.pop(timer.key, None)
            else:
                self.timers[timer.key] = timer


def broker(broker_id: int, fenced: bool = False) -> m.RegisterBrokerRecord:
    return m.RegisterBrokerRecord(
        broker_id=broker_id,
        incarnation_id=b"i" * 16,
        broker_epoch=5,
        rack=None,
        fenced=fenced,
        log_dirs=[bytes([broker_id]) * 16],
    )


def partition(*replicas: int) -> list[Message]:
    row = m.PartitionRecord(
        partition_id=0,
        topic_id=TOPIC,
        replicas=list(replicas),
        isr=list(replicas),
        leader=replicas[0],
        leader_epoch=0,
        partition_epoch=0,
        directories=[bytes([replica]) * 16 for replica in replicas],
    )
    return [m.TopicRecord(name="t", topic_id=TOPIC), row]


def test_everyone_who_is_not_fenced_gets_a_session_of_a_new_controller() -> None:
    cluster = Cluster(broker(1), broker(2, fenced=True), broker(3))
    assert set(cluster.timers) == {SessionKey(1), SessionKey(3)}
    assert {timer.delay_ms for timer in cluster.timers.values()} == {9000}
    cluster.fire(3)
    assert cluster.image.cluster.brokers[3].fenced and not cluster.image.cluster.brokers[1].fenced


def test_a_session_keeps_another_incarnation_away_until_it_ends() -> None:
    cluster = Cluster(broker(1), broker(2))
    with pytest.raises(KafkaError) as caught:
        cluster.register(2)
    assert caught.value.code == errors.DUPLICATE_BROKER_REGISTRATION
    cluster.fire(2)
    cluster.register(2)
    assert SessionKey(2) not in cluster.timers  # it has not sent a heartbeat yet
    cluster.register(2, incarnation=2)
    cluster.beat(2, want_fence=True)
    with pytest.raises(KafkaError):
        cluster.register(2, incarnation=3)


def test_the_only_broker_of_the_only_voter_needs_no_session() -> None:
    cluster = Cluster(local=1)
    cluster.register(1)
    cluster.beat(1)
    assert not cluster.timers and not cluster.control.needs_session(1)
    cluster.register(1, incarnation=2)  # killed and started again
    cluster.beat(1)
    assert not cluster.image.cluster.brokers[1].fenced


def test_it_gets_a_session_when_another_broker_comes() -> None:
    cluster = Cluster(local=1)
    cluster.register(1)
    cluster.beat(1)
    cluster.register(2)
    assert set(cluster.timers) == {SessionKey(1)} and cluster.control.needs_session(1)
    first = cluster.timers[SessionKey(1)]
    cluster.beat(2)
    cluster.register(3)
    assert cluster.timers[SessionKey(1)] is first  # a heartbeat renews it, nothing else
    cluster.beat(1)
    assert cluster.timers[SessionKey(1)] is not first
    cluster.fire(1)
    assert cluster.image.cluster.brokers[1].fenced


def test_a_broker_may_go_when_all_others_have_read_that_it_leads_nothing() -> None:
    cluster = Cluster(broker(1), broker(2), broker(3), broker(4, fenced=True), *partition(1, 2))
    for broker_id in (1, 2, 3):
        cluster.beat(broker_id, 10)
    assert not cluster.beat(1, want_shut_down=True).should_shut_down
    assert cluster.image.topics.by_id[TOPIC].partitions[0].leader == 2
    last = cluster.offset - 1  # of the records that moved its leadership
    cluster.beat(2, last)
    assert not cluster.beat(1, want_shut_down=True).should_shut_down
    cluster.beat(3, last - 1)
    assert not cluster.beat(1, want_shut_down=True).should_shut_down
    cluster.beat(3, last)
    answer = cluster.beat(1, want_shut_down=True)
    assert answer.should_shut_down and answer.is_fenced


def test_a_broker_that_was_told_to_go_may_come_back_at_once() -> None:
    cluster = Cluster(broker(1), broker(2))
    assert cluster.beat(2, want_shut_down=True).should_shut_down
    assert SessionKey(2) not in cluster.timers
    cluster.register(2)
    cluster.beat(2)
    assert not cluster.image.cluster.brokers[2].fenced


def test_two_that_stop_do_not_wait_for_each_other() -> None:
    cluster = Cluster(broker(1), broker(2), broker(3), *partition(1, 2, 3))
    for broker_id in (1, 2, 3):
        cluster.beat(broker_id, 10)
    cluster.beat(1, 10, want_shut_down=True)
    cluster.beat(2, 10, want_shut_down=True)
    cluster.beat(3, cluster.offset - 1)
    assert cluster.beat(1, 10, want_shut_down=True).should_shut_down
    assert cluster.beat(2, 10, want_shut_down=True).should_shut_down


def test_unregistering_ends_the_session() -> None:
    cluster = Cluster(broker(1), broker(2), *partition(2, 1))
    cluster.carry_out(cluster.control.unregister(UnregisterBrokerRequest(broker_id=2)))
    assert set(cluster.image.cluster.brokers) == {1} and set(cluster.timers) == {SessionKey(1)}
    assert cluster.image.topics.by_id[TOPIC].partitions[0].leader == 1
    told = cluster.carry_out(cluster.control.unregister(UnregisterBrokerRequest(broker_id=2)))
    assert told.error_code == errors.BROKER_ID_NOT_REGISTERED

"""Brokers that replicate to each other: what is acknowledged when, who is in sync, what a change of leader does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError
from klamm.log.io_thread import DeferredIo
from klamm.server.partition import Partition
from klamm.server.replicas import Replicas
from tests.server.replication_lab import TOPIC, TOPIC_ID, Lab, LabBroker, batch, eventually


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    lab = Lab()
    yield lab
    await lab.stop()


def content(broker: LabBroker, end: int | None = None) -> bytes:
    log = broker.log()
    end = log.log_end_offset if end is None else end
    data = bytearray()
    offset = log.log_start_offset
    while offset < end:
        found = bytes(log.read(offset, 1 << 20, max_offset=end).data)
        data += found
        offset = max(b.next_offset for b in records.batches(found))
    return bytes(data)


def ends(lab: Lab) -> list[tuple[int, int]]:
    return [(b.log().log_end_offset, b.log().high_watermark) for b in lab.brokers.values()]


async def test_what_all_have_is_acknowledged(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1, 2, 3])
    answers = [await lab[1].produced(batch(3)) for _ in range(4)]
    assert [(a.error_code, a.base_offset) for a in answers] == [(0, 0), (0, 3), (0, 6), (0, 9)]
    # All have it by then; how far it is committed followers learn with the next fetch.
    assert [end for end, _ in ends(lab)] == [12, 12, 12]
    await eventually(lambda: ends(lab) == [(12, 12)] * 3)
    assert content(lab[1]) == content(lab[2]) == content(lab[3])
    assert lab[2].log().epochs.entries() == [(0, 0)]


async def test_one_in_flight_after_another_is_answered_in_order(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    waiting = [lab[1].produce(batch(1, first=n)) for n in range(50)]
    rows = [(await answer).responses[0].partition_responses[0] for answer in waiting]
    assert [row.base_offset for row in rows] == list(range(50))


async def test_acks_one_does_not_wait(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[2].stop()
    assert (await lab[1].produced(acks=1)).error_code == errors.NONE
    assert lab[1].log().high_watermark == 0


async def test_what_followers_do_not_have_in_time(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[2].stop()
    answer = await lab[1].produced(timeout_ms=30)
    assert (answer.error_code, answer.base_offset) == (errors.REQUEST_TIMED_OUT, 0)


async def test_who_lags_goes_out_and_comes_back(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1, 2, 3], min_insync_replicas="2")
    await lab[1].produced()
    await lab[3].stop()
    answer = await lab[1].produced()  # waits until 3 is out
    assert answer.error_code == errors.NONE
    assert lab.partition().isr == (1, 2)
    await lab[2].stop()
    assert (await lab[1].produced(timeout_ms=1000)).error_code == errors.REQUEST_TIMED_OUT
    assert lab.partition().isr == (1,)
    assert (await lab[1].produced()).error_code == errors.NOT_ENOUGH_REPLICAS
    high_watermark = lab[1].log().high_watermark
    assert (await lab[1].produced(acks=1)).error_code == errors.NONE
    assert lab[1].log().high_watermark == high_watermark  # below the minimal ISR nothing is committed
    await lab.start_broker(lab[2])
    await eventually(lambda: set(lab.partition().isr) == {1, 2})
    await lab.start_broker(lab[3])
    await eventually(lambda: set(lab.partition().isr) == {1, 2, 3})
    await eventually(lambda: len(set(ends(lab))) == 1)
    assert content(lab[1]) == content(lab[2]) == content(lab[3])


async def test_a_leader_that_is_replaced_cuts_what_nobody_else_has(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1, 2, 3])
    await lab[1].produced(batch(5))
    # Cut off: it does not know that it leads no more.
    lab[1].is_up = False
    lab.change(leader=2, isr=[2, 3])
    lost = lab[1].produce(batch(4))
    assert lab[1].log().log_end_offset == 9
    await lab[2].produced(batch(2))
    lab[1].is_up = True
    lab.change(leader=2)  # told at last, with another epoch
    assert (await lost).responses[0].partition_responses[0].error_code == errors.NOT_LEADER_OR_FOLLOWER
    await eventually(lambda: [end for end, _ in ends(lab)] == [7, 7, 7])
    await eventually(lambda: set(lab.partition().isr) == {1, 2, 3})
    assert content(lab[1]) == content(lab[2]) == content(lab[3])
    assert lab[1].log().epochs.entries()[:2] == [(0, 0), (1, 5)]


async def test_a_replaced_leader_claims_nothing_that_it_has_not_synced(lab: Lab) -> None:
    await lab.start(2)
    await lab[1].stop()
    slow = lab[1].flusher = DeferredIo()
    await lab[1].start()
    lab.create([1, 2], flush_messages="1")
    slow.run_all()
    lab[1].produce(batch(3))
    assert len(slow), "its sync has not been made"
    await eventually(lambda: lab[2].log().log_end_offset == 3)
    lab.change(leader=2)
    answer = lab[2].produce(batch(1), timeout_ms=100)
    assert (await answer).responses[0].partition_responses[0].error_code == errors.REQUEST_TIMED_OUT
    assert lab[2].log().high_watermark == 0 and lab[1].log().synced_offset == 0
    slow.run_all()
    await eventually(lambda: lab[1].log().log_end_offset == 4)
    slow.run_all()
    await eventually(lambda: lab[2].log().high_watermark == 4)


async def test_a_leader_that_never_wrote_forgets_its_epoch(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced(batch(3))
    lab.change(leader=2)
    lab.change(leader=1)
    await lab[1].produced(batch(2))
    await eventually(lambda: [end for end, _ in ends(lab)] == [5, 5])
    assert lab[1].log().epochs.entries()[-1] == lab[2].log().epochs.entries()[-1] == (2, 3)


async def test_a_follower_behind_the_leaders_start_begins_there(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced()
    await lab[2].stop()
    lab.change(isr=[1])
    for _ in range(10):
        await lab[1].produced(batch(1, 100))
    leader = lab[1].replicas.by_id(TOPIC_ID, 0)
    leader.delete_records(8)
    await lab.start_broker(lab[2])
    await eventually(lambda: ends(lab) == [(11, 11), (11, 11)])
    assert lab[2].log().log_start_offset == 8
    await eventually(lambda: set(lab.partition().isr) == {1, 2})


async def test_an_unclean_leader_has_less(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced(batch(3))
    await lab[2].stop()
    lab.change(isr=[1])
    await lab[1].produced(batch(4))
    await lab[1].stop()
    await lab.start_broker(lab[2])
    lab.change(isr=[2], leader=2, leader_recovery_state=1)
    await lab[2].produced(batch(1))
    await lab.start_broker(lab[1])
    await eventually(lambda: ends(lab) == [(4, 4), (4, 4)])
    assert content(lab[1]) == content(lab[2])
    await eventually(lambda: set(lab.partition().isr) == {1, 2})
    assert {row.leader_recovery_state for r in lab.asked for t in r.topics for row in t.partitions} == {0}


async def test_who_is_fenced_does_not_come_in(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1, 2, 3])
    lab.fence(3)
    lab.change(isr=[1, 2])
    await lab[1].produced(batch(3))
    await eventually(lambda: lab[3].log().log_end_offset == 3)
    assert lab.partition().isr == (1, 2)
    lab.fence(3, -1)
    await eventually(lambda: set(lab.partition().isr) == {1, 2, 3})


async def test_refusals_of_the_controller(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced()
    lab.answers = [errors.INELIGIBLE_REPLICA, errors.UNKNOWN_SERVER_ERROR, errors.NETWORK_EXCEPTION]
    lab.change(isr=[1])
    await eventually(lambda: set(lab.partition().isr) == {1, 2})
    assert len(lab.asked) == 4


async def test_one_request_at_a_time_for_all_partitions(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2], partitions=20)
    await eventually(lambda: all(lab[2].log_dirs.get("t", index) for index in range(20)))
    lab.holds = True
    for index in range(20):
        lab.change(index, isr=[1])
    await eventually(lambda: lab.held)
    await eventually(lambda: all(p.replication and p.replication.pending for p in lab[1].replicas))
    assert len(lab.held) == 1
    lab.holds = False
    lab.held[0]()
    await eventually(lambda: all(set(lab.partition(index).isr) == {1, 2} for index in range(20)))
    assert sum(len(t.partitions) for r in lab.asked for t in r.topics) == 20


async def test_more_than_a_fetch_may_bring(lab: Lab) -> None:
    await lab.start(2, replica_fetch_response_max_bytes="30000", replica_fetch_max_bytes="10000")
    lab.create([1, 2], partitions=5)
    for n in range(60):
        assert (await lab[1].produced(batch(1, 3000), acks=1, index=n % 5)).error_code == errors.NONE
    huge = await lab[1].produced(batch(1, 400_000))
    assert huge.error_code == errors.NONE
    for index in range(5):
        await eventually(lambda i=index: lab[2].log(i).log_end_offset == lab[1].log(i).log_end_offset)  # type: ignore[misc]
    assert content(lab[1]) == content(lab[2])


async def test_a_leader_that_starts_again_knows_no_sessions(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1, 2, 3])
    await lab[1].produced(batch(3))
    await lab[1].stop()
    lab.change(leader=2, isr=[2, 3])
    assert (await lab[2].produced(batch(3))).error_code == errors.NONE
    await lab.start_broker(lab[1])
    await eventually(lambda: set(lab.partition().isr) == {1, 2, 3})
    lab.change(leader=1)
    assert (await lab[1].produced(batch(1))).error_code == errors.NONE
    assert content(lab[1]) == content(lab[2]) == content(lab[3])


async def test_replicas_are_added_and_removed(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1])
    await lab[1].produced(batch(3))
    assert lab[1].replicas.by_id(TOPIC_ID, 0).replication is None
    directory = bytes(15) + b"\1"
    lab.change(replicas=[1, 2, 3], adding_replicas=[2, 3], directories=[directory] * 3)
    await eventually(lambda: set(lab.partition().isr) == {1, 2, 3})
    assert content(lab[1]) == content(lab[3])
    lab.change(replicas=[2, 3], isr=[2, 3], adding_replicas=[], directories=[directory] * 2, leader=2)
    assert lab[1].log_dirs.get("t", 0) is None
    assert (await lab[2].produced()).error_code == errors.NONE
    assert (await lab[1].produced()).error_code == errors.NOT_LEADER_OR_FOLLOWER


async def test_a_deleted_topic_ends_everything(lab: Lab) -> None:
    from klamm.kproto.metadata_records import RemoveTopicRecord

    await lab.start(2)
    lab.create([1, 2])
    await lab[2].stop()
    waiting = lab[1].produce(timeout_ms=60_000)
    lab.publish(RemoveTopicRecord(topic_id=TOPIC_ID))
    answer = (await waiting).responses[0].partition_responses[0]
    assert answer.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION
    assert list(lab[1].replicas) == []


async def test_deleted_records_go_everywhere(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1, 2, 3])
    await lab[1].produced(batch(1))
    await lab[1].produced(batch(1))
    leader = lab[1].replicas.by_id(TOPIC_ID, 0)
    assert isinstance(leader, Partition)
    told: list[tuple[int, int]] = []
    leader.delete_records(1)
    leader.when_deleted(1, lambda code, low: told.append((code, low)))
    lab[1].replicas.read_done()
    assert told == []
    await eventually(lambda: told)
    assert told == [(errors.NONE, 1)]
    assert [b.log().log_start_offset for b in lab.brokers.values()] == [1, 1, 1]


async def test_nobody_waits_for_a_fenced_broker_to_delete(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced(batch(1))
    await lab[2].stop()
    leader = lab[1].replicas.by_id(TOPIC_ID, 0)
    told: list[tuple[int, int]] = []
    leader.delete_records(1)
    leader.when_deleted(1, lambda code, low: told.append((code, low)))
    assert told == []
    lab.fence(2)
    assert told == [(errors.NONE, 1)]


@pytest.mark.parametrize("version", [12, 18])
async def test_a_consumer_reads_from_a_follower(lab: Lab, version: int) -> None:
    await lab.start(2)
    lab.create([1, 2])
    await lab[1].produced(batch(3))
    await eventually(lambda: lab[2].log().high_watermark == 3)
    data = await lab[2].fetched(0, version=version)
    assert (data.error_code, data.high_watermark) == (errors.NONE, 3)
    assert data.records == content(lab[1])
    waiting = lab[2].fetch(3, version=version, wait_ms=10_000)
    await lab[1].produced(batch(2))
    assert (await waiting).responses[0].partitions[0].high_watermark == 5


async def test_old_consumers_read_from_leaders_only(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    assert (await lab[2].fetched(0, version=10)).error_code == errors.NOT_LEADER_OR_FOLLOWER


async def test_a_follower_knows_the_epoch_before_it_says_that_it_does_not_lead(lab: Lab) -> None:
    await lab.start(2)
    lab.create([1, 2])
    replicas = lab[2].broker.replicas
    assert replicas.readable(TOPIC, 0).leader_epoch == 0
    for epoch, code in ((-1, errors.NOT_LEADER_OR_FOLLOWER), (0, errors.NOT_LEADER_OR_FOLLOWER),
                        (5, errors.UNKNOWN_LEADER_EPOCH), (-2, errors.FENCED_LEADER_EPOCH)):  # fmt: skip
        with pytest.raises(KafkaError) as refused:
            replicas.at_epoch(TOPIC, 0, epoch)
        assert refused.value.code == code
    assert lab[1].broker.replicas.at_epoch(TOPIC, 0, 0).leader_epoch == 0
    data = await lab[2].fetched(0, version=10)
    assert data.aborted_transactions is None  # it is here, and cannot be read


async def test_a_consumer_is_sent_to_its_rack(lab: Lab) -> None:
    selector = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
    await lab.start(3, ["a", "b", "c"], replica_selector_class=selector)
    lab.create([1, 2, 3])
    await lab[1].produced(batch(3))
    assert [(await lab[1].fetched(0, rack=rack)).preferred_read_replica for rack in ("a", "b", "c", "d", "")] == [
        -1,
        2,
        3,
        -1,
        -1,
    ]
    sent = await lab[1].fetched(0, rack="b")
    assert (sent.records, sent.high_watermark) == (b"", 3)
    assert (await lab[1].fetched(4, rack="b")).preferred_read_replica == -1  # it has not got that far
    lab.fence(2)
    assert (await lab[1].fetched(0, rack="b")).preferred_read_replica == -1


async def test_who_asks_the_wrong_broker_is_told_of_the_leader(lab: Lab) -> None:
    await lab.start(3)
    lab.create([1, 2], partitions=1)
    lab.change(leader=2)
    produced = await lab[1].produce()
    row = produced.responses[0].partition_responses[0]
    assert (row.error_code, row.current_leader.leader_id, row.current_leader.leader_epoch) == (6, 2, 1)
    assert [(n.node_id, n.port) for n in produced.node_endpoints] == [(2, lab[2].port)]
    fetched = await lab[3].fetch(0)
    data = fetched.responses[0].partitions[0]
    assert (data.error_code, data.current_leader.leader_id, data.current_leader.leader_epoch) == (6, 2, 1)
    assert [n.node_id for n in fetched.node_endpoints] == [2]
    stale = await lab[2].fetched(0, epoch=0)
    assert (stale.error_code, stale.current_leader.leader_id) == (errors.FENCED_LEADER_EPOCH, 2)


async def test_throttled_replicas_catch_up_slowly(lab: Lab) -> None:
    from klamm.kproto.metadata_records import ConfigRecord

    await lab.start(2)
    lab.create([1, 2])
    await lab[2].stop()
    lab.change(isr=[1])
    for _ in range(5):
        await lab[1].produced(batch(1, 10_000))
    lab.publish(
        ConfigRecord(resource_type=4, resource_name="1", name="leader.replication.throttled.rate", value="100"),
        ConfigRecord(resource_type=2, resource_name="t", name="leader.replication.throttled.replicas", value="0:1,0:2"),
        ConfigRecord(resource_type=2, resource_name="t", name="max.message.bytes", value="100000"),
    )
    lab[1].replicas.leader_quota.record(100_000)
    await lab.start_broker(lab[2])
    await eventually(lambda: lab[1].replicas.by_id(TOPIC_ID, 0).followers)
    assert lab[2].log().log_end_offset == 0
    lab.publish(ConfigRecord(resource_type=4, resource_name="1", name="leader.replication.throttled.rate", value=None))
    await eventually(lambda: lab[2].log().log_end_offset == 5)


async def test_a_throttled_follower_catches_up_slowly(lab: Lab) -> None:
    from klamm.kproto.metadata_records import ConfigRecord

    rate = "follower.replication.throttled.rate"
    await lab.start(2, replica_fetch_max_bytes="12000")
    lab.create([1, 2])
    await lab[2].stop()
    lab.change(isr=[1])
    for _ in range(5):
        await lab[1].produced(batch(1, 10_000))
    lab.publish(
        ConfigRecord(resource_type=4, resource_name="", name=rate, value="100"),
        ConfigRecord(
            resource_type=2, resource_name="t", name="follower.replication.throttled.replicas", value="0:2,1:1"
        ),
    )
    await lab.start_broker(lab[2])
    await eventually(lambda: lab[2].log().log_end_offset == 1)
    await asyncio.sleep(0.3)  # many fetches
    assert lab[2].log().log_end_offset == 1
    lab.publish(ConfigRecord(resource_type=4, resource_name="2", name=rate, value="100000000"))
    await eventually(lambda: lab[2].log().log_end_offset == 5)
    await eventually(lambda: lab.partition().isr == (1, 2))


async def test_the_number_of_fetchers_changes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from klamm.kproto.metadata_records import ConfigRecord
    from klamm.server import follower_fetch

    fetchers: set[str | None] = set()
    serve = follower_fetch.serve

    def noted(broker: Any, context: Any, request: Any) -> Any:
        fetchers.add(context.client_id)
        return serve(broker, context, request)

    monkeypatch.setattr(follower_fetch, "serve", noted)
    await lab.start(2)
    lab.create([1, 2], partitions=6)
    await lab[1].produced(batch(1), index=5)
    assert fetchers == {"broker-2-fetcher-0"}
    for count in (3, 2):
        lab.publish(ConfigRecord(resource_type=4, resource_name="", name="num.replica.fetchers", value=str(count)))
        fetchers.clear()
        for index in range(6):
            assert (await lab[1].produced(batch(1), index=index)).error_code == errors.NONE
        await eventually(lambda count=count: fetchers == {f"broker-2-fetcher-{n}" for n in range(count)})
    assert [lab[2].log(index).log_end_offset for index in range(6)] == [2, 2, 2, 2, 2, 3]


async def test_before_it_follows_the_metadata_a_broker_denies_no_topic(lab: Lab) -> None:
    """Clients come to the partitions that it led before it was started again: they are to look for the leader anew."""
    await lab.start(1)
    broker = lab[1]
    starting = Replicas(1, broker.log_dirs, broker.broker.settings)
    for look in (lambda: starting.get(TOPIC, 0), lambda: starting.by_id(TOPIC_ID, 0)):
        with pytest.raises(KafkaError) as refused:
            look()
        assert refused.value.code == errors.NOT_LEADER_OR_FOLLOWER

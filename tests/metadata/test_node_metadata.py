"""A node's metadata through its lives: start, commands, restart, kill, damage."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from klamm.kproto import errors, records
from klamm.kproto.errors import KafkaError, ProtocolError
from klamm.kproto.messages.broker_heartbeat import BrokerHeartbeatRequest
from klamm.kproto.messages.broker_registration import BrokerRegistrationRequest
from klamm.kproto.messages.describe_quorum import DescribeQuorumRequest
from klamm.kproto.metadata_records import (
    BrokerRegistrationChangeRecord,
    FeatureLevelRecord,
    NoOpRecord,
    PartitionChangeRecord,
    RegisterBrokerRecord,
)
from klamm.log.io_thread import DeferredIo
from klamm.metadata.features import SUPPORTED
from klamm.metadata.image.image import EMPTY, MetadataDelta
from klamm.metadata.node_metadata import MetadataSettings
from klamm.metadata.raft import election_state
from klamm.metadata.raft.voters import Voter
from klamm.metadata.snapshot_file import encode_snapshot
from klamm.metadata.storage_format import FormatOptions, StorageError

METADATA_DIR = "/data/__cluster_metadata-0"


def replayed(running: Any) -> Any:
    """The image that the log of `running` gives when it is read from its start."""
    delta = MetadataDelta(EMPTY)
    for batch in running.batches():
        for record in batch:
            delta.apply(record)
    return delta.build(running.image.offset, running.image.epoch)


async def test_first_start_writes_what_a_new_cluster_has(lab: Any) -> None:
    running = await lab.start()
    assert running.image.features == {
        "metadata.version": 30,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "share.version": 1,
        "streams.version": 1,
        "transaction.version": 2,
    }
    assert running.image.config(4, "") == {"min.insync.replicas": "1"}
    broker = running.image.cluster.brokers[1]
    assert broker.is_active and broker.listeners["PLAINTEXT"].port == 9092
    assert running.node.controller_id == 1
    assert running.broker.broker_epoch == broker.broker_epoch


async def test_image_is_what_the_log_says(lab: Any) -> None:
    running = await lab.start()
    await running.create(lab.topic("a", 3), lab.topic("b", retention_ms="5"))
    await running.create(lab.topic("c"))
    assert replayed(running) == running.image


async def test_restart_gives_the_same_topics_and_a_leader(lab: Any) -> None:
    running = await lab.start()
    await running.create(lab.topic("a", 2, retention_ms="5"))
    before = running.image
    await running.stop()
    again = await lab.start()
    assert again.image.topics.by_name.keys() == before.topics.by_name.keys()
    assert again.image.topics.by_name["a"].topic_id == before.topics.by_name["a"].topic_id
    assert again.image.configs == before.configs
    partition = again.image.topics.by_name["a"].partitions[1]
    assert (partition.leader, partition.isr, partition.leader_epoch) == (1, (1,), 2)
    assert again.node.log.raft.epoch == 2


async def test_clean_stop_is_told_by_the_broker_epoch(lab: Any) -> None:
    running = await lab.start()
    await running.create(lab.topic("a"))
    await running.stop()
    again = await lab.start()
    # Clean: the replica was an eligible leader, so the election is a clean one.
    assert again.image.topics.by_name["a"].partitions[0].leader_recovery_state == 0


async def test_kill_is_an_unclean_stop(lab: Any) -> None:
    running = await lab.start()
    await running.create(lab.topic("a"))
    running.kill()
    again = await lab.start()
    partition = again.image.topics.by_name["a"].partitions[0]
    assert (partition.leader, partition.isr, partition.elr, partition.leader_recovery_state) == (1, (1,), (), 1)
    assert replayed(again) == again.image


async def test_torn_tail_is_cut_and_the_rest_kept(lab: Any) -> None:
    running = await lab.start()
    await running.create(lab.topic("a"))
    whole = running.log_bytes()
    await running.create(lab.topic("b"))
    torn = running.log_bytes()[len(whole) :]
    running.kill()
    path = f"{METADATA_DIR}/00000000000000000000.log"
    file = lab.disk.open(path)
    file.truncate(len(whole) + len(torn) // 2)
    file.close()
    again = await lab.start()
    assert list(again.image.topics.by_name) == ["a"]
    assert again.log_bytes().startswith(whole)
    assert (await again.create(lab.topic("b"))).topics[0].error_code == errors.NONE


async def test_record_that_is_not_understood_stops_the_start(lab: Any) -> None:
    running = await lab.start()
    offset = running.node.log.end_offset
    unknown = records.build_batch([records.Record(0, 1, None, b"\x01\x1d\x00\x00")])
    running.node.log.log.append_as_leader(memoryview(bytearray(unknown)), 1, now_ms=1)
    running.kill()
    with pytest.raises(ProtocolError, match=f"offset {offset}.*unknown type 29"):
        await lab.start()


async def test_answers_wait_for_the_sync(lab: Any) -> None:
    flusher = DeferredIo()
    running = lab.make(flusher=flusher)
    start = asyncio.ensure_future(running.node.start())
    await lab.turns()
    assert not start.done() and running.image.offset == -1
    flusher.run_all()
    await start
    assert running.image.metadata_version == 30


async def test_appends_of_one_turn_share_a_sync(lab: Any) -> None:
    running = await lab.start()
    syncs: list[int] = []
    submit = running.log_dirs.flusher.submit

    def counted(work: Any, done: Any, lane: Any = None) -> None:
        syncs.append(running.node.log.end_offset)
        submit(work, done, lane)

    running.log_dirs.flusher.submit = counted
    await asyncio.gather(*(running.create(lab.topic(f"t{i}")) for i in range(5)))
    assert len(syncs) == 1


async def test_publishers_see_every_batch_before_its_answer(lab: Any) -> None:
    running = await lab.start()
    seen = len(running.published)
    await running.create(lab.topic("a"))
    assert len(running.published) == seen + 1
    delta, image = running.published[-1]
    assert image is running.image
    [topic] = delta.topics.changed_topics.values()
    assert topic.name == "a" and list(topic.partition_changes) == [0]
    offsets = [image.offset for _, image in running.published]
    assert offsets == sorted(set(offsets))


async def test_a_failing_publisher_does_not_stop_the_others(lab: Any, caplog: pytest.LogCaptureFixture) -> None:
    running = lab.make()

    def fail(delta: Any, image: Any) -> None:
        if delta.topics is not None:
            raise ValueError("no such thing")

    later: list[int] = []
    running.node.add_publisher(fail)
    running.node.add_publisher(lambda delta, image: later.append(image.offset))
    await running.up()
    await running.create(lab.topic("a"))
    assert later[-1] == running.image.offset
    assert "no such thing" in caplog.text


async def test_first_publication_is_the_whole_replay(lab: Any) -> None:
    running = await lab.start()
    await running.create(lab.topic("a", 2))
    await running.stop()
    again = lab.make()
    await again.node.start()
    delta, image = again.published[0]
    assert delta.image is EMPTY
    assert [t.name for t in delta.topics.changed_topics.values()] == ["a"]
    assert not delta.topics.changed_topics[image.topics.by_name["a"].topic_id].image.partitions


async def test_no_op_records_keep_coming(lab: Any) -> None:
    running = await lab.start(settings=MetadataSettings(max_idle_interval_ms=500))
    published, end_offset = len(running.published), running.node.log.end_offset
    await lab.clock.advance(1600)
    assert running.node.log.end_offset == end_offset + 3
    assert all(type(batch[0]) is NoOpRecord for batch in running.batches(end_offset))
    assert len(running.published) == published, "nothing changed: nobody is told"
    assert running.image.offset == end_offset + 2
    running.node.close()
    await lab.clock.advance(5000)
    assert running.node.log.end_offset == end_offset + 3


async def test_quorum_state_is_on_the_disk_before_the_epoch_is_used(lab: Any) -> None:
    order: list[str] = []
    running = lab.make()
    write_atomic = lab.disk.write_atomic

    def noted(path: str, data: bytes) -> None:
        if path.endswith("quorum-state"):
            log = f"{METADATA_DIR}/00000000000000000000.log"
            order.append(f"quorum-state, log of {lab.disk.size(log)} bytes")
        write_atomic(path, data)

    lab.disk.write_atomic = noted
    await running.node.start()
    assert order == ["quorum-state, log of 0 bytes"]
    state = election_state.decode(lab.disk.read(f"{METADATA_DIR}/quorum-state"))
    assert state == election_state.ElectionState(1, 1)


async def test_epoch_never_goes_back(lab: Any) -> None:
    for epoch in (1, 2, 3):
        running = await lab.start()
        assert running.node.log.raft.epoch == epoch
        running.kill()
    lab.disk.remove(f"{METADATA_DIR}/quorum-state")
    assert (await lab.start()).node.log.raft.epoch == 4, "the log knows the epochs too"


async def test_failing_disk_makes_the_controller_resign(lab: Any) -> None:
    running = await lab.start()

    def broken(work: Any, done: Any, lane: Any = None) -> None:
        done(OSError(5, "I/O error"))

    running.log_dirs.flusher.submit = broken
    waiting = running.create(lab.topic("a"))
    with pytest.raises(KafkaError) as caught:
        await waiting
    assert caught.value.code == errors.NOT_CONTROLLER
    assert "a" not in running.image.topics.by_name
    assert running.node.controller_id == -1
    with pytest.raises(KafkaError) as caught:
        await running.create(lab.topic("b"))
    assert caught.value.code == errors.NOT_CONTROLLER


async def test_limit_on_partitions_of_a_request(lab: Any) -> None:
    running = await lab.start()
    refused = await running.create(lab.topic("a", 5000), lab.topic("b", 5001))
    assert [(t.name, t.error_code) for t in refused.topics] == [
        ("a", errors.POLICY_VIOLATION),
        ("b", errors.POLICY_VIOLATION),
    ]
    assert (await running.create(lab.topic("a", 5000), lab.topic("b", 5000))).topics[1].error_code == 0


async def test_static_voter(lab: Any) -> None:
    settings = MetadataSettings(static_voters=(Voter(1, bytes(16), ()),), max_idle_interval_ms=0)
    running = await lab.start(settings=settings, options=FormatOptions(1, "c", is_standalone=False))
    assert running.node.log.raft.kraft_version == 0
    first = next(records.batches(running.log_bytes()))
    assert first.is_control and first.count == 1, "LeaderChange alone"
    state = lab.disk.read(f"{METADATA_DIR}/quorum-state")
    assert b'"data_version":0' in state and b'"currentVoters":[{"voterId":1}]' in state


async def test_controller_that_listens_elsewhere_updates_the_voters(lab: Any) -> None:
    def settings(port: int) -> MetadataSettings:
        here = lab.endpoint("CONTROLLER", "127.0.0.1", port)
        return MetadataSettings(controller_endpoints=(here,), max_idle_interval_ms=0)

    running = await lab.start(settings=settings(1000))
    await running.stop()
    again = await lab.start(settings=settings(2000))
    request = DescribeQuorumRequest(topics=[quorum_topic("__cluster_metadata")])
    response = again.node.describe_quorum(request)
    assert [(n.node_id, n.listeners[0].port) for n in response.nodes] == [(1, 2000)]
    controls = [b for b in records.batches(again.log_bytes()) if b.is_control and b.partition_leader_epoch == 2]
    assert [b.count for b in controls] == [3], "LeaderChange with KRaftVersion and KRaftVoters"
    end_offset = again.node.log.end_offset
    await again.stop()
    third = await lab.start(settings=settings(2000))
    later = [b for b in records.batches(third.log_bytes()) if b.is_control and b.base_offset >= end_offset]
    assert len(later) == 1, "nothing moved: LeaderChange alone"


def quorum_topic(name: str) -> DescribeQuorumRequest.TopicData:
    row = DescribeQuorumRequest.TopicData
    return row(topic_name=name, partitions=[row.PartitionData(partition_index=0)])


def other_broker(log_dir: bytes = b"d" * 16, incarnation: bytes = b"i" * 16) -> BrokerRegistrationRequest:
    row = BrokerRegistrationRequest
    return row(
        broker_id=2,
        cluster_id="test-cluster",
        incarnation_id=incarnation,
        listeners=[row.Listener(name="PLAINTEXT", host="h", port=9, security_protocol=0)],
        features=[
            row.Feature(name=name, min_supported_version=r.min_version, max_supported_version=r.max_version)
            for name, r in SUPPORTED.items()
        ],
        rack=None,
        log_dirs=[log_dir],
    )


async def test_another_broker_joins_falls_silent_and_is_fenced(lab: Any) -> None:
    running = await lab.start()
    node = running.node
    epoch = await lab.settled(node.execute(lambda: node.active.controller.brokers.register(other_broker())))

    def beat(**wants: Any) -> Any:
        offset = wants.pop("offset", running.image.offset)
        fields = {"want_fence": False, "want_shut_down": False, **wants}
        request = BrokerHeartbeatRequest(broker_id=2, broker_epoch=epoch, current_metadata_offset=offset, **fields)
        return lab.settled(node.submit(request))

    behind = await beat(offset=epoch - 1)
    assert (behind.is_caught_up, behind.is_fenced) == (False, True)
    assert (await beat(want_fence=True)).is_fenced
    assert not (await beat()).is_fenced
    assert running.image.cluster.brokers[2].is_active
    await running.create(lab.topic("a", 4, 2))
    led = {p.leader for p in running.image.topics.by_name["a"].partitions.values()}
    assert led == {1, 2}
    await lab.clock.advance(8000)
    await beat()
    await lab.clock.advance(8000)
    assert running.image.cluster.brokers[2].is_active, "each heartbeat starts the session anew"
    since = node.log.end_offset
    await lab.clock.advance(1001)
    assert running.image.cluster.brokers[2].fenced
    [batch] = running.batches(since)
    assert {type(record) for record in batch[:-1]} == {PartitionChangeRecord}
    assert type(batch[-1]) is BrokerRegistrationChangeRecord
    for partition in running.image.topics.by_name["a"].partitions.values():
        assert (partition.leader, partition.isr) == (1, (1,))


async def test_second_incarnation_waits_for_the_session_of_the_first(lab: Any) -> None:
    running = await lab.start()
    node = running.node
    epoch = await lab.settled(node.execute(lambda: node.active.controller.brokers.register(other_broker())))
    request = BrokerHeartbeatRequest(
        broker_id=2, broker_epoch=epoch, current_metadata_offset=epoch, want_fence=False, want_shut_down=False
    )
    await lab.settled(node.submit(request))
    with pytest.raises(KafkaError) as caught:
        node.execute(lambda: node.active.controller.brokers.register(other_broker(incarnation=b"j" * 16)))
    assert caught.value.code == errors.DUPLICATE_BROKER_REGISTRATION
    await lab.clock.advance(9001)
    await lab.settled(
        node.execute(lambda: node.active.controller.brokers.register(other_broker(incarnation=b"j" * 16)))
    )
    assert type(running.batches()[-1][-1]) is RegisterBrokerRecord


async def test_new_controller_gives_everyone_a_session(lab: Any) -> None:
    running = await lab.start()
    node = running.node
    epoch = await lab.settled(node.execute(lambda: node.active.controller.brokers.register(other_broker())))
    request = BrokerHeartbeatRequest(
        broker_id=2, broker_epoch=epoch, current_metadata_offset=epoch, want_fence=False, want_shut_down=False
    )
    await lab.settled(node.submit(request))
    await running.stop()
    again = await lab.start()
    assert again.image.cluster.brokers[2].is_active
    await lab.clock.advance(8999)
    assert again.image.cluster.brokers[2].is_active
    await lab.clock.advance(2)
    assert again.image.cluster.brokers[2].fenced


@pytest.mark.parametrize(("level", "name"), [(21, "3.9-IV0"), (31, "31")])
async def test_levels_that_klamm_cannot_write_are_refused_before_it_writes(lab: Any, level: int, name: str) -> None:
    running = lab.make()
    rows = [FeatureLevelRecord(name="metadata.version", feature_level=level)]
    lab.disk.write_atomic("/data/bootstrap.checkpoint", encode_snapshot(rows, level, timestamp_ms=1))
    with pytest.raises(StorageError, match=f"at metadata.version {name}; klamm writes"):
        await running.node.start()
    assert lab.disk.size(f"{METADATA_DIR}/00000000000000000000.log") == 0

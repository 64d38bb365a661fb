"""Snapshots of the metadata log: when they are made, that they hold everything, when they and the log go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from klamm.kproto import metadata_records as m
from klamm.kproto import records
from klamm.kproto.schema import Message
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.metadata.image.snapshot_records import image_records
from klamm.metadata.node_metadata import MetadataSettings
from klamm.metadata.record_codec import decode_record, encode_record, record_version
from klamm.metadata.snapshot_file import find_snapshots
from klamm.metadata.snapshots import SnapshotSettings

DIRECTORY = "/data/__cluster_metadata-0"
NEVER = SnapshotSettings(record_bytes=1 << 60, interval_ms=0)


def settings(snapshots: SnapshotSettings, **more: Any) -> MetadataSettings:
    return MetadataSettings(max_idle_interval_ms=0, snapshots=snapshots, **more)


def rebuilt(rows: list[Message], offset: int, epoch: int) -> MetadataImage:
    """The image of `rows` after a trip through bytes."""
    delta = MetadataDelta(EMPTY)
    for row in rows:
        delta.apply(decode_record(encode_record(row, record_version(row, 30)))[0])
    return delta.build(offset, epoch)


def test_image_survives_its_records() -> None:
    entity = m.ClientQuotaRecord.EntityData(entity_type="user", entity_name="u")
    broker = m.RegisterBrokerRecord(broker_id=1, incarnation_id=b"i" * 16, broker_epoch=4, rack="r", fenced=False)
    broker.end_points = [broker.BrokerEndpoint(name="P", host="h", port=1, security_protocol=0)]
    broker.features = [broker.BrokerFeature(name="f", min_supported_version=0, max_supported_version=1)]
    broker.log_dirs = [b"d" * 16]
    controller = m.RegisterControllerRecord(controller_id=1, incarnation_id=b"c" * 16, zk_migration_ready=False)
    controller.end_points = [controller.ControllerEndpoint(name="C", host="h", port=1, security_protocol=0)]
    partition = m.PartitionRecord(
        partition_id=0,
        topic_id=b"t" * 16,
        replicas=[1, 2],
        isr=[1],
        leader=1,
        leader_epoch=3,
        partition_epoch=7,
        directories=[b"d" * 16] * 2,
        eligible_leader_replicas=[2],
        last_known_elr=[2],
        leader_recovery_state=1,
        adding_replicas=[2],
    )
    scram = m.UserScramCredentialRecord(
        name="u", mechanism=1, salt=b"s", stored_key=b"k", server_key=b"v", iterations=1
    )
    token = m.DelegationTokenRecord(
        owner="o",
        requester="o",
        renewers=["r"],
        issue_timestamp=1,
        max_timestamp=2,
        expiration_timestamp=3,
        token_id="t",
    )
    acl = m.AccessControlEntryRecord(
        id=b"a" * 16,
        resource_type=2,
        resource_name="r",
        pattern_type=3,
        principal="p",
        host="*",
        operation=1,
        permission_type=3,
    )
    before = rebuilt(
        [
            m.FeatureLevelRecord(name="group.version", feature_level=1),
            m.FeatureLevelRecord(name="metadata.version", feature_level=30),
            broker,
            controller,
            m.TopicRecord(name="t", topic_id=b"t" * 16),
            partition,
            m.ConfigRecord(resource_type=2, resource_name="t", name="k", value="v"),
            m.ClientQuotaRecord(entity=[entity], key="rate", value=1.5, remove=False),
            m.ProducerIdsRecord(broker_id=1, broker_epoch=1, next_producer_id=3000),
            *(scram, token, acl),
        ],
        9,
        2,
    )
    assert all(getattr(before, part) for part in before._fields)
    rows = list(image_records(before))
    assert isinstance(rows[0], m.FeatureLevelRecord) and rows[0].name == "metadata.version"
    assert rebuilt(rows, 9, 2) == before


async def grown(lab: Any, make: Callable[[], MetadataSettings], topics: int = 8) -> Any:
    running = await lab.start(settings=make())
    for number in range(topics):
        await running.create(lab.topic(f"t{number}", 5, retention_ms=str(number + 1)))
    return running


async def test_due_by_size(lab: Any) -> None:
    running = await grown(lab, lambda: settings(SnapshotSettings(record_bytes=1500, interval_ms=0)))
    size = len(running.log_bytes())
    made = [s for s in find_snapshots(lab.disk, DIRECTORY) if s.end_offset]
    assert 1 <= len(made) <= size // 1500, "one after each 1500 bytes, never more"


async def test_due_by_time(lab: Any) -> None:
    running = await lab.start(settings=settings(SnapshotSettings(interval_ms=3_600_000)))
    await running.create(lab.topic("a"))
    await lab.clock.advance(3_599_999)
    await running.create(lab.topic("b"))
    assert len(find_snapshots(lab.disk, DIRECTORY)) == 1
    await lab.clock.advance(1)
    await running.create(lab.topic("c"))
    assert find_snapshots(lab.disk, DIRECTORY)[-1] == (running.image.offset + 1, 1)


async def test_start_from_a_snapshot_and_the_log_behind_it(lab: Any) -> None:
    running = await grown(lab, lambda: settings(NEVER), 3)
    running.node.snapshots.write(running.image)
    await running.create(lab.topic("later"))
    await running.stop()
    last = running.image
    # What is in the snapshot is not read from the log: a record there that nobody understands does no harm.
    path = f"{DIRECTORY}/00000000000000000000.log"
    data = bytearray(lab.disk.read(path))
    batch = next(b for b in records.batches(bytes(data)) if not b.is_control)
    at = data.index(b"Bootstrap records", batch.base_offset)
    data[at : at + 4] = b"xxxx"
    lab.disk.write_atomic(path, bytes(data))
    again = lab.make(settings=settings(NEVER))
    await again.node.start()
    _, image = again.published[0]
    assert image == last
    assert again.node.log.raft.voters == running.node.log.raft.voters


async def test_a_log_that_ends_before_its_snapshot_begins_behind_it(lab: Any) -> None:
    """Who does not sync the log loses more of it than of a snapshot, whose records the leader may not have any more."""
    running = await grown(lab, lambda: settings(NEVER), 3)
    running.node.snapshots.write(running.image)
    expected = running.image
    [*_, snapshot_id] = find_snapshots(lab.disk, DIRECTORY)
    running.kill()
    path = f"{DIRECTORY}/00000000000000000000.log"
    lab.disk.write_atomic(path, lab.disk.read(path)[:600])
    again = lab.make(settings=settings(NEVER))
    await again.node.start()
    log = again.node.log.log
    assert log.log_start_offset == log.segments[0].base_offset == snapshot_id.end_offset
    assert again.node.log.raft.log.earliest_snapshot == snapshot_id
    assert again.published[0][1].topics == expected.topics


async def test_large_log_is_snapshotted_at_the_stop(lab: Any) -> None:
    running = await lab.start(settings=settings(NEVER))
    await running.create(lab.topic("a", 10_000))
    await running.stop()
    assert find_snapshots(lab.disk, DIRECTORY)[-1].end_offset == running.image.offset + 1
    again = await lab.start(settings=settings(NEVER))
    assert len(again.image.topics.by_name["a"].partitions) == 10_000
    small = find_snapshots(lab.disk, DIRECTORY)
    again.kill()
    assert find_snapshots(lab.disk, DIRECTORY)[: len(small)] == small


async def test_old_snapshots_and_segments_go(lab: Any) -> None:
    small = SnapshotSettings(record_bytes=1500, interval_ms=0, retention_bytes=4000)
    running = await grown(lab, lambda: settings(small, segment_bytes=10_000), 30)
    log = running.node.log.log
    kept = find_snapshots(lab.disk, DIRECTORY)
    assert log.log_start_offset == kept[0].end_offset > 0
    assert log.segments[0].base_offset > 0, "the first segments are gone"
    assert log.size_bytes < 9000
    expected = running.image
    running.kill()
    again = lab.make(settings=settings(small, segment_bytes=10_000))
    await again.node.start()
    assert again.published[0][1].topics == expected.topics


async def test_snapshots_age(lab: Any) -> None:
    ages = SnapshotSettings(interval_ms=60_000, retention_ms=7 * 60_000)
    running = await lab.start(settings=settings(ages))
    for minute in range(10):
        await lab.clock.advance(60_001)
        await running.create(lab.topic(f"minute{minute}"))
    kept = find_snapshots(lab.disk, DIRECTORY)
    assert len(kept) == 7 and kept[0].end_offset > 0


async def test_failing_snapshot_is_no_harm(lab: Any, caplog: Any) -> None:
    running = await lab.start(settings=settings(NEVER))
    write_atomic = lab.disk.write_atomic

    def full(path: str, data: bytes) -> None:
        if path.endswith(".checkpoint"):
            raise OSError(28, "No space left on device")
        write_atomic(path, data)

    lab.disk.write_atomic = full
    running.node.snapshots.write(running.image)
    assert "No space left" in caplog.text
    assert (await running.create(lab.topic("a"))).topics[0].error_code == 0

"""Loading groups from a log: in buffers, with errors meanwhile, and not at all from a damaged one."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.group_records import LegacyOffsetCommitKey, LegacyOffsetCommitValue
from klamm.kproto.records import Record, build_batch
from klamm.server.coordinators.coordinator_record import CoordinatorRecord
from tests.server.coordinators.group_lab import SETTINGS, GroupLab, result


def filled(groups: int = 50) -> GroupLab:
    lab = GroupLab(SETTINGS._replace(load_buffer_size_bytes=1000))
    for i in range(groups):
        assert lab.commit(f"g{i}", i) == 0
    return lab


async def test_a_long_log_is_loaded_between_other_work() -> None:
    lab = filled()
    lab.restart()
    assert lab.commit("g", 1) == errors.COORDINATOR_LOAD_IN_PROGRESS
    assert lab.member().ask_join().error_code == errors.COORDINATOR_LOAD_IN_PROGRESS
    assert lab.member().heartbeat() == 0  # Kafka keeps members content while it loads
    assert lab.describe("g").error_code == errors.COORDINATOR_LOAD_IN_PROGRESS
    assert result(lab.coordinator.list_groups((), ())).error_code == errors.COORDINATOR_LOAD_IN_PROGRESS
    assert lab.fetch("g").error_code == errors.COORDINATOR_LOAD_IN_PROGRESS
    lab.advance(0)
    assert [lab.offsets(f"g{i}") for i in range(50)] == [{("t", 0): i} for i in range(50)]


async def test_a_load_that_is_not_wanted_any_more_stops() -> None:
    lab = filled()
    lab.restart()
    lab.coordinator.on_resigned(0)
    lab.advance(0)
    assert lab.commit("g", 1) == errors.NOT_COORDINATOR
    assert lab.clock.pending == 0


async def test_leading_again_loads_again() -> None:
    lab = filled(3)
    lab.coordinator.on_leadership(0, lab.partition)
    assert lab.offsets("g2") == {("t", 0): 2}


async def test_a_damaged_log_is_not_served(caplog: pytest.LogCaptureFixture) -> None:
    lab = filled(3)
    lab.partition.append(build_batch([Record(0, 0, b"\x00\x01\x00", b"\x00\x04")]))
    lab.restart()
    assert lab.commit("g", 1) == errors.COORDINATOR_LOAD_IN_PROGRESS
    assert "cannot load groups" in caplog.text


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"\x00\x63whatever", b"\x00\x00"), (b"\x00\x63", None), (b"\x00\x03\x00\x01g", b"\x00\x00\x00\x00\x00\x01\x00")],
    ids=["unknown type", "unknown tombstone", "a consumer group"],
)
async def test_records_of_other_kinds_are_passed_over(key: bytes, value: bytes | None) -> None:
    lab = filled(1)
    lab.partition.append(build_batch([Record(0, 0, key, value)]))
    lab.commit("after", 9)
    lab.restart()
    assert (lab.offsets("g0"), lab.offsets("after")) == ({("t", 0): 0}, {("t", 0): 9})


async def test_a_log_that_starts_late_and_offsets_of_old_times() -> None:
    lab = GroupLab()
    lab.commit("gone", 1)
    record = CoordinatorRecord(
        LegacyOffsetCommitKey(group="old", topic="t", partition=2),
        LegacyOffsetCommitValue(offset=4, metadata="x", commit_timestamp=5),
    )
    lab.partition.append(build_batch([Record(0, 0, record.encode_key(), record.encode_value())]))
    lab.partition.log_start_offset = 1
    lab.restart()
    assert (lab.offsets("gone"), lab.offsets("old")) == ({}, {("t", 2): 4})


async def test_transaction_markers_end_pending_offsets() -> None:
    from klamm.kproto.group_records import OffsetCommitKey, OffsetCommitValue
    from klamm.kproto.records import control_key

    lab = GroupLab()
    for producer, marker in ((1, 1), (2, 0)):
        record = CoordinatorRecord(
            OffsetCommitKey(group="g", topic="t", partition=producer),
            OffsetCommitValue(offset=5, metadata="", commit_timestamp=0),
            4,
        )
        fields = {"producer_id": producer, "producer_epoch": 0, "transactional": True}
        rows = [Record(0, 0, record.encode_key(), record.encode_value())]
        lab.partition.append(build_batch(rows, base_sequence=0, **fields))  # type: ignore[arg-type]
        marks = [Record(0, 0, control_key(marker), b"\x00\x00\x00\x00\x00\x00")]
        lab.partition.append(build_batch(marks, control=True, **fields))  # type: ignore[arg-type]
    lab.restart()
    assert lab.offsets("g") == {("t", 1): 5}
    assert not lab.machine.offset_table.has_pending("g")

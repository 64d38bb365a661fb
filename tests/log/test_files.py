"""The exact bytes of every small file, both ways."""

from __future__ import annotations

import struct

import pytest

from klamm.kproto.uuids import uuid_bytes
from klamm.log import checkpoint, meta_properties, partition_metadata, producer_snapshot
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.index_entries import CorruptIndex
from klamm.log.memory_disk import MemoryDisk
from klamm.log.offset_index import OffsetIndex
from klamm.log.producer_state import BatchMetadata, ProducerStateEntry
from klamm.log.time_index import TimeIndex
from klamm.log.txn_index import AbortedTxn, TxnIndex

UUID = "4L6g3nShT-eMCtK--X86sw"


@pytest.fixture
def disk() -> MemoryDisk:
    disk = MemoryDisk()
    disk.make_directory("/d")
    return disk


class TestOffsetIndex:
    def test_bytes(self) -> None:
        index = OffsetIndex(100)
        index.append(155, 4119)
        assert index.unwritten() == (0, bytes.fromhex("0000003700001017"))
        index.append(200, 9000)
        assert index.unwritten() == (8, bytes.fromhex("0000006400002328"))
        assert index.unwritten() is None

    def test_lookup(self) -> None:
        index = OffsetIndex(100)
        for offset, position in ((155, 4119), (200, 9000), (260, 14000)):
            index.append(offset, position)
        assert [index.lookup(offset) for offset in (100, 154, 155, 199, 200, 259, 260, 9999)] == [
            (100, 0), (100, 0), (155, 4119), (155, 4119), (200, 9000), (200, 9000), (260, 14000), (260, 14000),
        ]  # fmt: skip
        assert [index.floor_position(p)[1] for p in (0, 4118, 4119, 13999, 14000, 99999)] == [
            0,
            0,
            4119,
            9000,
            14000,
            14000,
        ]
        assert [index.entry_from(p) for p in (0, 4120, 14001)] == [(155, 4119), (200, 9000), None]

    def test_truncate_rewrites_the_file(self) -> None:
        index = OffsetIndex(0, bytes.fromhex("00000037000010170000006400002328"))
        index.truncate_to(101)
        assert index.unwritten() is None
        index.truncate_to(100)
        assert index.entries() == [(55, 4119)]
        assert index.unwritten() == (0, bytes.fromhex("0000003700001017"))

    def test_preallocated_zeros_are_not_entries(self) -> None:
        entry = bytes.fromhex("0000010000010000")
        assert OffsetIndex(0, entry + bytes(8 * 100)).entries() == [(256, 65536)]
        assert len(OffsetIndex(0, bytes(8))) == 1
        assert len(OffsetIndex(0, entry + b"abc")) == 1

    def test_check(self) -> None:
        OffsetIndex(0, bytes.fromhex("0000003700001017")).check(5000)
        with pytest.raises(CorruptIndex):
            OffsetIndex(0, bytes.fromhex("0000003700001017")).check(4119)
        with pytest.raises(CorruptIndex):
            OffsetIndex(0, bytes.fromhex("ffffff3700001017")).check(5000)


class TestTimeIndex:
    def test_bytes(self) -> None:
        index = TimeIndex(100)
        index.maybe_append(1_700_000_000_000, 155)
        assert index.unwritten() == (0, bytes.fromhex("0000018bcfe5680000000037"))

    def test_only_rising_timestamps(self) -> None:
        index = TimeIndex(0)
        for timestamp, offset in ((-1, 0), (5, 1), (5, 2), (4, 3), (7, 4)):
            index.maybe_append(timestamp, offset)
        assert index.entries() == [(5, 1), (7, 4)]
        assert [index.lookup(t) for t in (4, 5, 6, 7, 100)] == [(-1, 0), (5, 1), (5, 1), (7, 4), (7, 4)]
        index.truncate_to(4)
        assert index.last_entry() == (5, 1) and index.last_timestamp == 5

    def test_check(self) -> None:
        rows = struct.pack(">qiqi", 9, 1, 8, 2)
        with pytest.raises(CorruptIndex):
            TimeIndex(0, rows).check()


class TestTxnIndex:
    def test_bytes(self, disk: MemoryDisk) -> None:
        index = TxnIndex(disk, "/d/x.txnindex")
        index.append(AbortedTxn(7, 10, 20, 15))
        assert disk.read("/d/x.txnindex").hex() == (
            "00000000000000000007000000000000000a0000000000000014000000000000000f"
        )
        assert TxnIndex(disk, "/d/x.txnindex").entries == [AbortedTxn(7, 10, 20, 15)]

    def test_collect(self, disk: MemoryDisk) -> None:
        index = TxnIndex(disk, "/d/x.txnindex")
        early, late = AbortedTxn(1, 0, 10, 11), AbortedTxn(2, 12, 30, 31)
        index.append(early)
        index.append(late)
        assert index.collect(0, 11) == ([early], True)
        assert index.collect(11, 20) == ([late], True)
        assert index.collect(0, 40) == ([early, late], False)
        assert index.collect(31, 40) == ([], False)

    def test_truncate_and_damage(self, disk: MemoryDisk) -> None:
        index = TxnIndex(disk, "/d/x.txnindex")
        index.append(AbortedTxn(1, 0, 10, 11))
        index.append(AbortedTxn(2, 12, 30, 31))
        index.truncate_to(30)
        assert [a.producer_id for a in TxnIndex(disk, "/d/x.txnindex").entries] == [1]
        disk.write_atomic("/d/x.txnindex", bytes(33))
        with pytest.raises(CorruptIndex):
            _ = TxnIndex(disk, "/d/x.txnindex").entries


class TestProducerSnapshot:
    def test_without_producers_ten_bytes(self) -> None:
        data = producer_snapshot.encode([])
        assert data.hex() == "000148674bc700000000"
        assert producer_snapshot.decode(data) == []

    def test_entry(self) -> None:
        entry = ProducerStateEntry(7, 2, 5, 1000, 40, BatchMetadata(9, 50, 4, 1000))
        data = producer_snapshot.encode([entry])
        assert len(data) == 10 + 46
        assert data[10:].hex() == (
            "0000000000000007" "0002" "00000009" "0000000000000032" "00000004" "00000000000003e8" "00000005"
            "0000000000000028"
        )  # fmt: skip
        (read,) = producer_snapshot.decode(data)
        assert (read.producer_id, read.producer_epoch, read.coordinator_epoch) == (7, 2, 5)
        assert read.batches == [BatchMetadata(9, 50, 4, 1000)]
        assert (read.last_timestamp, read.current_txn_first_offset) == (1000, 40)

    @pytest.mark.parametrize("damage", ["cut", "flip", "version", "count", "empty"])
    def test_damage(self, damage: str) -> None:
        data = bytearray(producer_snapshot.encode([ProducerStateEntry(7, 2)]))
        if damage == "cut":
            del data[-1]
        elif damage == "flip":
            data[20] ^= 1
        elif damage == "version":
            data[1] = 2
        elif damage == "count":
            data[9] += 1
        else:
            data.clear()
        with pytest.raises(producer_snapshot.CorruptSnapshot):
            producer_snapshot.decode(bytes(data))


class TestCheckpoints:
    def test_offsets(self, disk: MemoryDisk) -> None:
        offsets = {("b", 0): 7, ("a-1", 11): 1 << 40}
        checkpoint.write_offsets(disk, "/d/c", offsets)
        assert disk.read("/d/c") == b"0\n2\na-1 11 1099511627776\nb 0 7\n"
        assert checkpoint.read_offsets(disk, "/d/c") == offsets
        assert checkpoint.read_offsets(disk, "/d/none") == {}

    @pytest.mark.parametrize(
        "text",
        [
            b"\n",
            b"1\n0\n",
            b"0\n2\na 0 1\n",
            b"0\n0\n\n",
            b"0\n1\n a 0 1\n",
            b"0\n1\na 0 1_0\n",
            b"0\n1\na 0\n",
            b"0\nx\n",
            b"0\n1\na 0 x\n",
            b"\xff",
        ],
    )
    def test_malformed(self, disk: MemoryDisk, text: bytes) -> None:
        disk.write_atomic("/d/c", text)
        with pytest.raises(checkpoint.MalformedCheckpoint):
            checkpoint.read_offsets(disk, "/d/c")

    @pytest.mark.parametrize("text", [b"", b"0", b"0\n", b"0\n0\n"])
    def test_nothing_written_yet(self, disk: MemoryDisk, text: bytes) -> None:
        disk.write_atomic("/d/c", text)
        assert checkpoint.read_offsets(disk, "/d/c") == {} and LeaderEpochs.decode(text).entries() == []

    def test_line_ends_and_spaces(self, disk: MemoryDisk) -> None:
        disk.write_atomic("/d/c", b"0\r\n2\ra \t0  1 \nb 1 +2")
        assert checkpoint.read_offsets(disk, "/d/c") == {("a", 0): 1, ("b", 1): 2}

    @pytest.mark.parametrize("text", [b"0\n1\n-1 0\n", b"0\n1\n0 -1\n", b"0\n1\n4294967296 0\n", b"0\n1\n1\n"])
    def test_malformed_epochs(self, text: bytes) -> None:
        with pytest.raises(checkpoint.MalformedCheckpoint):
            LeaderEpochs.decode(text)

    def test_epochs(self) -> None:
        epochs = LeaderEpochs()
        epochs.assign(0, 0)
        epochs.assign(3, 120)
        assert epochs.unwritten() == b"0\n2\n0 0\n3 120\n"
        assert epochs.unwritten() is None
        read = LeaderEpochs.decode(b"0\n2\n0 0\n3 120\n")
        assert read.entries() == [(0, 0), (3, 120)]
        assert read.unwritten() is None

    def test_epochs_out_of_order_are_mended(self) -> None:
        read = LeaderEpochs.decode(b"0\n3\n0 0\n3 120\n2 130\n")
        assert read.entries() == [(0, 0), (2, 130)]
        assert read.unwritten() == b"0\n2\n0 0\n2 130\n"


def test_partition_metadata(disk: MemoryDisk) -> None:
    partition_metadata.write_topic_id(disk, "/d/partition.metadata", uuid_bytes(UUID))
    data = disk.read("/d/partition.metadata")
    assert data == f"version: 0\ntopic_id: {UUID}".encode() and len(data) == 43
    assert partition_metadata.read_topic_id(disk, "/d/partition.metadata") == uuid_bytes(UUID)
    assert partition_metadata.read_topic_id(disk, "/d/none") is None


@pytest.mark.parametrize("text", [b"", b"version: 1\ntopic_id: " + UUID.encode(), b"version: 0\ntopic_id: x", b"\xff",
                                  b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"])  # fmt: skip
def test_partition_metadata_malformed(disk: MemoryDisk, text: bytes) -> None:
    disk.write_atomic("/d/partition.metadata", text)
    with pytest.raises(partition_metadata.InconsistentTopicId):
        partition_metadata.read_topic_id(disk, "/d/partition.metadata")


def test_meta_properties(disk: MemoryDisk) -> None:
    properties = meta_properties.MetaProperties("my=cluster:1", 3, uuid_bytes(UUID))
    meta_properties.write(disk, "/d/meta.properties", properties)
    assert meta_properties.read(disk, "/d/meta.properties") == properties
    assert b"\nversion=1\n" in disk.read("/d/meta.properties")
    # As real Kafka writes it.
    text = f"#\n#Fri Nov 21 05:21:00 UTC 2025\ncluster.id=abc\ndirectory.id={UUID}\nnode.id=1\nversion=1\n"
    disk.write_atomic("/d/meta.properties", text.encode())
    assert meta_properties.read(disk, "/d/meta.properties") == meta_properties.MetaProperties(
        "abc", 1, uuid_bytes(UUID)
    )
    assert meta_properties.read(disk, "/d/none") is None


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "cluster.id is missing"), ("version=2", "version"),
     ("version=1\nnode.id=1\ndirectory.id=" + UUID, "cluster.id is missing"),
     ("version=1\ncluster.id=a\nnode.id=x\ndirectory.id=" + UUID, "x"),
     ("version=1\ncluster.id=a\nnode.id=1\ndirectory.id=zz", "UUID")],
)  # fmt: skip
def test_meta_properties_refused(disk: MemoryDisk, text: str, word: str) -> None:
    disk.write_atomic("/d/meta.properties", text.encode())
    with pytest.raises(meta_properties.InvalidMetaProperties, match=word):
        meta_properties.read(disk, "/d/meta.properties")

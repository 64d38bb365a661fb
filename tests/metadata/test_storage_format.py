"""Formatting: which files a first start makes, and directories that do not fit."""

from __future__ import annotations

from typing import Any

import pytest

from klamm.kproto.uuids import METADATA_TOPIC_ID
from klamm.log import meta_properties, partition_metadata
from klamm.log.io_thread import InlineIo
from klamm.log.log_dirs import LogDirs
from klamm.metadata.raft.voters import Voter, VoterEndpoint, VoterSet
from klamm.metadata.snapshot_file import decode_snapshot
from klamm.metadata.storage_format import FormatOptions, StorageError, bootstrap_records, open_storage

HERE = (VoterEndpoint("CONTROLLER", "h", 1),)
ELR = "eligible.leader.replicas.version"
VOTERS_FILE = "/a/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"


@pytest.fixture
def dirs(lab: Any) -> Any:
    def make(*paths: str) -> LogDirs:
        return LogDirs(
            paths, disk=lab.disk, clock=lab.clock, entropy=lab.entropy, writer=InlineIo(), flusher=InlineIo()
        )

    return make


def release(log_dirs: LogDirs) -> None:
    for directory in log_dirs.directories:
        directory.release()


def test_first_start(lab: Any, dirs: Any) -> None:
    log_dirs = dirs("/a", "/b")
    storage = open_storage(log_dirs, FormatOptions(7, "cluster", HERE))
    assert (storage.cluster_id, storage.node_id, storage.was_formatted) == ("cluster", 7, True)
    found = [meta_properties.read(lab.disk, f"{path}/meta.properties") for path in ("/a", "/b")]
    assert [(p.cluster_id, p.node_id) for p in found if p] == [("cluster", 7)] * 2
    ids = [p.directory_id for p in found if p]
    assert ids == list(log_dirs.directory_ids.values()) and len(set(ids)) == 2
    voters = decode_snapshot(lab.disk.read(VOTERS_FILE), VOTERS_FILE).voters
    assert voters is not None
    assert [(v.node_id, v.directory_id, v.endpoints) for v in voters.voters] == [(7, storage.directory_id, HERE)]
    assert storage.directory_id == ids[0]
    bootstrap = decode_snapshot(lab.disk.read("/a/bootstrap.checkpoint"), "b")
    assert list(bootstrap.records) == bootstrap_records()
    path = "/a/__cluster_metadata-0/partition.metadata"
    assert partition_metadata.read_topic_id(lab.disk, path) == METADATA_TOPIC_ID
    assert not lab.disk.exists("/b/bootstrap.checkpoint")


def test_second_start_changes_nothing(lab: Any, dirs: Any) -> None:
    first = dirs("/a")
    storage = open_storage(first, FormatOptions(1))
    assert len(storage.cluster_id) == 22, "drawn at random"
    release(first)
    again = open_storage(dirs("/a"), FormatOptions(1))
    assert again == storage._replace(was_formatted=False)


def test_new_directory_joins(lab: Any, dirs: Any) -> None:
    first = dirs("/a")
    storage = open_storage(first, FormatOptions(1))
    release(first)
    both = dirs("/a", "/b")
    assert open_storage(both, FormatOptions(1)).cluster_id == storage.cluster_id
    assert set(both.directory_ids) == {"/a", "/b"}


def test_crash_within_the_format_is_formatted_again(lab: Any, dirs: Any) -> None:
    first = dirs("/a")
    open_storage(first, FormatOptions(1, "one"))
    release(first)
    lab.disk.remove("/a/meta.properties")  # written last
    assert open_storage(dirs("/a"), FormatOptions(1, "two")).cluster_id == "two"


def test_static_voters_have_no_voter_file(lab: Any, dirs: Any) -> None:
    open_storage(dirs("/a"), FormatOptions(1, is_standalone=False))
    assert lab.disk.exists("/a/bootstrap.checkpoint") and not lab.disk.exists(VOTERS_FILE)


@pytest.mark.parametrize(
    ("options", "paths", "what"),
    [
        (FormatOptions(2), ("/a",), "belong to node 1, configured is node.id=2"),
        (FormatOptions(1, "other"), ("/a",), "belong to cluster .*, asked for is other"),
        (FormatOptions(1, metadata_dir="/b"), ("/a", "/b"), "/b should hold the metadata log"),
        (FormatOptions(1, metadata_dir="/c"), ("/a", "/b"), "metadata.log.dir=/c is none of log.dirs: /a, /b"),
    ],
)
def test_directories_that_do_not_fit(dirs: Any, options: FormatOptions, paths: Any, what: str) -> None:
    first = dirs("/a")
    open_storage(first, FormatOptions(1))
    release(first)
    with pytest.raises(StorageError, match=what):
        open_storage(dirs(*paths), options)
    dirs(*paths).open()  # the locks were given back


@pytest.mark.parametrize(
    ("levels", "what"),
    [
        ({"no.such": 1}, "no feature no.such"),
        ({"metadata.version": 31}, "metadata.version=31 is not within 22 to 30"),
        ({"metadata.version": 21}, "metadata.version=21 is not within 22 to 30"),
        ({"group.version": 2}, "group.version=2"),
        ({"metadata.version": 22, "eligible.leader.replicas.version": 1}, "depends on metadata.version level 23"),
    ],
)
def test_levels_that_cannot_be(levels: dict[str, int], what: str) -> None:
    with pytest.raises(StorageError, match=what):
        bootstrap_records(levels)


@pytest.mark.parametrize(
    ("levels", "written"),
    [
        ({}, [("metadata.version", 30), (ELR, 1), ("group.version", 1), ("share.version", 1), ("streams.version", 1)]),
        ({"metadata.version": 25}, [("metadata.version", 25), ("group.version", 1)]),
        (
            {"group.version": 0, "share.version": 1, "kraft.version": 1, "metadata.version": 27},
            [("metadata.version", 27), (ELR, 1), ("share.version", 1)],
        ),
    ],
)
def test_levels_of_a_release(levels: dict[str, int], written: list[tuple[str, int]]) -> None:
    rows: list[Any] = bootstrap_records(levels)
    assert [(r.name, r.feature_level) for r in rows] == [*written, ("transaction.version", 2)]


def test_voters_need_their_kraft_version(dirs: Any) -> None:
    levels = {"kraft.version": 0}
    with pytest.raises(StorageError, match="has no voter set"):
        open_storage(dirs("/a"), FormatOptions(1, "c", feature_levels=levels))
    assert open_storage(dirs("/a"), FormatOptions(1, "c", feature_levels=levels, is_standalone=False)).was_formatted


async def test_lower_levels_write_lower_records(lab: Any) -> None:
    levels = {"metadata.version": 22, "transaction.version": 2}
    running = await lab.start(options=FormatOptions(1, "c", feature_levels=levels))
    assert running.image.features == {"metadata.version": 22, "group.version": 1, "transaction.version": 2}
    assert running.image.configs == {}, "no minimum ISR without ELR"
    await running.create(lab.topic("a"))
    running.kill()
    again = await lab.start(options=FormatOptions(1, "c"))
    partition = again.image.topics.by_name["a"].partitions[0]
    assert (partition.isr, partition.leader, partition.elr) == ((1,), 1, ())


def test_initial_voters(lab: Any, dirs: Any) -> None:
    """A voter of a new quorum has the directory id that the others know it by; all of them begin with the same set."""
    wanted = VoterSet.of(Voter(node_id, bytes([node_id]) * 16, HERE) for node_id in (1, 2, 3))
    storage = open_storage(dirs("/a", "/b"), FormatOptions(2, "cluster", initial_voters=wanted))
    assert storage.directory_id == bytes([2]) * 16
    assert decode_snapshot(lab.disk.read(VOTERS_FILE), VOTERS_FILE).voters == wanted
    stranger = open_storage(dirs("/c"), FormatOptions(4, "cluster", initial_voters=wanted))
    assert stranger.directory_id not in [voter.directory_id for voter in wanted.voters]
    assert not lab.disk.exists(VOTERS_FILE.replace("/a/", "/c/"))

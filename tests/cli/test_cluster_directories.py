"""The directories of a cluster: what the first start makes, what later ones keep, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from klamm.cli import cluster_directories
from klamm.cli.cluster_directories import ClusterNode, Wanted, prepare
from klamm.cli.main import parser
from klamm.cli.start_cluster import command_of
from klamm.log.disk import RealDisk
from klamm.log.meta_properties import MetaProperties, read
from klamm.metadata.raft.voters import VoterSet
from klamm.metadata.snapshot_file import decode_snapshot
from klamm.metadata.storage_format import StorageError
from klamm.server.config.values import ConfigError


def identity(one: ClusterNode) -> MetaProperties:
    found = read(RealDisk(), f"{one.log_directory}/meta.properties")
    assert found is not None
    return found


def voters(one: ClusterNode) -> VoterSet | None:
    path = Path(one.log_directory) / "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"
    return decode_snapshot(path.read_bytes(), str(path)).voters if path.exists() else None


def test_a_new_cluster_knows_all_its_voters(tmp_path: Path) -> None:
    nodes = prepare(Wanted(str(tmp_path), 3, port=0))
    ids = [identity(one) for one in nodes]
    assert len({found.cluster_id for found in ids}) == 1
    assert [found.node_id for found in ids] == [1, 2, 3]
    first = voters(nodes[0])
    assert first is not None
    assert [(v.node_id, v.directory_id) for v in first.voters] == [(f.node_id, f.directory_id) for f in ids]
    assert [v.endpoints[0].port for v in first.voters] == [one.node.controller_port for one in nodes]
    assert all(voters(one) == first for one in nodes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node-1", "node-2", "node-3"]


def test_brokers_apart_from_controllers_are_no_voters(tmp_path: Path) -> None:
    nodes = prepare(Wanted(str(tmp_path), 2, 1, port=0), "MkU3OEVBNTcwNTJENDM2Qg")
    assert [one.node.roles for one in nodes] == [("broker",), ("broker",), ("controller",)]
    assert [voters(one) is None for one in nodes] == [True, True, False]
    assert {identity(one).cluster_id for one in nodes} == {"MkU3OEVBNTcwNTJENDM2Qg"}


@pytest.mark.parametrize("how", ["given", "overrides", "environ"])
def test_only_controllers_join_a_quorum_by_themselves(tmp_path: Path, how: str) -> None:
    name = "controller.quorum.auto.join.enable"
    key = "KAFKA_CONTROLLER_QUORUM_AUTO_JOIN_ENABLE" if how == "environ" else name
    wanted = Wanted(str(tmp_path), 1, 1, port=0)._replace(**{how: {key: "true"}})  # type: ignore[arg-type]
    broker, controller = prepare(wanted)
    assert f"{name}=false" in Path(broker.settings_file).read_text().splitlines()
    assert f"{name}=false" not in Path(controller.settings_file).read_text().splitlines()
    args = parser("start").parse_args(["start", "--override", f"{name}=true"])
    assert command_of(args, broker, "ready", 0)[-2:] == ["--override", f"{name}=false"]
    assert command_of(args, controller, "ready", 0)[-2:] == ["--override", f"{name}=true"]


def test_ports_follow_each_other(tmp_path: Path) -> None:
    nodes = prepare(Wanted(str(tmp_path), 2, port=19092))
    assert [(one.node.port, one.node.controller_port) for one in nodes] == [(19092, 19094), (19093, 19095)]


def test_controllers_keep_their_ports_and_nodes_their_identity(tmp_path: Path) -> None:
    before = prepare(Wanted(str(tmp_path), 3, port=0))
    ids = [identity(one) for one in before]
    after = prepare(Wanted(str(tmp_path), 3, port=0))
    assert [one.node.controller_port for one in after] == [one.node.controller_port for one in before]
    assert [identity(one) for one in after] == ids


def test_a_node_that_comes_later_is_no_voter(tmp_path: Path) -> None:
    before = prepare(Wanted(str(tmp_path), 1, port=0))
    after = prepare(Wanted(str(tmp_path), 2, port=0))
    assert identity(after[1]).cluster_id == identity(before[0]).cluster_id
    assert voters(after[1]) is None
    with pytest.raises(StorageError, match="node 2 too"):
        prepare(Wanted(str(tmp_path), 1, port=0))


def test_formatting_that_was_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes formatted in a second go are the voters that those of the first go know."""
    formatted = cluster_directories.format_directories
    calls = []

    def once(*arguments: object, **keywords: object) -> object:
        if calls:
            raise OSError("the lights went out")
        calls.append(1)
        return formatted(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(cluster_directories, "format_directories", once)
    with pytest.raises(OSError, match="lights"):
        prepare(Wanted(str(tmp_path), 3, port=0))
    monkeypatch.undo()
    nodes = prepare(Wanted(str(tmp_path), 3, port=0))
    first = voters(nodes[0])
    assert first is not None
    assert [v.directory_id for v in first.voters] == [identity(one).directory_id for one in nodes]
    assert all(voters(one) == first for one in nodes)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "single").mkdir()
    (tmp_path / "single/meta.properties").write_text("version=1\n")
    with pytest.raises(StorageError, match="single node"):
        prepare(Wanted(str(tmp_path / "single"), 3))
    with pytest.raises(ConfigError, match=r"process\.roles"):
        prepare(Wanted(str(tmp_path / "a"), 3, given={"process.roles": "broker"}))
    with pytest.raises(ConfigError, match=r"listeners"):
        prepare(Wanted(str(tmp_path / "a"), 3, environ={"KAFKA_LISTENERS": "PLAINTEXT://:1"}))
    with pytest.raises(ConfigError, match=r"num\.partitions"):
        prepare(Wanted(str(tmp_path / "a"), 3, overrides={"num.partitions": "none"}))
    with pytest.raises(ConfigError, match="6 ports"):
        prepare(Wanted(str(tmp_path / "a"), 3, port=65533))
    assert not (tmp_path / "a").exists()


def test_settings_survive_the_file(tmp_path: Path) -> None:
    from klamm.server.config.properties import parse_properties

    prepare(Wanted(str(tmp_path), 1, port=0, given={"super.users": " a\\b:c=d"}))
    found = {p.name: p.value for p in parse_properties((tmp_path / "node-1/server.properties").read_text())}
    assert found["super.users"] == " a\\b:c=d"

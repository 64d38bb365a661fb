"""The settings of clusters on one machine: whether the nodes find each other, and what users may not touch."""

from __future__ import annotations

import pytest

from klamm.server.config.broker_config import BrokerConfig
from klamm.server.config.local_cluster import LocalNode, node_ids, refuse_reserved, settings_of
from klamm.server.config.values import ConfigError

COMBINED = [LocalNode(number, "127.0.0.1", 9091 + number, 9094 + number) for number in (1, 2, 3)]
APART = [LocalNode(1, "::1", 9092, 0), LocalNode(2, "::1", 9093, 0), LocalNode(101, "::1", 0, 9094)]


def config(node: LocalNode, nodes: list[LocalNode], **more: bool) -> BrokerConfig:
    return BrokerConfig.load(profile="test", overrides=settings_of(node, nodes, {}, **more))


def test_who_is_what() -> None:
    assert node_ids(2) == [(1, True, True), (2, True, True)]
    assert node_ids(2, 1) == [(1, True, False), (2, True, False), (101, False, True)]
    for wrong in ((0, 0), (101, 0), (1, -1)):
        with pytest.raises(ConfigError):
            node_ids(*wrong)


def test_combined_nodes() -> None:
    for node in COMBINED:
        found = config(node, COMBINED)
        assert found.roles == {"broker", "controller"}
        assert found.node_id == node.node_id
        assert [address.port for address in found.quorum_bootstrap_servers] == [9095, 9096, 9097]
        assert found.quorum_voters == {}
        assert [(e.name, e.port) for e in found.listeners.broker] == [("PLAINTEXT", node.port)]
        assert [(e.name, e.port) for e in found.listeners.controller] == [("CONTROLLER", node.controller_port)]
        assert found.listeners.inter_broker == "PLAINTEXT"
        assert found.int("offsets.topic.replication.factor") == 3
        assert found.int("transaction.state.log.min.isr") == 2


def test_brokers_and_controllers_apart() -> None:
    roles = [sorted(config(node, APART).roles) for node in APART]
    assert roles == [["broker"], ["broker"], ["controller"]]
    controller = config(APART[2], APART)
    assert controller.listeners.broker == ()
    assert config(APART[0], APART).int("offsets.topic.replication.factor") == 2
    assert (APART[0].address, APART[2].address) == ("[::1]:9092", "127.0.0.1:9094")


def test_static_voters() -> None:
    found = config(COMBINED[0], COMBINED, static_voters=True)
    assert {node_id: address.port for node_id, address in found.quorum_voters.items()} == {1: 9095, 2: 9096, 3: 9097}


def test_what_users_say_wins_where_it_makes_no_cluster() -> None:
    given = {"default.replication.factor": "1", "num.partitions": "7"}
    found = BrokerConfig.load(profile="test", overrides=settings_of(COMBINED[0], COMBINED, given))
    assert (found.int("default.replication.factor"), found.int("num.partitions")) == (1, 7)
    with pytest.raises(ConfigError, match=r"node\.id"):
        refuse_reserved({"num.partitions": "7", "node.id": "7"})

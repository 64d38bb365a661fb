"""Every node once, under the load of two libraries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.cluster import ClusterTarget
from compat.cluster_kill.__main__ import cluster_of
from compat.cluster_kill.loaded_cluster import GROUP, SETTINGS
from compat.rolling_restart.loop import OTHER_GROUP, RollingRestart
from compat.rolling_restart.supervised import SupervisedCluster


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterTarget]:
    with cluster_of(request.config.getoption("--target")) as made:
        yield made


@pytest.mark.parametrize("controllers", [0, 3])
def test_nor_of_the_command_that_does_it(request: pytest.FixtureRequest, controllers: int) -> None:
    if request.config.getoption("--target") != "klamm":
        pytest.skip("real Kafka has no such command")
    with SupervisedCluster(SETTINGS, controllers) as cluster:
        loaded = RollingRestart(cluster, rate=1000).loaded
        loaded.start()
        loaded.await_load()
        promised = loaded.ledger.committed(GROUP)
        loaded.ledger.mark()
        *_, last = cluster.restart()
        assert last == f"all {3 + controllers} nodes have been restarted"
        loaded.compare(promised, "the command")
        loaded.stop_and_compare()
        assert loaded.ledger.violations == []
        assert loaded.ledger.acknowledged == loaded.ledger.sent > 1500
        assert all(loaded.ledger.commits(group) > 0 for group in (GROUP, OTHER_GROUP))


def test_no_application_hears_of_it(cluster: ClusterTarget) -> None:
    rolling = RollingRestart(cluster, rate=1000)
    rolling.run()
    assert rolling.ledger.violations == []
    assert [done.node for done in rolling.restarts] == [1, 2, 3]
    totals = rolling.totals()
    assert totals["acknowledged"] == totals["sent"] > 1500
    assert totals["commits"][GROUP] > 0
    assert totals["commits"][OTHER_GROUP] > 0

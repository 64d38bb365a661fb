"""Every node once, under the load of two libraries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compat.cluster import ClusterTarget
from compat.cluster_kill.__main__ import cluster_of
from compat.cluster_kill.loaded_cluster import GROUP
from compat.rolling_restart.loop import OTHER_GROUP, RollingRestart


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterTarget]:
    with cluster_of(request.config.getoption("--target")) as made:
        yield made


def test_no_application_hears_of_it(cluster: ClusterTarget) -> None:
    rolling = RollingRestart(cluster, rate=1000)
    rolling.run()
    assert rolling.ledger.violations == []
    assert [done.node for done in rolling.restarts] == [1, 2, 3]
    totals = rolling.totals()
    assert totals["acknowledged"] == totals["sent"] > 1500
    assert totals["commits"][GROUP] > 0
    assert totals["commits"][OTHER_GROUP] > 0

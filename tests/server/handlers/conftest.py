"""A running broker and a connection to it, shared by the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from klamm.testing import Cluster
from klamm.testing.wire import WireClient


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


@pytest.fixture(scope="module")
def wire(cluster: Cluster) -> Iterator[WireClient]:
    with WireClient(cluster.bootstrap_servers, timeout_s=10) as client:
        yield client

"""The pytest plugin: a cluster as a fixture, of function, module or session scope.

Every pytest-xdist worker has clusters of its own, on ports that the system picks. Nothing is imported before a test
asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from klamm.testing.cluster import Cluster


def _cluster() -> Iterator[Cluster]:
    from klamm.testing.cluster import Cluster

    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def klamm_cluster() -> Iterator[Cluster]:
    """A fresh cluster for one test."""
    yield from _cluster()


@pytest.fixture(scope="module")
def klamm_module_cluster() -> Iterator[Cluster]:
    """One cluster for all tests of a module; `reset()` empties it."""
    yield from _cluster()


@pytest.fixture(scope="session")
def klamm_session_cluster() -> Iterator[Cluster]:
    """One cluster for the whole run (of one xdist worker); `reset()` empties it."""
    yield from _cluster()

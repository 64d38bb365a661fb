"""Clusters inside a test.

    from klamm.testing import Cluster

    with Cluster() as cluster:
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)

`async with` works too. The pytest plugin offers the same as fixtures: `klamm_cluster`, `klamm_module_cluster` and
`klamm_session_cluster`.
"""

from klamm.testing.cluster import Cluster, ClusterError

__all__ = ["Cluster", "ClusterError"]

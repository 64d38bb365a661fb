"""Clusters inside a test.

    from klamm.testing import Cluster

    with Cluster() as cluster:
        producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers)

`async with` works too; `Cluster(brokers=3)` has several nodes, each to be killed and restarted. The pytest plugin
offers one broker as fixtures: `klamm_cluster`, `klamm_module_cluster` and `klamm_session_cluster`.
"""

from klamm.testing.cluster import Cluster, ClusterError, ClusterNode

__all__ = ["Cluster", "ClusterError", "ClusterNode"]

"""DescribeCluster (API 60): the nodes of the cluster (KIP-700)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class DescribeClusterRequest(Message, key=60, versions="0-2", flexible="0+"):
    """`endpoint_type`: 1 brokers, 2 controllers (v1, KIP-919). v2 may include fenced brokers (KIP-1073)."""

    include_cluster_authorized_operations: bool
    endpoint_type: int8 = v("1+", default=1)
    include_fenced_brokers: bool = v("2+", default=False)


class DescribeClusterResponse(Message, key=60, versions="0-2", flexible="0+"):
    """Nodes with the addresses of the listener that was asked. `cluster_authorized_operations` as in Metadata."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = None
    endpoint_type: int8 = v("1+", default=1)
    cluster_id: string
    controller_id: int32 = -1
    brokers: list[DescribeClusterBroker]
    cluster_authorized_operations: int32 = -2147483648

    class DescribeClusterBroker(Struct):
        broker_id: int32
        host: string
        port: int32
        rack: string | None = None
        is_fenced: bool = v("2+", default=False)

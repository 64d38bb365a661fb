"""Metadata (API 3): brokers, topics and who leads which partition. Every client polls it."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int16, int32, string, uuid, v


class MetadataRequest(Message, key=3, versions="0-13", flexible="9+"):
    """Ask for topics by name or, from v12 on, by id (KIP-516).

    `topics` null asks for all (v0: an empty list does), an empty list for none, just the brokers.
    `allow_auto_topic_creation` false keeps a look at a topic from creating it (v4; before, it always may). v8 may ask
    which operations are authorized (KIP-430); for the cluster DescribeCluster has taken that over since v11 (KIP-700).
    """

    topics: list[MetadataRequestTopic] | None = v(nullable="1+")
    allow_auto_topic_creation: bool = v("4+", default=True)
    include_cluster_authorized_operations: bool = v("8-10", default=False)
    include_topic_authorized_operations: bool = v("8+", default=False)

    class MetadataRequestTopic(Struct):
        topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
        name: string | None = v(nullable="10+")


class MetadataResponse(Message, key=3, versions="0-13", flexible="9+"):
    """The brokers that can be reached on the listener of the request, and the topics that were asked for.

    `controller_id` is -1 if it is unknown; a KRaft broker names any live broker there, since clients cannot reach a
    controller. `leader_id` is -1 while a partition has no leader. Authorized operations are bit fields, -2147483648
    when not asked for. v2 has the cluster id (KIP-78), v5 offline replicas (KIP-112), v7 leader epochs (KIP-320), v10
    topic ids (KIP-516), v13 `error_code` REBOOTSTRAP_REQUIRED, which sends the client back to its bootstrap addresses
    (KIP-1102).
    """

    throttle_time_ms: int32 = v("3+", default=0, ignorable=True)
    brokers: list[MetadataResponseBroker]
    cluster_id: string | None = v("2+", default=None, ignorable=True)
    controller_id: int32 = v("1+", default=-1, ignorable=True)
    topics: list[MetadataResponseTopic] = v(default=[], encoded=True)
    cluster_authorized_operations: int32 = v("8-10", default=-2147483648)
    error_code: int16 = v("13+", default=0, ignorable=True)

    class MetadataResponseBroker(Struct):
        node_id: int32
        host: string
        port: int32
        rack: string | None = v("1+", default=None, ignorable=True)

    class MetadataResponseTopic(Struct):
        error_code: int16
        name: string | None = v(nullable="12+")
        topic_id: uuid = v("10+", default=ZERO_UUID, ignorable=True)
        is_internal: bool = v("1+", default=False, ignorable=True)
        partitions: list[MetadataResponsePartition] = v(encoded=True)
        topic_authorized_operations: int32 = v("8+", default=-2147483648)

        class MetadataResponsePartition(Struct):
            error_code: int16
            partition_index: int32
            leader_id: int32
            leader_epoch: int32 = v("7+", default=-1, ignorable=True)
            replica_nodes: list[int32]
            isr_nodes: list[int32]
            offline_replicas: list[int32] = v("5+", default=[], ignorable=True)

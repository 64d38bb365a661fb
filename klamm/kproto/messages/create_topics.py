"""CreateTopics (API 19): new topics with their partitions and settings."""

from __future__ import annotations

from klamm.kproto.schema import ZERO_UUID, Message, Struct, int8, int16, int32, string, uuid, v


class CreateTopicsRequest(Message, key=19, versions="2-7", flexible="5+"):
    """Create topics. Brokers forward it to the controller (KIP-590).

    `num_partitions` and `replication_factor` -1 take the broker's defaults (v4, KIP-464), or stand there when
    `assignments` says which brokers get which partition. `validate_only` creates nothing. `timeout_ms` bounds the wait
    for the controller. v6 may be refused by quota (KIP-599).
    """

    topics: list[CreatableTopic]
    timeout_ms: int32 = 60000
    validate_only: bool = False

    class CreatableTopic(Struct):
        name: string
        num_partitions: int32
        replication_factor: int16
        assignments: list[CreatableReplicaAssignment]
        configs: list[CreatableTopicConfig]

        class CreatableReplicaAssignment(Struct):
            partition_index: int32
            broker_ids: list[int32]

        class CreatableTopicConfig(Struct):
            name: string
            value: string | None


class CreateTopicsResponse(Message, key=19, versions="2-7", flexible="5+"):
    """An error for each topic, or what it became.

    v5 returns partitions, replicas and settings (KIP-525); `topic_config_error_code` says so if the client may not see
    them. v7 has the topic id (KIP-516).
    """

    throttle_time_ms: int32 = v(default=0, ignorable=True)
    topics: list[CreatableTopicResult]

    class CreatableTopicResult(Struct):
        name: string
        topic_id: uuid = v("7+", default=ZERO_UUID, ignorable=True)
        error_code: int16
        error_message: string | None = v(default="", ignorable=True)
        topic_config_error_code: int16 = v("5+", default=0, tag=0, ignorable=True)
        num_partitions: int32 = v("5+", default=-1, ignorable=True)
        replication_factor: int16 = v("5+", default=-1, ignorable=True)
        configs: list[CreatableTopicConfigs] | None = v("5+", default=[], ignorable=True)

        class CreatableTopicConfigs(Struct):
            name: string
            value: string | None
            read_only: bool
            config_source: int8 = v(default=-1, ignorable=True)
            is_sensitive: bool

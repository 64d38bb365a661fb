"""Records of __cluster_metadata: the whole state of a cluster, told as changes (KIP-631).

In the log a value begins with three unsigned varints: frame version 1, record type, version. Which version is written
follows from the feature metadata.version.
"""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, float64, int8, int16, int32, int64, string, uint16, uuid, v


class RegisterBrokerRecord(Message, key=0, versions="0-4", flexible="0+"):
    """A broker has registered: it is fenced until it has caught up with the metadata.

    `security_protocol`: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. v1 has controlled shutdown (KIP-841), v3
    directories (KIP-858), v4 those that take no new partitions (KIP-1066).
    """

    broker_id: int32
    is_migrating_zk_broker: bool = v("2+", default=False)
    incarnation_id: uuid
    broker_epoch: int64
    end_points: list[BrokerEndpoint]
    features: list[BrokerFeature]
    rack: string | None
    fenced: bool = True
    in_controlled_shutdown: bool = v("1+", default=False)
    log_dirs: list[uuid] = v("3+", default=[], tag=0)
    cordoned_log_dirs: list[uuid] | None = v("4+", default=None, tag=1)

    class BrokerEndpoint(Struct):
        name: string
        host: string
        port: uint16
        security_protocol: int16

    class BrokerFeature(Struct):
        name: string
        min_supported_version: int16
        max_supported_version: int16


class UnregisterBrokerRecord(Message, key=1, versions="0", flexible="0+"):
    """A broker is forgotten."""

    broker_id: int32
    broker_epoch: int64


class TopicRecord(Message, key=2, versions="0", flexible="0+"):
    """A topic is created; PartitionRecords follow."""

    name: string
    topic_id: uuid


class PartitionRecord(Message, key=3, versions="0-2", flexible="0+"):
    """A partition is created, or in a snapshot stands as it is.

    `leader` is -1 without one. `leader_recovery_state` 1: its leader was elected uncleanly and has not recovered
    (KIP-704). v1 has the directory of each replica (KIP-858), v2 eligible leader replicas (KIP-966).
    """

    partition_id: int32 = -1
    topic_id: uuid
    replicas: list[int32]
    isr: list[int32]
    removing_replicas: list[int32]
    adding_replicas: list[int32]
    leader: int32 = -1
    leader_recovery_state: int8 = v(default=0, tag=0)
    leader_epoch: int32 = -1
    partition_epoch: int32 = -1
    directories: list[uuid] = v("1+", default=[])
    eligible_leader_replicas: list[int32] | None = v("2+", default=None, tag=1)
    last_known_elr: list[int32] | None = v("2+", default=None, tag=2)


class ConfigRecord(Message, key=4, versions="0", flexible="0+"):
    """A setting is set, or with a null value removed. `resource_type` as in DescribeConfigs."""

    resource_type: int8
    resource_name: string
    name: string
    value: string | None


class PartitionChangeRecord(Message, key=5, versions="0-2", flexible="0+"):
    """What has changed in a partition: fields at their defaults have not.

    `leader` -2 is unchanged, -1 none; `leader_recovery_state` -1 is unchanged; null lists are unchanged. Every change
    adds one to the partition's epoch, and one that names a leader adds one to the leader's epoch.
    """

    partition_id: int32 = -1
    topic_id: uuid
    isr: list[int32] | None = v(default=None, tag=0)
    leader: int32 = v(default=-2, tag=1)
    replicas: list[int32] | None = v(default=None, tag=2)
    removing_replicas: list[int32] | None = v(default=None, tag=3)
    adding_replicas: list[int32] | None = v(default=None, tag=4)
    leader_recovery_state: int8 = v(default=-1, tag=5)
    directories: list[uuid] | None = v("1+", default=None, tag=8)
    eligible_leader_replicas: list[int32] | None = v("2+", default=None, tag=6)
    last_known_elr: list[int32] | None = v("2+", default=None, tag=7)


class FenceBrokerRecord(Message, key=7, versions="0", flexible="0+"):
    """A broker is fenced: it leads nothing and clients do not see it.

    BrokerRegistrationChangeRecord has superseded it.
    """

    id: int32
    epoch: int64


class UnfenceBrokerRecord(Message, key=8, versions="0", flexible="0+"):
    """A broker is no longer fenced. BrokerRegistrationChangeRecord has superseded it."""

    id: int32
    epoch: int64


class RemoveTopicRecord(Message, key=9, versions="0", flexible="0+"):
    """A topic is deleted with its partitions and settings."""

    topic_id: uuid


class DelegationTokenRecord(Message, key=10, versions="0", flexible="0+"):
    """A delegation token is made or renewed. Times in ms since 1970."""

    owner: string
    requester: string
    renewers: list[string]
    issue_timestamp: int64
    max_timestamp: int64
    expiration_timestamp: int64
    token_id: string


class UserScramCredentialRecord(Message, key=11, versions="0", flexible="0+"):
    """A user's SCRAM credential: `mechanism` 1 SCRAM-SHA-256, 2 SCRAM-SHA-512 (KIP-554)."""

    name: string
    mechanism: int8
    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int32


class FeatureLevelRecord(Message, key=12, versions="0", flexible="0+"):
    """A feature's level is set, metadata.version for one; 0 removes the feature."""

    name: string
    feature_level: int16


class ClientQuotaRecord(Message, key=14, versions="0", flexible="0+"):
    """A quota is set, or with `remove` dropped. An `entity_name` of null is the default entity (KIP-546)."""

    entity: list[EntityData]
    key: string
    value: float64
    remove: bool

    class EntityData(Struct):
        entity_type: string
        entity_name: string | None


class ProducerIdsRecord(Message, key=15, versions="0", flexible="0+"):
    """A block of producer ids has been given to a broker; the next one begins at `next_producer_id` (KIP-730)."""

    broker_id: int32
    broker_epoch: int64 = -1
    next_producer_id: int64


class BrokerRegistrationChangeRecord(Message, key=17, versions="0-3", flexible="0+"):
    """What has changed in a broker's registration: fields at their defaults have not.

    `fenced`: 1 fenced, -1 unfenced. `in_controlled_shutdown`: 1 has begun (v1, KIP-841).
    """

    broker_id: int32
    broker_epoch: int64
    fenced: int8 = v(default=0, tag=0)
    in_controlled_shutdown: int8 = v("1+", default=0, tag=1)
    log_dirs: list[uuid] = v("2+", default=[], tag=2)
    cordoned_log_dirs: list[uuid] | None = v("3+", default=None, tag=3)


class AccessControlEntryRecord(Message, key=18, versions="0", flexible="0+"):
    """An access rule, with the numbers of CreateAcls."""

    id: uuid
    resource_type: int8
    resource_name: string
    pattern_type: int8
    principal: string
    host: string
    operation: int8
    permission_type: int8


class RemoveAccessControlEntryRecord(Message, key=19, versions="0", flexible="0+"):
    """An access rule is deleted, by the id that it was given."""

    id: uuid


class NoOpRecord(Message, key=20, versions="0", flexible="0+"):
    """Says nothing, but moves the log on, so that it can be seen to be alive (KIP-835)."""


class ZkMigrationStateRecord(Message, key=21, versions="0", flexible="0+"):
    """How far the migration from ZooKeeper had come; 0 in a cluster that never had it."""

    zk_migration_state: int8


class RemoveUserScramCredentialRecord(Message, key=22, versions="0", flexible="0+"):
    """A user's SCRAM credential is deleted."""

    name: string
    mechanism: int8


class BeginTransactionRecord(Message, key=23, versions="0", flexible="0+"):
    """What follows counts only when EndTransactionRecord has come (KIP-868)."""

    name: string | None = v(default=None, tag=0)


class EndTransactionRecord(Message, key=24, versions="0", flexible="0+"):
    """The records since BeginTransactionRecord count."""


class AbortTransactionRecord(Message, key=25, versions="0", flexible="0+"):
    """The records since BeginTransactionRecord do not count."""

    reason: string | None = v(default=None, tag=0)


class RemoveDelegationTokenRecord(Message, key=26, versions="0", flexible="0+"):
    """A delegation token is deleted."""

    token_id: string


class RegisterControllerRecord(Message, key=27, versions="0", flexible="0+"):
    """A controller has told its listeners and features (KIP-919)."""

    controller_id: int32
    incarnation_id: uuid
    zk_migration_ready: bool
    end_points: list[ControllerEndpoint]
    features: list[ControllerFeature]

    class ControllerEndpoint(Struct):
        name: string
        host: string
        port: uint16
        security_protocol: int16

    class ControllerFeature(Struct):
        name: string
        min_supported_version: int16
        max_supported_version: int16


class ClearElrRecord(Message, key=28, versions="0", flexible="0+"):
    """Eligible leader replicas of a topic, or with an empty name of all topics, are forgotten (KIP-966)."""

    topic_name: string

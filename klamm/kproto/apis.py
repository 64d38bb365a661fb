"""Every API: key, name, versions, where it is served. A static table, so that ApiVersions needs no message imported.

Source: the API keys of Kafka 4.3. Versions are the stable ones that 4.3 answers; keys without any are left out.
"""

from __future__ import annotations

from typing import Final, NamedTuple

BROKER: Final = 1
CONTROLLER: Final = 2


class Api(NamedTuple):
    """One API. `flexible`: its first version with request header 2 and compact fields (KIP-482), -1 for none."""

    key: int
    name: str
    low: int
    high: int
    flexible: int
    listeners: int
    forwardable: bool

    def request_header_version(self, version: int) -> int:
        """1, or 2 where the body is flexible."""
        return 2 if 0 <= self.flexible <= version else 1

    def response_header_version(self, version: int) -> int:
        """0, or 1 where the body is flexible; ApiVersions answers with header 0 in every version (KIP-511)."""
        return 1 if 0 <= self.flexible <= version and self.key != API_VERSIONS else 0


PRODUCE: Final = 0
FETCH: Final = 1
LIST_OFFSETS: Final = 2
METADATA: Final = 3
OFFSET_COMMIT: Final = 8
OFFSET_FETCH: Final = 9
FIND_COORDINATOR: Final = 10
JOIN_GROUP: Final = 11
HEARTBEAT: Final = 12
LEAVE_GROUP: Final = 13
SYNC_GROUP: Final = 14
DESCRIBE_GROUPS: Final = 15
LIST_GROUPS: Final = 16
SASL_HANDSHAKE: Final = 17
API_VERSIONS: Final = 18
CREATE_TOPICS: Final = 19
DELETE_TOPICS: Final = 20
DELETE_RECORDS: Final = 21
INIT_PRODUCER_ID: Final = 22
OFFSET_FOR_LEADER_EPOCH: Final = 23
ADD_PARTITIONS_TO_TXN: Final = 24
ADD_OFFSETS_TO_TXN: Final = 25
END_TXN: Final = 26
WRITE_TXN_MARKERS: Final = 27
TXN_OFFSET_COMMIT: Final = 28
DESCRIBE_ACLS: Final = 29
CREATE_ACLS: Final = 30
DELETE_ACLS: Final = 31
DESCRIBE_CONFIGS: Final = 32
ALTER_CONFIGS: Final = 33
ALTER_REPLICA_LOG_DIRS: Final = 34
DESCRIBE_LOG_DIRS: Final = 35
SASL_AUTHENTICATE: Final = 36
CREATE_PARTITIONS: Final = 37
CREATE_DELEGATION_TOKEN: Final = 38
RENEW_DELEGATION_TOKEN: Final = 39
EXPIRE_DELEGATION_TOKEN: Final = 40
DESCRIBE_DELEGATION_TOKEN: Final = 41
DELETE_GROUPS: Final = 42
ELECT_LEADERS: Final = 43
INCREMENTAL_ALTER_CONFIGS: Final = 44
ALTER_PARTITION_REASSIGNMENTS: Final = 45
LIST_PARTITION_REASSIGNMENTS: Final = 46
OFFSET_DELETE: Final = 47
DESCRIBE_CLIENT_QUOTAS: Final = 48
ALTER_CLIENT_QUOTAS: Final = 49
DESCRIBE_USER_SCRAM_CREDENTIALS: Final = 50
ALTER_USER_SCRAM_CREDENTIALS: Final = 51
VOTE: Final = 52
BEGIN_QUORUM_EPOCH: Final = 53
END_QUORUM_EPOCH: Final = 54
DESCRIBE_QUORUM: Final = 55
ALTER_PARTITION: Final = 56
UPDATE_FEATURES: Final = 57
ENVELOPE: Final = 58
FETCH_SNAPSHOT: Final = 59
DESCRIBE_CLUSTER: Final = 60
DESCRIBE_PRODUCERS: Final = 61
BROKER_REGISTRATION: Final = 62
BROKER_HEARTBEAT: Final = 63
UNREGISTER_BROKER: Final = 64
DESCRIBE_TRANSACTIONS: Final = 65
LIST_TRANSACTIONS: Final = 66
ALLOCATE_PRODUCER_IDS: Final = 67
CONSUMER_GROUP_HEARTBEAT: Final = 68
CONSUMER_GROUP_DESCRIBE: Final = 69
CONTROLLER_REGISTRATION: Final = 70
GET_TELEMETRY_SUBSCRIPTIONS: Final = 71
PUSH_TELEMETRY: Final = 72
ASSIGN_REPLICAS_TO_DIRS: Final = 73
LIST_CONFIG_RESOURCES: Final = 74
DESCRIBE_TOPIC_PARTITIONS: Final = 75
SHARE_GROUP_HEARTBEAT: Final = 76
SHARE_GROUP_DESCRIBE: Final = 77
SHARE_FETCH: Final = 78
SHARE_ACKNOWLEDGE: Final = 79
ADD_RAFT_VOTER: Final = 80
REMOVE_RAFT_VOTER: Final = 81
UPDATE_RAFT_VOTER: Final = 82
INITIALIZE_SHARE_GROUP_STATE: Final = 83
READ_SHARE_GROUP_STATE: Final = 84
WRITE_SHARE_GROUP_STATE: Final = 85
DELETE_SHARE_GROUP_STATE: Final = 86
READ_SHARE_GROUP_STATE_SUMMARY: Final = 87
STREAMS_GROUP_HEARTBEAT: Final = 88
STREAMS_GROUP_DESCRIBE: Final = 89
DESCRIBE_SHARE_GROUP_OFFSETS: Final = 90
ALTER_SHARE_GROUP_OFFSETS: Final = 91
DELETE_SHARE_GROUP_OFFSETS: Final = 92

_ROWS: Final = (
    Api(PRODUCE, "Produce", 3, 13, 9, BROKER, False),
    Api(FETCH, "Fetch", 4, 18, 12, BROKER | CONTROLLER, False),
    Api(LIST_OFFSETS, "ListOffsets", 1, 11, 6, BROKER, False),
    Api(METADATA, "Metadata", 0, 13, 9, BROKER, False),
    Api(OFFSET_COMMIT, "OffsetCommit", 2, 10, 8, BROKER, False),
    Api(OFFSET_FETCH, "OffsetFetch", 1, 10, 6, BROKER, False),
    Api(FIND_COORDINATOR, "FindCoordinator", 0, 6, 3, BROKER, False),
    Api(JOIN_GROUP, "JoinGroup", 0, 9, 6, BROKER, False),
    Api(HEARTBEAT, "Heartbeat", 0, 4, 4, BROKER, False),
    Api(LEAVE_GROUP, "LeaveGroup", 0, 5, 4, BROKER, False),
    Api(SYNC_GROUP, "SyncGroup", 0, 5, 4, BROKER, False),
    Api(DESCRIBE_GROUPS, "DescribeGroups", 0, 6, 5, BROKER, False),
    Api(LIST_GROUPS, "ListGroups", 0, 5, 3, BROKER, False),
    Api(SASL_HANDSHAKE, "SaslHandshake", 0, 1, -1, BROKER | CONTROLLER, False),
    Api(API_VERSIONS, "ApiVersions", 0, 4, 3, BROKER | CONTROLLER, False),
    Api(CREATE_TOPICS, "CreateTopics", 2, 7, 5, BROKER | CONTROLLER, True),
    Api(DELETE_TOPICS, "DeleteTopics", 1, 6, 4, BROKER | CONTROLLER, True),
    Api(DELETE_RECORDS, "DeleteRecords", 0, 2, 2, BROKER, False),
    Api(INIT_PRODUCER_ID, "InitProducerId", 0, 5, 2, BROKER, False),
    Api(OFFSET_FOR_LEADER_EPOCH, "OffsetForLeaderEpoch", 2, 4, 4, BROKER, False),
    Api(ADD_PARTITIONS_TO_TXN, "AddPartitionsToTxn", 0, 5, 3, BROKER, False),
    Api(ADD_OFFSETS_TO_TXN, "AddOffsetsToTxn", 0, 4, 3, BROKER, False),
    Api(END_TXN, "EndTxn", 0, 5, 3, BROKER, False),
    Api(WRITE_TXN_MARKERS, "WriteTxnMarkers", 1, 2, 1, BROKER, False),
    Api(TXN_OFFSET_COMMIT, "TxnOffsetCommit", 0, 5, 3, BROKER, False),
    Api(DESCRIBE_ACLS, "DescribeAcls", 1, 3, 2, BROKER | CONTROLLER, False),
    Api(CREATE_ACLS, "CreateAcls", 1, 3, 2, BROKER | CONTROLLER, True),
    Api(DELETE_ACLS, "DeleteAcls", 1, 3, 2, BROKER | CONTROLLER, True),
    Api(DESCRIBE_CONFIGS, "DescribeConfigs", 1, 4, 4, BROKER | CONTROLLER, False),
    Api(ALTER_CONFIGS, "AlterConfigs", 0, 2, 2, BROKER | CONTROLLER, True),
    Api(ALTER_REPLICA_LOG_DIRS, "AlterReplicaLogDirs", 1, 2, 2, BROKER, False),
    Api(DESCRIBE_LOG_DIRS, "DescribeLogDirs", 1, 5, 2, BROKER, False),
    Api(SASL_AUTHENTICATE, "SaslAuthenticate", 0, 2, 2, BROKER | CONTROLLER, False),
    Api(CREATE_PARTITIONS, "CreatePartitions", 0, 3, 2, BROKER | CONTROLLER, True),
    Api(CREATE_DELEGATION_TOKEN, "CreateDelegationToken", 1, 3, 2, BROKER | CONTROLLER, True),
    Api(RENEW_DELEGATION_TOKEN, "RenewDelegationToken", 1, 2, 2, BROKER | CONTROLLER, True),
    Api(EXPIRE_DELEGATION_TOKEN, "ExpireDelegationToken", 1, 2, 2, BROKER | CONTROLLER, True),
    Api(DESCRIBE_DELEGATION_TOKEN, "DescribeDelegationToken", 1, 3, 2, BROKER | CONTROLLER, False),
    Api(DELETE_GROUPS, "DeleteGroups", 0, 2, 2, BROKER, False),
    Api(ELECT_LEADERS, "ElectLeaders", 0, 2, 2, BROKER | CONTROLLER, True),
    Api(INCREMENTAL_ALTER_CONFIGS, "IncrementalAlterConfigs", 0, 1, 1, BROKER | CONTROLLER, True),
    Api(ALTER_PARTITION_REASSIGNMENTS, "AlterPartitionReassignments", 0, 1, 0, BROKER | CONTROLLER, True),
    Api(LIST_PARTITION_REASSIGNMENTS, "ListPartitionReassignments", 0, 0, 0, BROKER | CONTROLLER, True),
    Api(OFFSET_DELETE, "OffsetDelete", 0, 0, -1, BROKER, False),
    Api(DESCRIBE_CLIENT_QUOTAS, "DescribeClientQuotas", 0, 1, 1, BROKER, False),
    Api(ALTER_CLIENT_QUOTAS, "AlterClientQuotas", 0, 1, 1, BROKER | CONTROLLER, True),
    Api(DESCRIBE_USER_SCRAM_CREDENTIALS, "DescribeUserScramCredentials", 0, 0, 0, BROKER | CONTROLLER, False),
    Api(ALTER_USER_SCRAM_CREDENTIALS, "AlterUserScramCredentials", 0, 0, 0, BROKER | CONTROLLER, True),
    Api(VOTE, "Vote", 0, 2, 0, CONTROLLER, False),
    Api(BEGIN_QUORUM_EPOCH, "BeginQuorumEpoch", 0, 1, 1, CONTROLLER, False),
    Api(END_QUORUM_EPOCH, "EndQuorumEpoch", 0, 1, 1, CONTROLLER, False),
    Api(DESCRIBE_QUORUM, "DescribeQuorum", 0, 2, 0, BROKER | CONTROLLER, True),
    Api(ALTER_PARTITION, "AlterPartition", 2, 3, 2, CONTROLLER, False),
    Api(UPDATE_FEATURES, "UpdateFeatures", 0, 2, 0, BROKER | CONTROLLER, True),
    Api(ENVELOPE, "Envelope", 0, 0, 0, CONTROLLER, False),
    Api(FETCH_SNAPSHOT, "FetchSnapshot", 0, 1, 0, CONTROLLER, False),
    Api(DESCRIBE_CLUSTER, "DescribeCluster", 0, 2, 0, BROKER | CONTROLLER, False),
    Api(DESCRIBE_PRODUCERS, "DescribeProducers", 0, 0, 0, BROKER, False),
    Api(BROKER_REGISTRATION, "BrokerRegistration", 0, 4, 0, CONTROLLER, False),
    Api(BROKER_HEARTBEAT, "BrokerHeartbeat", 0, 2, 0, CONTROLLER, False),
    Api(UNREGISTER_BROKER, "UnregisterBroker", 0, 0, 0, BROKER | CONTROLLER, True),
    Api(DESCRIBE_TRANSACTIONS, "DescribeTransactions", 0, 0, 0, BROKER, False),
    Api(LIST_TRANSACTIONS, "ListTransactions", 0, 2, 0, BROKER, False),
    Api(ALLOCATE_PRODUCER_IDS, "AllocateProducerIds", 0, 0, 0, CONTROLLER, True),
    Api(CONSUMER_GROUP_HEARTBEAT, "ConsumerGroupHeartbeat", 0, 1, 0, BROKER, False),
    Api(CONSUMER_GROUP_DESCRIBE, "ConsumerGroupDescribe", 0, 1, 0, BROKER, False),
    Api(CONTROLLER_REGISTRATION, "ControllerRegistration", 0, 0, 0, CONTROLLER, False),
    Api(GET_TELEMETRY_SUBSCRIPTIONS, "GetTelemetrySubscriptions", 0, 0, 0, BROKER, False),
    Api(PUSH_TELEMETRY, "PushTelemetry", 0, 0, 0, BROKER, False),
    Api(ASSIGN_REPLICAS_TO_DIRS, "AssignReplicasToDirs", 0, 0, 0, CONTROLLER, False),
    Api(LIST_CONFIG_RESOURCES, "ListConfigResources", 0, 1, 0, BROKER, False),
    Api(DESCRIBE_TOPIC_PARTITIONS, "DescribeTopicPartitions", 0, 0, 0, BROKER, False),
    Api(SHARE_GROUP_HEARTBEAT, "ShareGroupHeartbeat", 1, 1, 1, BROKER, False),
    Api(SHARE_GROUP_DESCRIBE, "ShareGroupDescribe", 1, 1, 1, BROKER, False),
    Api(SHARE_FETCH, "ShareFetch", 1, 2, 1, BROKER, False),
    Api(SHARE_ACKNOWLEDGE, "ShareAcknowledge", 1, 2, 1, BROKER, False),
    Api(ADD_RAFT_VOTER, "AddRaftVoter", 0, 1, 0, BROKER | CONTROLLER, True),
    Api(REMOVE_RAFT_VOTER, "RemoveRaftVoter", 0, 0, 0, BROKER | CONTROLLER, True),
    Api(UPDATE_RAFT_VOTER, "UpdateRaftVoter", 0, 0, 0, CONTROLLER, False),
    Api(INITIALIZE_SHARE_GROUP_STATE, "InitializeShareGroupState", 0, 0, 0, BROKER, False),
    Api(READ_SHARE_GROUP_STATE, "ReadShareGroupState", 0, 0, 0, BROKER, False),
    Api(WRITE_SHARE_GROUP_STATE, "WriteShareGroupState", 0, 1, 0, BROKER, False),
    Api(DELETE_SHARE_GROUP_STATE, "DeleteShareGroupState", 0, 0, 0, BROKER, False),
    Api(READ_SHARE_GROUP_STATE_SUMMARY, "ReadShareGroupStateSummary", 0, 1, 0, BROKER, False),
    Api(STREAMS_GROUP_HEARTBEAT, "StreamsGroupHeartbeat", 0, 0, 0, BROKER, False),
    Api(STREAMS_GROUP_DESCRIBE, "StreamsGroupDescribe", 0, 0, 0, BROKER, False),
    Api(DESCRIBE_SHARE_GROUP_OFFSETS, "DescribeShareGroupOffsets", 0, 1, 0, BROKER, False),
    Api(ALTER_SHARE_GROUP_OFFSETS, "AlterShareGroupOffsets", 0, 0, 0, BROKER, False),
    Api(DELETE_SHARE_GROUP_OFFSETS, "DeleteShareGroupOffsets", 0, 0, 0, BROKER, False),
)

APIS: Final[dict[int, Api]] = {api.key: api for api in _ROWS}

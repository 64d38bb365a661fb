"""Where every message is declared: the name of each class and the module that holds it.

For tools that go by name (the codec command, log dumps, tests). The server imports what it needs directly.
"""

from __future__ import annotations

import importlib

from klamm.kproto.schema import Message

# Requests and responses stand in `messages/`, in the module of their API; everything else is listed by file.
_FILES: dict[str, tuple[str, ...]] = {
    "consumer_protocol": (
        "ConsumerProtocolAssignment",
        "ConsumerProtocolSubscription",
        "SubscriptionInfoData",
    ),
    "control_records": (
        "ControlRecordTypeSchema",
        "EndTxnMarker",
        "KRaftVersionRecord",
        "LeaderChangeMessage",
        "SnapshotFooterRecord",
        "SnapshotHeaderRecord",
        "VotersRecord",
    ),
    "group_records": (
        "ConsumerGroupCurrentMemberAssignmentKey",
        "ConsumerGroupCurrentMemberAssignmentValue",
        "ConsumerGroupMemberMetadataKey",
        "ConsumerGroupMemberMetadataValue",
        "ConsumerGroupMetadataKey",
        "ConsumerGroupMetadataValue",
        "ConsumerGroupPartitionMetadataKey",
        "ConsumerGroupPartitionMetadataValue",
        "ConsumerGroupRegularExpressionKey",
        "ConsumerGroupRegularExpressionValue",
        "ConsumerGroupTargetAssignmentMemberKey",
        "ConsumerGroupTargetAssignmentMemberValue",
        "ConsumerGroupTargetAssignmentMetadataKey",
        "ConsumerGroupTargetAssignmentMetadataValue",
        "GroupMetadataKey",
        "GroupMetadataValue",
        "LegacyOffsetCommitKey",
        "LegacyOffsetCommitValue",
        "OffsetCommitKey",
        "OffsetCommitValue",
    ),
    "messages.header": (
        "RequestHeader",
        "ResponseHeader",
    ),
    "metadata_records": (
        "AbortTransactionRecord",
        "AccessControlEntryRecord",
        "BeginTransactionRecord",
        "BrokerRegistrationChangeRecord",
        "ClearElrRecord",
        "ClientQuotaRecord",
        "ConfigRecord",
        "DelegationTokenRecord",
        "EndTransactionRecord",
        "FeatureLevelRecord",
        "FenceBrokerRecord",
        "NoOpRecord",
        "PartitionChangeRecord",
        "PartitionRecord",
        "ProducerIdsRecord",
        "RegisterBrokerRecord",
        "RegisterControllerRecord",
        "RemoveAccessControlEntryRecord",
        "RemoveDelegationTokenRecord",
        "RemoveTopicRecord",
        "RemoveUserScramCredentialRecord",
        "TopicRecord",
        "UnfenceBrokerRecord",
        "UnregisterBrokerRecord",
        "UserScramCredentialRecord",
        "ZkMigrationStateRecord",
    ),
    "remote_log_records": (
        "RemoteLogSegmentMetadataRecord",
        "RemoteLogSegmentMetadataSnapshotRecord",
        "RemoteLogSegmentMetadataUpdateRecord",
        "RemotePartitionDeleteMetadataRecord",
    ),
    "share_group_records": (
        "ShareGroupCurrentMemberAssignmentKey",
        "ShareGroupCurrentMemberAssignmentValue",
        "ShareGroupMemberMetadataKey",
        "ShareGroupMemberMetadataValue",
        "ShareGroupMetadataKey",
        "ShareGroupMetadataValue",
        "ShareGroupStatePartitionMetadataKey",
        "ShareGroupStatePartitionMetadataValue",
        "ShareGroupTargetAssignmentMemberKey",
        "ShareGroupTargetAssignmentMemberValue",
        "ShareGroupTargetAssignmentMetadataKey",
        "ShareGroupTargetAssignmentMetadataValue",
    ),
    "share_state_records": (
        "ShareSnapshotKey",
        "ShareSnapshotValue",
        "ShareUpdateKey",
        "ShareUpdateValue",
    ),
    "state_files": (
        "DefaultPrincipalData",
        "ProducerSnapshot",
        "QuorumStateData",
    ),
    "streams_group_records": (
        "StreamsGroupCurrentMemberAssignmentKey",
        "StreamsGroupCurrentMemberAssignmentValue",
        "StreamsGroupMemberMetadataKey",
        "StreamsGroupMemberMetadataValue",
        "StreamsGroupMetadataKey",
        "StreamsGroupMetadataValue",
        "StreamsGroupTargetAssignmentMemberKey",
        "StreamsGroupTargetAssignmentMemberValue",
        "StreamsGroupTargetAssignmentMetadataKey",
        "StreamsGroupTargetAssignmentMetadataValue",
        "StreamsGroupTopologyKey",
        "StreamsGroupTopologyValue",
    ),
    "transaction_records": (
        "TransactionLogKey",
        "TransactionLogValue",
    ),
}

API_MODULES: dict[str, str] = {
    "AddOffsetsToTxn": "messages.add_offsets_to_txn",
    "AddPartitionsToTxn": "messages.add_partitions_to_txn",
    "AddRaftVoter": "messages.add_raft_voter",
    "AllocateProducerIds": "messages.allocate_producer_ids",
    "AlterClientQuotas": "messages.alter_client_quotas",
    "AlterConfigs": "messages.alter_configs",
    "AlterPartitionReassignments": "messages.alter_partition_reassignments",
    "AlterPartition": "messages.alter_partition",
    "AlterReplicaLogDirs": "messages.alter_replica_log_dirs",
    "AlterShareGroupOffsets": "messages.alter_share_group_offsets",
    "AlterUserScramCredentials": "messages.alter_user_scram_credentials",
    "ApiVersions": "messages.api_versions",
    "AssignReplicasToDirs": "messages.assign_replicas_to_dirs",
    "BeginQuorumEpoch": "messages.begin_quorum_epoch",
    "BrokerHeartbeat": "messages.broker_heartbeat",
    "BrokerRegistration": "messages.broker_registration",
    "ConsumerGroupDescribe": "messages.consumer_group_describe",
    "ConsumerGroupHeartbeat": "messages.consumer_group_heartbeat",
    "ControlledShutdown": "messages.controlled_shutdown",
    "ControllerRegistration": "messages.controller_registration",
    "CreateAcls": "messages.create_acls",
    "CreateDelegationToken": "messages.create_delegation_token",
    "CreatePartitions": "messages.create_partitions",
    "CreateTopics": "messages.create_topics",
    "DeleteAcls": "messages.delete_acls",
    "DeleteGroups": "messages.delete_groups",
    "DeleteRecords": "messages.delete_records",
    "DeleteShareGroupOffsets": "messages.delete_share_group_offsets",
    "DeleteShareGroupState": "messages.delete_share_group_state",
    "DeleteTopics": "messages.delete_topics",
    "DescribeAcls": "messages.describe_acls",
    "DescribeClientQuotas": "messages.describe_client_quotas",
    "DescribeCluster": "messages.describe_cluster",
    "DescribeConfigs": "messages.describe_configs",
    "DescribeDelegationToken": "messages.describe_delegation_token",
    "DescribeGroups": "messages.describe_groups",
    "DescribeLogDirs": "messages.describe_log_dirs",
    "DescribeProducers": "messages.describe_producers",
    "DescribeQuorum": "messages.describe_quorum",
    "DescribeShareGroupOffsets": "messages.describe_share_group_offsets",
    "DescribeTopicPartitions": "messages.describe_topic_partitions",
    "DescribeTransactions": "messages.describe_transactions",
    "DescribeUserScramCredentials": "messages.describe_user_scram_credentials",
    "ElectLeaders": "messages.elect_leaders",
    "EndQuorumEpoch": "messages.end_quorum_epoch",
    "EndTxn": "messages.end_txn",
    "Envelope": "messages.envelope",
    "ExpireDelegationToken": "messages.expire_delegation_token",
    "Fetch": "messages.fetch",
    "FetchSnapshot": "messages.fetch_snapshot",
    "FindCoordinator": "messages.find_coordinator",
    "GetTelemetrySubscriptions": "messages.get_telemetry_subscriptions",
    "Heartbeat": "messages.heartbeat",
    "IncrementalAlterConfigs": "messages.incremental_alter_configs",
    "InitProducerId": "messages.init_producer_id",
    "InitializeShareGroupState": "messages.initialize_share_group_state",
    "JoinGroup": "messages.join_group",
    "LeaderAndIsr": "messages.leader_and_isr",
    "LeaveGroup": "messages.leave_group",
    "ListConfigResources": "messages.list_config_resources",
    "ListGroups": "messages.list_groups",
    "ListOffsets": "messages.list_offsets",
    "ListPartitionReassignments": "messages.list_partition_reassignments",
    "ListTransactions": "messages.list_transactions",
    "Metadata": "messages.metadata",
    "OffsetCommit": "messages.offset_commit",
    "OffsetDelete": "messages.offset_delete",
    "OffsetFetch": "messages.offset_fetch",
    "OffsetForLeaderEpoch": "messages.offset_for_leader_epoch",
    "Produce": "messages.produce",
    "PushTelemetry": "messages.push_telemetry",
    "ReadShareGroupState": "messages.read_share_group_state",
    "ReadShareGroupStateSummary": "messages.read_share_group_state_summary",
    "RemoveRaftVoter": "messages.remove_raft_voter",
    "RenewDelegationToken": "messages.renew_delegation_token",
    "SaslAuthenticate": "messages.sasl_authenticate",
    "SaslHandshake": "messages.sasl_handshake",
    "ShareAcknowledge": "messages.share_acknowledge",
    "ShareFetch": "messages.share_fetch",
    "ShareGroupDescribe": "messages.share_group_describe",
    "ShareGroupHeartbeat": "messages.share_group_heartbeat",
    "StopReplica": "messages.stop_replica",
    "StreamsGroupDescribe": "messages.streams_group_describe",
    "StreamsGroupHeartbeat": "messages.streams_group_heartbeat",
    "SyncGroup": "messages.sync_group",
    "TxnOffsetCommit": "messages.txn_offset_commit",
    "UnregisterBroker": "messages.unregister_broker",
    "UpdateFeatures": "messages.update_features",
    "UpdateMetadata": "messages.update_metadata",
    "UpdateRaftVoter": "messages.update_raft_voter",
    "Vote": "messages.vote",
    "WriteShareGroupState": "messages.write_share_group_state",
    "WriteTxnMarkers": "messages.write_txn_markers",
}

_MODULES = {name: module for module, names in _FILES.items() for name in names}


def message_class(name: str) -> type[Message]:
    """The class of that name, e.g. `FetchRequest`. Raises KeyError for a name that no schema has."""
    module = _MODULES.get(name)
    if module is None:
        api = name.removesuffix("Request").removesuffix("Response")
        if api == name:
            raise KeyError(name)
        module = API_MODULES[api]
    found: type[Message] = getattr(importlib.import_module(f"klamm.kproto.{module}"), name)
    return found


def message_names() -> list[str]:
    """The names of all messages, in alphabetical order."""
    return sorted([*_MODULES, *(f"{api}{side}" for api in API_MODULES for side in ("Request", "Response"))])


def names_in(file: str) -> tuple[str, ...]:
    """The names of the messages in a file that is no API's, e.g. `group_records`. Raises KeyError."""
    return _FILES[file]

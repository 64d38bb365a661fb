"""Kafka's error codes: a constant per code, and a table of name, retriable flag and default message.

Plain integers, because they are written on the wire as they are and compared on the hot path.
Source: the protocol guide's table of error codes (Kafka 4.3).
"""

from __future__ import annotations

from typing import Final, NamedTuple

UNKNOWN_SERVER_ERROR: Final = -1
NONE: Final = 0
OFFSET_OUT_OF_RANGE: Final = 1
CORRUPT_MESSAGE: Final = 2
UNKNOWN_TOPIC_OR_PARTITION: Final = 3
INVALID_FETCH_SIZE: Final = 4
LEADER_NOT_AVAILABLE: Final = 5
NOT_LEADER_OR_FOLLOWER: Final = 6
REQUEST_TIMED_OUT: Final = 7
BROKER_NOT_AVAILABLE: Final = 8
REPLICA_NOT_AVAILABLE: Final = 9
MESSAGE_TOO_LARGE: Final = 10
STALE_CONTROLLER_EPOCH: Final = 11
OFFSET_METADATA_TOO_LARGE: Final = 12
NETWORK_EXCEPTION: Final = 13
COORDINATOR_LOAD_IN_PROGRESS: Final = 14
COORDINATOR_NOT_AVAILABLE: Final = 15
NOT_COORDINATOR: Final = 16
INVALID_TOPIC_EXCEPTION: Final = 17
RECORD_LIST_TOO_LARGE: Final = 18
NOT_ENOUGH_REPLICAS: Final = 19
NOT_ENOUGH_REPLICAS_AFTER_APPEND: Final = 20
INVALID_REQUIRED_ACKS: Final = 21
ILLEGAL_GENERATION: Final = 22
INCONSISTENT_GROUP_PROTOCOL: Final = 23
INVALID_GROUP_ID: Final = 24
UNKNOWN_MEMBER_ID: Final = 25
INVALID_SESSION_TIMEOUT: Final = 26
REBALANCE_IN_PROGRESS: Final = 27
INVALID_COMMIT_OFFSET_SIZE: Final = 28
TOPIC_AUTHORIZATION_FAILED: Final = 29
GROUP_AUTHORIZATION_FAILED: Final = 30
CLUSTER_AUTHORIZATION_FAILED: Final = 31
INVALID_TIMESTAMP: Final = 32
UNSUPPORTED_SASL_MECHANISM: Final = 33
ILLEGAL_SASL_STATE: Final = 34
UNSUPPORTED_VERSION: Final = 35
TOPIC_ALREADY_EXISTS: Final = 36
INVALID_PARTITIONS: Final = 37
INVALID_REPLICATION_FACTOR: Final = 38
INVALID_REPLICA_ASSIGNMENT: Final = 39
INVALID_CONFIG: Final = 40
NOT_CONTROLLER: Final = 41
INVALID_REQUEST: Final = 42
UNSUPPORTED_FOR_MESSAGE_FORMAT: Final = 43
POLICY_VIOLATION: Final = 44
OUT_OF_ORDER_SEQUENCE_NUMBER: Final = 45
DUPLICATE_SEQUENCE_NUMBER: Final = 46
INVALID_PRODUCER_EPOCH: Final = 47
INVALID_TXN_STATE: Final = 48
INVALID_PRODUCER_ID_MAPPING: Final = 49
INVALID_TRANSACTION_TIMEOUT: Final = 50
CONCURRENT_TRANSACTIONS: Final = 51
TRANSACTION_COORDINATOR_FENCED: Final = 52
TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Final = 53
SECURITY_DISABLED: Final = 54
OPERATION_NOT_ATTEMPTED: Final = 55
KAFKA_STORAGE_ERROR: Final = 56
LOG_DIR_NOT_FOUND: Final = 57
SASL_AUTHENTICATION_FAILED: Final = 58
UNKNOWN_PRODUCER_ID: Final = 59
REASSIGNMENT_IN_PROGRESS: Final = 60
DELEGATION_TOKEN_AUTH_DISABLED: Final = 61
DELEGATION_TOKEN_NOT_FOUND: Final = 62
DELEGATION_TOKEN_OWNER_MISMATCH: Final = 63
DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: Final = 64
DELEGATION_TOKEN_AUTHORIZATION_FAILED: Final = 65
DELEGATION_TOKEN_EXPIRED: Final = 66
INVALID_PRINCIPAL_TYPE: Final = 67
NON_EMPTY_GROUP: Final = 68
GROUP_ID_NOT_FOUND: Final = 69
FETCH_SESSION_ID_NOT_FOUND: Final = 70
INVALID_FETCH_SESSION_EPOCH: Final = 71
LISTENER_NOT_FOUND: Final = 72
TOPIC_DELETION_DISABLED: Final = 73
FENCED_LEADER_EPOCH: Final = 74
UNKNOWN_LEADER_EPOCH: Final = 75
UNSUPPORTED_COMPRESSION_TYPE: Final = 76
STALE_BROKER_EPOCH: Final = 77
OFFSET_NOT_AVAILABLE: Final = 78
MEMBER_ID_REQUIRED: Final = 79
PREFERRED_LEADER_NOT_AVAILABLE: Final = 80
GROUP_MAX_SIZE_REACHED: Final = 81
FENCED_INSTANCE_ID: Final = 82
ELIGIBLE_LEADERS_NOT_AVAILABLE: Final = 83
ELECTION_NOT_NEEDED: Final = 84
NO_REASSIGNMENT_IN_PROGRESS: Final = 85
GROUP_SUBSCRIBED_TO_TOPIC: Final = 86
INVALID_RECORD: Final = 87
UNSTABLE_OFFSET_COMMIT: Final = 88
THROTTLING_QUOTA_EXCEEDED: Final = 89
PRODUCER_FENCED: Final = 90
RESOURCE_NOT_FOUND: Final = 91
DUPLICATE_RESOURCE: Final = 92
UNACCEPTABLE_CREDENTIAL: Final = 93
INCONSISTENT_VOTER_SET: Final = 94
INVALID_UPDATE_VERSION: Final = 95
FEATURE_UPDATE_FAILED: Final = 96
PRINCIPAL_DESERIALIZATION_FAILURE: Final = 97
SNAPSHOT_NOT_FOUND: Final = 98
POSITION_OUT_OF_RANGE: Final = 99
UNKNOWN_TOPIC_ID: Final = 100
DUPLICATE_BROKER_REGISTRATION: Final = 101
BROKER_ID_NOT_REGISTERED: Final = 102
INCONSISTENT_TOPIC_ID: Final = 103
INCONSISTENT_CLUSTER_ID: Final = 104
TRANSACTIONAL_ID_NOT_FOUND: Final = 105
FETCH_SESSION_TOPIC_ID_ERROR: Final = 106
INELIGIBLE_REPLICA: Final = 107
NEW_LEADER_ELECTED: Final = 108
OFFSET_MOVED_TO_TIERED_STORAGE: Final = 109
FENCED_MEMBER_EPOCH: Final = 110
UNRELEASED_INSTANCE_ID: Final = 111
UNSUPPORTED_ASSIGNOR: Final = 112
STALE_MEMBER_EPOCH: Final = 113
MISMATCHED_ENDPOINT_TYPE: Final = 114
UNSUPPORTED_ENDPOINT_TYPE: Final = 115
UNKNOWN_CONTROLLER_ID: Final = 116
UNKNOWN_SUBSCRIPTION_ID: Final = 117
TELEMETRY_TOO_LARGE: Final = 118
INVALID_REGISTRATION: Final = 119
TRANSACTION_ABORTABLE: Final = 120
INVALID_RECORD_STATE: Final = 121
SHARE_SESSION_NOT_FOUND: Final = 122
INVALID_SHARE_SESSION_EPOCH: Final = 123
FENCED_STATE_EPOCH: Final = 124
INVALID_VOTER_KEY: Final = 125
DUPLICATE_VOTER: Final = 126
VOTER_NOT_FOUND: Final = 127
INVALID_REGULAR_EXPRESSION: Final = 128
REBOOTSTRAP_REQUIRED: Final = 129
STREAMS_INVALID_TOPOLOGY: Final = 130
STREAMS_INVALID_TOPOLOGY_EPOCH: Final = 131
STREAMS_TOPOLOGY_FENCED: Final = 132
SHARE_SESSION_LIMIT_REACHED: Final = 133


class ErrorInfo(NamedTuple):
    """What is known of one error code."""

    name: str
    retriable: bool
    message: str


_RETRIABLE: Final = frozenset(
    (
        2,
        3,
        5,
        6,
        7,
        9,
        13,
        14,
        15,
        16,
        19,
        20,
        41,
        51,
        56,
        70,
        71,
        72,
        74,
        75,
        78,
        80,
        83,
        84,
        88,
        89,
        100,
        103,
        106,
        122,
        123,
        133,
    )
)

_MESSAGES: Final[dict[int, str]] = {
    UNKNOWN_SERVER_ERROR: "Something unforeseen went wrong on the server; its log has the details.",
    NONE: "No error.",
    OFFSET_OUT_OF_RANGE: "The offset lies before the start or past the end of the partition's log.",
    CORRUPT_MESSAGE: "The record batch is damaged, too large, or lacks a key that a compacted topic needs.",
    UNKNOWN_TOPIC_OR_PARTITION: "The topic or partition does not exist, or not on this broker.",
    INVALID_FETCH_SIZE: "The number of bytes asked for in a fetch makes no sense.",
    LEADER_NOT_AVAILABLE: "The partition has no leader at the moment; an election may be running.",
    NOT_LEADER_OR_FOLLOWER: "This broker does not lead the partition, or holds no replica of it; refresh the metadata.",
    REQUEST_TIMED_OUT: "The request was not completed within its time limit.",
    BROKER_NOT_AVAILABLE: "The broker cannot be reached or is not running.",
    REPLICA_NOT_AVAILABLE: "The replica that was asked for cannot serve the partition now.",
    MESSAGE_TOO_LARGE: "A record batch is larger than the topic's max.message.bytes allows.",
    STALE_CONTROLLER_EPOCH: "The request comes from a controller that has been replaced.",
    OFFSET_METADATA_TOO_LARGE: "The metadata string of an offset commit is longer than offset.metadata.max.bytes.",
    NETWORK_EXCEPTION: "The connection broke before the answer came.",
    COORDINATOR_LOAD_IN_PROGRESS: "The coordinator is still reading its log; try again shortly.",
    COORDINATOR_NOT_AVAILABLE: "There is no coordinator for this key at the moment.",
    NOT_COORDINATOR: "Another broker is the coordinator for this key; look it up again.",
    INVALID_TOPIC_EXCEPTION: "The topic's name is not allowed, or the operation is not allowed on this topic.",
    RECORD_LIST_TOO_LARGE: "The record batch would not fit into one log segment.",
    NOT_ENOUGH_REPLICAS: "Nothing was written: the in-sync replicas are fewer than min.insync.replicas.",
    NOT_ENOUGH_REPLICAS_AFTER_APPEND: "The records were written, but to fewer replicas than min.insync.replicas.",
    INVALID_REQUIRED_ACKS: "The acks of a produce request must be -1, 0 or 1.",
    ILLEGAL_GENERATION: "The generation is not the group's current one.",
    INCONSISTENT_GROUP_PROTOCOL: "The member shares no protocol with the rest of the group, or named none at all.",
    INVALID_GROUP_ID: "The group id is empty or not allowed here.",
    UNKNOWN_MEMBER_ID: "The group has no member with this id.",
    INVALID_SESSION_TIMEOUT: "The session timeout is outside the bounds that the broker sets for groups.",
    REBALANCE_IN_PROGRESS: "The group is rebalancing; the member has to join again.",
    INVALID_COMMIT_OFFSET_SIZE: "The offset commit does not fit into one record batch of the offsets topic.",
    TOPIC_AUTHORIZATION_FAILED: "The principal may not do this with the topic.",
    GROUP_AUTHORIZATION_FAILED: "The principal may not do this with the group.",
    CLUSTER_AUTHORIZATION_FAILED: "The principal may not do this with the cluster.",
    INVALID_TIMESTAMP: "A record's timestamp is further from the broker's clock than the topic allows.",
    UNSUPPORTED_SASL_MECHANISM: "The listener does not offer this SASL mechanism.",
    ILLEGAL_SASL_STATE: "This request is out of place at this point of the SASL exchange.",
    UNSUPPORTED_VERSION: "The server does not know this version of the request, or cannot do what it asks for.",
    TOPIC_ALREADY_EXISTS: "There is a topic of this name already.",
    INVALID_PARTITIONS: "The number of partitions is not valid.",
    INVALID_REPLICATION_FACTOR: "The replication factor must be from 1 to the number of live brokers.",
    INVALID_REPLICA_ASSIGNMENT: "The assignment of replicas to brokers is not valid.",
    INVALID_CONFIG: "A setting is unknown or its value is not allowed.",
    NOT_CONTROLLER: "This node is not the active controller.",
    INVALID_REQUEST: "The request is well-formed but contradicts itself or the protocol.",
    UNSUPPORTED_FOR_MESSAGE_FORMAT: "The record format of the partition cannot express what was asked for.",
    POLICY_VIOLATION: "A policy of this cluster forbids the request.",
    OUT_OF_ORDER_SEQUENCE_NUMBER: "The producer's sequence number does not follow the last one written.",
    DUPLICATE_SEQUENCE_NUMBER: "A batch with this sequence number has been written before.",
    INVALID_PRODUCER_EPOCH: "The producer's epoch is older than the one on record.",
    INVALID_TXN_STATE: "The transaction is not in a state that allows this step.",
    INVALID_PRODUCER_ID_MAPPING: "The producer id does not belong to this transactional id.",
    INVALID_TRANSACTION_TIMEOUT: "The transaction timeout must be positive and at most transaction.max.timeout.ms.",
    CONCURRENT_TRANSACTIONS: "An earlier step of the same transaction is still being carried out.",
    TRANSACTION_COORDINATOR_FENCED: "The transaction marker comes from a coordinator that has been replaced.",
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "The principal may not use this transactional id.",
    SECURITY_DISABLED: "The cluster runs without the security feature that the request needs.",
    OPERATION_NOT_ATTEMPTED: "The operation was skipped because another one in the same request failed.",
    KAFKA_STORAGE_ERROR: "The broker could not read or write the partition's files.",
    LOG_DIR_NOT_FOUND: "The broker has no such log directory.",
    SASL_AUTHENTICATION_FAILED: "The SASL credentials were not accepted.",
    UNKNOWN_PRODUCER_ID: "The partition knows nothing of this producer id; its records may have been deleted.",
    REASSIGNMENT_IN_PROGRESS: "The partition is being reassigned.",
    DELEGATION_TOKEN_AUTH_DISABLED: "Delegation tokens are switched off: no secret key is configured.",
    DELEGATION_TOKEN_NOT_FOUND: "There is no such delegation token.",
    DELEGATION_TOKEN_OWNER_MISMATCH: "The principal neither owns the delegation token nor may renew it.",
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: "Delegation tokens are not handed out over a connection of this kind.",
    DELEGATION_TOKEN_AUTHORIZATION_FAILED: "The principal may not do this with the delegation token.",
    DELEGATION_TOKEN_EXPIRED: "The delegation token has expired.",
    INVALID_PRINCIPAL_TYPE: "Principals of this type are not known here.",
    NON_EMPTY_GROUP: "The group still has members.",
    GROUP_ID_NOT_FOUND: "There is no group of this id.",
    FETCH_SESSION_ID_NOT_FOUND: "The fetch session is gone; start with a full fetch.",
    INVALID_FETCH_SESSION_EPOCH: "The fetch session's epoch is not the next one expected.",
    LISTENER_NOT_FOUND: "The leader has no listener of the name that this connection came by.",
    TOPIC_DELETION_DISABLED: "delete.topic.enable is false, so topics cannot be deleted.",
    FENCED_LEADER_EPOCH: "The request's leader epoch is behind the broker's.",
    UNKNOWN_LEADER_EPOCH: "The request's leader epoch is ahead of the broker's.",
    UNSUPPORTED_COMPRESSION_TYPE: "The compression of the records cannot be used with this version of the request.",
    STALE_BROKER_EPOCH: "The broker has registered anew since this request was made.",
    OFFSET_NOT_AVAILABLE: "A new leader cannot tell its offsets yet, as its high watermark has not caught up.",
    MEMBER_ID_REQUIRED: "Join again with the member id in this answer.",
    PREFERRED_LEADER_NOT_AVAILABLE: "The preferred leader was not available.",
    GROUP_MAX_SIZE_REACHED: "The group has as many members as it may have.",
    FENCED_INSTANCE_ID: "Another member has taken over this group.instance.id.",
    ELIGIBLE_LEADERS_NOT_AVAILABLE: "No replica that may lead the partition is alive.",
    ELECTION_NOT_NEEDED: "The partition has the leader that the election would give it.",
    NO_REASSIGNMENT_IN_PROGRESS: "There is no reassignment of this partition to cancel.",
    GROUP_SUBSCRIBED_TO_TOPIC: "Offsets cannot be deleted while members of the group are subscribed to the topic.",
    INVALID_RECORD: "The broker refused a record because of its content.",
    UNSTABLE_OFFSET_COMMIT: "Offsets of an open transaction are pending; try again when it has ended.",
    THROTTLING_QUOTA_EXCEEDED: "The quota is used up; try again after the throttle time.",
    PRODUCER_FENCED: "A newer producer with the same transactional id has taken over.",
    RESOURCE_NOT_FOUND: "The request names something that does not exist.",
    DUPLICATE_RESOURCE: "The request names the same thing more than once.",
    UNACCEPTABLE_CREDENTIAL: "The credential does not meet the requirements, such as its number of iterations.",
    INCONSISTENT_VOTER_SET: "One end of this quorum request is not among the voters that the other knows.",
    INVALID_UPDATE_VERSION: "The feature cannot be set to this version.",
    FEATURE_UPDATE_FAILED: "The feature levels could not be changed.",
    PRINCIPAL_DESERIALIZATION_FAILURE: "The principal in a forwarded request could not be read.",
    SNAPSHOT_NOT_FOUND: "This node does not have the snapshot.",
    POSITION_OUT_OF_RANGE: "The position is negative or past the end of the snapshot.",
    UNKNOWN_TOPIC_ID: "No topic with this id exists on this broker.",
    DUPLICATE_BROKER_REGISTRATION: "Another live broker has registered with this id.",
    BROKER_ID_NOT_REGISTERED: "No broker of this id has registered.",
    INCONSISTENT_TOPIC_ID: "The topic id in the request and the one of the log differ.",
    INCONSISTENT_CLUSTER_ID: "The request was meant for a cluster with another id.",
    TRANSACTIONAL_ID_NOT_FOUND: "The transaction coordinator does not know this transactional id.",
    FETCH_SESSION_TOPIC_ID_ERROR: "A fetch session must use topic ids all the time or not at all.",
    INELIGIBLE_REPLICA: "At least one replica of the proposed ISR may not join it now.",
    NEW_LEADER_ELECTED: "The partition was changed as asked, and that gave it another leader.",
    OFFSET_MOVED_TO_TIERED_STORAGE: "The offset is no longer on this broker's disk, only in remote storage.",
    FENCED_MEMBER_EPOCH: "The member was fenced: it must drop its partitions and join again.",
    UNRELEASED_INSTANCE_ID: "A member that has not left yet still holds this instance id.",
    UNSUPPORTED_ASSIGNOR: "The group cannot use this assignor, or not in this version.",
    STALE_MEMBER_EPOCH: "The member's epoch is behind; a heartbeat brings the current one.",
    MISMATCHED_ENDPOINT_TYPE: "A request for brokers reached a controller, or the reverse.",
    UNSUPPORTED_ENDPOINT_TYPE: "Endpoints of this type cannot be described.",
    UNKNOWN_CONTROLLER_ID: "No controller of this id is known.",
    UNKNOWN_SUBSCRIPTION_ID: "The telemetry subscription id is wrong or outdated; fetch the subscription again.",
    TELEMETRY_TOO_LARGE: "The telemetry push is larger than telemetry.max.bytes.",
    INVALID_REGISTRATION: "The controller cannot accept the registration as it stands.",
    TRANSACTION_ABORTABLE: "The transaction cannot go on; abort it and begin another with the same transactional id.",
    INVALID_RECORD_STATE: "The record is not in a state in which this acknowledgement is possible.",
    SHARE_SESSION_NOT_FOUND: "The share session is gone; open another.",
    INVALID_SHARE_SESSION_EPOCH: "The share session's epoch is not the next one expected.",
    FENCED_STATE_EPOCH: "The state epoch is not the one that the share coordinator holds.",
    INVALID_VOTER_KEY: "The voter id or directory id in the request is not that of this node.",
    DUPLICATE_VOTER: "The quorum already has this voter.",
    VOTER_NOT_FOUND: "The quorum has no such voter.",
    INVALID_REGULAR_EXPRESSION: "The subscription's regular expression does not compile.",
    REBOOTSTRAP_REQUIRED: "The client's view of the cluster is too old; start again from the bootstrap servers.",
    STREAMS_INVALID_TOPOLOGY: "The streams topology cannot be used.",
    STREAMS_INVALID_TOPOLOGY_EPOCH: "The epoch of the streams topology is not a valid one.",
    STREAMS_TOPOLOGY_FENCED: "A newer streams topology is in force; this epoch is behind it.",
    SHARE_SESSION_LIMIT_REACHED: "The broker has as many share sessions as group.share.max.share.sessions allows.",
}

_NAMES: Final[dict[int, str]] = {
    value: name for name, value in list(globals().items()) if name.isupper() and type(value) is int
}


def info(code: int) -> ErrorInfo:
    """The row of `code`; an unknown code reads as UNKNOWN_SERVER_ERROR, as clients treat it."""
    name = _NAMES.get(code)
    if name is None:
        code, name = UNKNOWN_SERVER_ERROR, "UNKNOWN_SERVER_ERROR"
    return ErrorInfo(name, code in _RETRIABLE, _MESSAGES.get(code, name))


def name_of(code: int) -> str:
    """The constant's name, e.g. 3 -> UNKNOWN_TOPIC_OR_PARTITION."""
    return info(code).name


class KafkaError(Exception):
    """A whole request fails with `code`. `message` is for people; the code's default message when None."""

    def __init__(self, code: int, message: str | None = None) -> None:
        self.code = code
        self.message = info(code).message if message is None else message
        super().__init__(f"{name_of(code)}: {self.message}")


class ProtocolError(Exception):
    """Bytes that are no such message. The connection they came by is closed, as Kafka does."""

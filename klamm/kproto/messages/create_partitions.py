"""CreatePartitions (API 37): more partitions for existing topics (KIP-195)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string


class CreatePartitionsRequest(Message, key=37, versions="0-3", flexible="2+"):
    """`count` is the new total. `assignments` null lets the controller choose the brokers of the new ones."""

    topics: list[CreatePartitionsTopic]
    timeout_ms: int32
    validate_only: bool

    class CreatePartitionsTopic(Struct):
        name: string
        count: int32
        assignments: list[CreatePartitionsAssignment] | None

        class CreatePartitionsAssignment(Struct):
            broker_ids: list[int32]


class CreatePartitionsResponse(Message, key=37, versions="0-3", flexible="2+"):
    """An error for each topic; v3 may be refused by quota (KIP-599)."""

    throttle_time_ms: int32
    results: list[CreatePartitionsTopicResult]

    class CreatePartitionsTopicResult(Struct):
        name: string
        error_code: int16
        error_message: string | None = None

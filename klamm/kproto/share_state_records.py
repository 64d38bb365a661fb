"""Records of __share_group_state (KIP-932): what has been delivered of a share partition.

In the log a key begins with its int16 record type, a value with its int16 version; updates follow a snapshot.
"""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, int64, string, uuid, v


class ShareSnapshotKey(Message, key=0, versions="0"):
    """Record type 0: the whole state of a share partition."""

    group_id: string
    topic_id: uuid
    partition: int32


class ShareSnapshotValue(Message, key=0, versions="0", flexible="0+"):
    """Start offset and the state of the records behind it.

    `snapshot_epoch` counts snapshots, `state_epoch` is that of the initialization. `delivery_state`: 0 available, 2
    acknowledged, 4 archived.
    """

    snapshot_epoch: int32
    state_epoch: int32
    leader_epoch: int32
    start_offset: int64
    delivery_complete_count: int32 = v(default=-1, tag=0)
    create_timestamp: int64
    write_timestamp: int64
    state_batches: list[StateBatch]

    class StateBatch(Struct):
        first_offset: int64
        last_offset: int64
        delivery_state: int8
        delivery_count: int16


class ShareUpdateKey(Message, key=1, versions="0"):
    """Record type 1: a change since the last snapshot."""

    group_id: string
    topic_id: uuid
    partition: int32


class ShareUpdateValue(Message, key=1, versions="0", flexible="0+"):
    """What has changed; `start_offset` is -1 if that has not."""

    snapshot_epoch: int32
    leader_epoch: int32
    start_offset: int64
    delivery_complete_count: int32 = v(default=-1, tag=0)
    state_batches: list[StateBatch]

    class StateBatch(Struct):
        first_offset: int64
        last_offset: int64
        delivery_state: int8
        delivery_count: int16

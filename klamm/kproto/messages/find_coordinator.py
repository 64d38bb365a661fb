"""FindCoordinator (API 10): which broker coordinates a group or a transactional id."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int8, int16, int32, string, v


class FindCoordinatorRequest(Message, key=10, versions="0-6", flexible="3+"):
    """Ask for the coordinator of a key, or of several from v4 on (KIP-699).

    `key_type`: 0 group id, 1 transactional id (v1, KIP-98), 2 a share partition, written groupId:topicId:partition (v6,
    KIP-932).
    """

    key: string = v("0-3", default="")
    key_type: int8 = v("1+", default=0)
    coordinator_keys: list[string] = v("4+", default=[])


class FindCoordinatorResponse(Message, key=10, versions="0-6", flexible="3+"):
    """The coordinator's node and address, per key from v4 on.

    COORDINATOR_NOT_AVAILABLE (then `node_id` is -1) is worth trying again: the internal topic may be just being
    created.
    """

    throttle_time_ms: int32 = v("1+", default=0, ignorable=True)
    error_code: int16 = v("0-3", default=0)
    error_message: string | None = v("1-3", default="", ignorable=True)
    node_id: int32 = v("0-3", default=0)
    host: string = v("0-3", default="")
    port: int32 = v("0-3", default=0)
    coordinators: list[Coordinator] = v("4+", default=[])

    class Coordinator(Struct):
        key: string
        node_id: int32
        host: string
        port: int32
        error_code: int16
        error_message: string | None = v(default="", ignorable=True)

"""BrokerHeartbeat (API 63): a broker is alive, and asks to be unfenced or to stop (KIP-631)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, int64, uuid, v


class BrokerHeartbeatRequest(Message, key=63, versions="0-2", flexible="0+"):
    """How far the broker has read the metadata log, and what it wants.

    v1 tells directories that have failed (KIP-858), v2 those that take no new partitions (KIP-1066).
    """

    broker_id: int32
    broker_epoch: int64 = -1
    current_metadata_offset: int64
    want_fence: bool
    want_shut_down: bool
    offline_log_dirs: list[uuid] = v("1+", default=[], tag=0)
    cordoned_log_dirs: list[uuid] | None = v("2+", default=None, tag=1)


class BrokerHeartbeatResponse(Message, key=63, versions="0-2", flexible="0+"):
    """Whether the broker is fenced, and whether it may stop: it leads nothing any more."""

    throttle_time_ms: int32
    error_code: int16
    is_caught_up: bool = False
    is_fenced: bool = True
    should_shut_down: bool

"""PushTelemetry (API 72): a client's metrics (KIP-714)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int8, int16, int32, uuid


class PushTelemetryRequest(Message, key=72, versions="0", flexible="0+"):
    """`metrics` is an OpenTelemetry MetricsData message, compressed as `compression_type` says."""

    client_instance_id: uuid
    subscription_id: int32
    terminating: bool
    compression_type: int8
    metrics: bytes


class PushTelemetryResponse(Message, key=72, versions="0", flexible="0+"):
    """OK, or why not: UNKNOWN_SUBSCRIPTION_ID has the client ask for its subscription again."""

    throttle_time_ms: int32
    error_code: int16

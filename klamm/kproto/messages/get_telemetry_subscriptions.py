"""GetTelemetrySubscriptions (API 71): which metrics a client is to push (KIP-714)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int8, int16, int32, string, uuid


class GetTelemetrySubscriptionsRequest(Message, key=71, versions="0", flexible="0+"):
    """The client's id; zero to be given one."""

    client_instance_id: uuid


class GetTelemetrySubscriptionsResponse(Message, key=71, versions="0", flexible="0+"):
    """Prefixes of metrics (none: nothing; one empty prefix: all), how often, and in which compressions."""

    throttle_time_ms: int32
    error_code: int16
    client_instance_id: uuid
    subscription_id: int32
    accepted_compression_types: list[int8]
    push_interval_ms: int32
    telemetry_max_bytes: int32
    delta_temporality: bool
    requested_metrics: list[string]

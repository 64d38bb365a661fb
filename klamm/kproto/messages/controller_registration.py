"""ControllerRegistration (API 70): a controller tells the active one its listeners and features (KIP-919)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, string, uint16, uuid


class ControllerRegistrationRequest(Message, key=70, versions="0", flexible="0+"):
    """`incarnation_id` is new at every start."""

    controller_id: int32
    incarnation_id: uuid
    zk_migration_ready: bool
    listeners: list[Listener]
    features: list[Feature]

    class Listener(Struct):
        name: string
        host: string
        port: uint16
        security_protocol: int16

    class Feature(Struct):
        name: string
        min_supported_version: int16
        max_supported_version: int16


class ControllerRegistrationResponse(Message, key=70, versions="0", flexible="0+"):
    """OK, or why not."""

    throttle_time_ms: int32
    error_code: int16
    error_message: string | None

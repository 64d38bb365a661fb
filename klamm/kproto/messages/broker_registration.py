"""BrokerRegistration (API 62): a broker joins the cluster (KIP-631)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, uint16, uuid, v


class BrokerRegistrationRequest(Message, key=62, versions="0-4", flexible="0+"):
    """Listeners, supported features and directories of a broker that has started.

    `incarnation_id` is new at every start. v2 has the directories (KIP-858), v3 the epoch before a clean stop, else -1
    (KIP-966).
    """

    broker_id: int32
    cluster_id: string
    incarnation_id: uuid
    listeners: list[Listener]
    features: list[Feature]
    rack: string | None
    is_migrating_zk_broker: bool = v("1+", default=False)
    log_dirs: list[uuid] = v("2+", default=[], ignorable=True)
    previous_broker_epoch: int64 = v("3+", default=-1, ignorable=True)

    class Listener(Struct):
        name: string
        host: string
        port: uint16
        security_protocol: int16

    class Feature(Struct):
        name: string
        min_supported_version: int16
        max_supported_version: int16


class BrokerRegistrationResponse(Message, key=62, versions="0-4", flexible="0+"):
    """The broker's epoch, which it states in all that it asks of the controller."""

    throttle_time_ms: int32
    error_code: int16
    broker_epoch: int64 = -1

"""AllocateProducerIds (API 67): a broker takes a block of producer ids from the controller (KIP-730)."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, int64


class AllocateProducerIdsRequest(Message, key=67, versions="0", flexible="0+"):
    """The broker and its epoch."""

    broker_id: int32
    broker_epoch: int64 = -1


class AllocateProducerIdsResponse(Message, key=67, versions="0", flexible="0+"):
    """The block: `producer_id_len` ids from `producer_id_start` on."""

    throttle_time_ms: int32
    error_code: int16
    producer_id_start: int64
    producer_id_len: int32

"""InitProducerId: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, int16, int32, int64, string, v


class InitProducerIdRequest(Message, key=22, versions="0-6", flexible="2+"):
    transactional_id: string | None
    transaction_timeout_ms: int32
    producer_id: int64 = v("3+", default=-1)
    producer_epoch: int16 = v("3+", default=-1)
    enable2_pc: bool = v("6+", default=False)
    keep_prepared_txn: bool = v("6+", default=False)


class InitProducerIdResponse(Message, key=22, versions="0-6", flexible="2+"):
    throttle_time_ms: int32 = v(default=0, ignorable=True)
    error_code: int16
    producer_id: int64 = -1
    producer_epoch: int16
    ongoing_txn_producer_id: int64 = v("6+", default=-1)
    ongoing_txn_producer_epoch: int16 = v("6+", default=-1)

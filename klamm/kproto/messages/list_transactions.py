"""ListTransactions: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class ListTransactionsRequest(Message, key=66, versions="0-2", flexible="0+"):
    state_filters: list[string]
    producer_id_filters: list[int64]
    duration_filter: int64 = v("1+", default=-1)
    transactional_id_pattern: string | None = v("2+", default=None)


class ListTransactionsResponse(Message, key=66, versions="0-2", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    unknown_state_filters: list[string]
    transaction_states: list[TransactionState]

    class TransactionState(Struct):
        transactional_id: string
        producer_id: int64
        transaction_state: string

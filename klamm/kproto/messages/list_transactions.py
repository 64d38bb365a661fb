"""ListTransactions (API 66): the transactions that a broker coordinates (KIP-664)."""

from __future__ import annotations

from klamm.kproto.schema import Message, Struct, int16, int32, int64, string, v


class ListTransactionsRequest(Message, key=66, versions="0-2", flexible="0+"):
    """Filters; an empty one takes all.

    `duration_filter` (v1, KIP-994) in ms keeps those that run for longer, -1 all; v2 filters ids by a regular
    expression (KIP-1152).
    """

    state_filters: list[string]
    producer_id_filters: list[int64]
    duration_filter: int64 = v("1+", default=-1)
    transactional_id_pattern: string | None = v("2+", default=None)


class ListTransactionsResponse(Message, key=66, versions="0-2", flexible="0+"):
    """Transactions, and the states of the filter that the broker does not know."""

    throttle_time_ms: int32
    error_code: int16
    unknown_state_filters: list[string]
    transaction_states: list[TransactionState]

    class TransactionState(Struct):
        transactional_id: string
        producer_id: int64
        transaction_state: string

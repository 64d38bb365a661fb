"""LeaderAndIsr: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message


class LeaderAndIsrRequest(Message, key=4, versions="none"):
    pass


class LeaderAndIsrResponse(Message, key=4, versions="none"):
    pass

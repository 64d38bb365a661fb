"""StopReplica: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message


class StopReplicaRequest(Message, key=5, versions="none"):
    pass


class StopReplicaResponse(Message, key=5, versions="none"):
    pass

"""StopReplica (API 5): gone with ZooKeeper; only the key is left."""

from __future__ import annotations

from klamm.kproto.schema import Message


class StopReplicaRequest(Message, key=5, versions="none"):
    """No version is left: controllers sent it to brokers before KRaft."""


class StopReplicaResponse(Message, key=5, versions="none"):
    """No version is left."""

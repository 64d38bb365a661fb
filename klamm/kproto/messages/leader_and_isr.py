"""LeaderAndIsr (API 4): gone with ZooKeeper; only the key is left."""

from __future__ import annotations

from klamm.kproto.schema import Message


class LeaderAndIsrRequest(Message, key=4, versions="none"):
    """No version is left: controllers sent it to brokers before KRaft."""


class LeaderAndIsrResponse(Message, key=4, versions="none"):
    """No version is left."""

"""ControlledShutdown (API 7): gone with ZooKeeper; only the key is left. Brokers now ask in their heartbeat."""

from __future__ import annotations

from klamm.kproto.schema import Message


class ControlledShutdownRequest(Message, key=7, versions="none"):
    """No version is left: brokers sent it to the controller before KRaft."""


class ControlledShutdownResponse(Message, key=7, versions="none"):
    """No version is left."""

"""UpdateMetadata (API 6): gone with ZooKeeper; only the key is left."""

from __future__ import annotations

from klamm.kproto.schema import Message


class UpdateMetadataRequest(Message, key=6, versions="none"):
    """No version is left: controllers sent it to brokers before KRaft."""


class UpdateMetadataResponse(Message, key=6, versions="none"):
    """No version is left."""

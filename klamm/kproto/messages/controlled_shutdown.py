"""ControlledShutdown: the request and the response."""

from __future__ import annotations

from klamm.kproto.schema import Message


class ControlledShutdownRequest(Message, key=7, versions="none"):
    pass


class ControlledShutdownResponse(Message, key=7, versions="none"):
    pass

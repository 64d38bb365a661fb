"""What a handler is told of the request it serves, beside its body."""

from __future__ import annotations


class RequestContext:
    """One request's surroundings.

    `connection` is the object that stands for the connection: handlers may hang per-connection state on its `id` only.
    """

    __slots__ = ("api_key", "api_version", "client_host", "client_id", "connection_id", "listener_name", "principal")

    def __init__(
        self,
        api_key: int,
        api_version: int,
        client_id: str | None,
        client_host: str,
        listener_name: str,
        connection_id: int,
        principal: str = "User:ANONYMOUS",
    ) -> None:
        self.api_key = api_key
        self.api_version = api_version
        self.client_id = client_id
        self.client_host = client_host
        self.listener_name = listener_name
        self.connection_id = connection_id
        self.principal = principal

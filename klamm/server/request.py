"""What a handler is told of the request it serves, beside its body."""

from __future__ import annotations


class RequestContext:
    """One request's surroundings; not to be changed.

    Requests of a connection whose headers differ only in the correlation id have the same context. `header` is what
    stands behind that id up to `body_at`, where the body begins. Handlers may hang per-connection state on
    `connection_id` only.
    """

    __slots__ = (
        "api_key",
        "api_version",
        "body_at",
        "client_host",
        "client_id",
        "connection_id",
        "header",
        "listener_name",
        "principal",
    )

    def __init__(
        self,
        api_key: int,
        api_version: int,
        client_id: str | None,
        client_host: str,
        listener_name: str,
        connection_id: int,
        principal: str = "User:ANONYMOUS",
        header: bytes = b"",
        body_at: int = 0,
    ) -> None:
        self.api_key = api_key
        self.api_version = api_version
        self.client_id = client_id
        self.client_host = client_host
        self.listener_name = listener_name
        self.connection_id = connection_id
        self.principal = principal
        self.header = header
        self.body_at = body_at

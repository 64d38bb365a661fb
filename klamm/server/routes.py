"""Which APIs are served, and by which modules: the one list that dispatch and ApiVersions both read.

The message class and the handler of an API are imported when its first request comes.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from klamm.kproto import apis
from klamm.kproto.apis import APIS, Api
from klamm.kproto.schema import Message
from klamm.reply import Reply

if TYPE_CHECKING:
    from klamm.server.broker import Broker
    from klamm.server.request import RequestContext

Response = Message | bytes | Reply[Message | None] | Awaitable[Message | None] | None
"""The answer, or its encoded body, or what to wait for until it is there; None: there is none."""
Handler = Callable[["Broker", "RequestContext", Any], Response]
Quick = Callable[["Broker", "RequestContext", memoryview], Response]
"""Does what the handler does for some requests, given as frames; None: not for this one."""

SERVED: Final[dict[int, str]] = {
    apis.PRODUCE: "produce",
    apis.FETCH: "fetch",
    apis.LIST_OFFSETS: "list_offsets",
    apis.METADATA: "metadata",
    apis.OFFSET_COMMIT: "offset_commit",
    apis.OFFSET_FETCH: "offset_fetch",
    apis.FIND_COORDINATOR: "find_coordinator",
    apis.JOIN_GROUP: "join_group",
    apis.HEARTBEAT: "heartbeat",
    apis.LEAVE_GROUP: "leave_group",
    apis.SYNC_GROUP: "sync_group",
    apis.DESCRIBE_GROUPS: "describe_groups",
    apis.LIST_GROUPS: "list_groups",
    apis.SASL_HANDSHAKE: "sasl_handshake",
    apis.API_VERSIONS: "api_versions",
    apis.CREATE_TOPICS: "create_topics",
    apis.DELETE_TOPICS: "delete_topics",
    apis.DELETE_RECORDS: "delete_records",
    apis.INIT_PRODUCER_ID: "init_producer_id",
    apis.OFFSET_FOR_LEADER_EPOCH: "offset_for_leader_epoch",
    apis.DESCRIBE_CONFIGS: "describe_configs",
    apis.ALTER_CONFIGS: "alter_configs",
    apis.DESCRIBE_LOG_DIRS: "describe_log_dirs",
    apis.SASL_AUTHENTICATE: "sasl_authenticate",
    apis.CREATE_PARTITIONS: "create_partitions",
    apis.DELETE_GROUPS: "delete_groups",
    apis.INCREMENTAL_ALTER_CONFIGS: "incremental_alter_configs",
    apis.OFFSET_DELETE: "offset_delete",
    apis.DESCRIBE_QUORUM: "describe_quorum",
    apis.DESCRIBE_CLUSTER: "describe_cluster",
    apis.DESCRIBE_PRODUCERS: "describe_producers",
    apis.LIST_CONFIG_RESOURCES: "list_config_resources",
    apis.DESCRIBE_TOPIC_PARTITIONS: "describe_topic_partitions",
}
"""API key -> module, of the same name in `kproto/messages` and in `server/handlers`."""


class Route:
    """How one API is served: its row in the table, its request class and its handler."""

    __slots__ = ("api", "handle", "quick", "request", "response", "tagged_answers_from")

    def __init__(self, api: Api) -> None:
        name = SERVED[api.key]
        messages = importlib.import_module(f"klamm.kproto.messages.{name}")
        self.api = api
        # From this version on a response header has tagged fields.
        self.tagged_answers_from = api.high + 1
        for version in range(api.high, api.low - 1, -1):
            if api.response_header_version(version):
                self.tagged_answers_from = version
        self.request: type[Message] = getattr(messages, f"{api.name}Request")
        self.response: type[Message] = getattr(messages, f"{api.name}Response")
        handler = importlib.import_module(f"klamm.server.handlers.{name}")
        self.handle: Handler = handler.handle
        self.quick: Quick | None = getattr(handler, "quick", None)


_loaded: dict[int, Route] = {}


def route(key: int) -> Route | None:
    """The route of an API that is served, or None."""
    found = _loaded.get(key)
    if found is None and key in SERVED:
        found = _loaded[key] = Route(APIS[key])
    return found


def served_apis(listener: int) -> list[Api]:
    """The APIs served on that kind of listener (`apis.BROKER` or `apis.CONTROLLER`), by key."""
    return [APIS[key] for key in sorted(SERVED) if APIS[key].listeners & listener]

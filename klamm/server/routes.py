"""Which APIs are served, and by which modules: the one list that dispatch and ApiVersions both read.

The message class and the handler of an API are imported when its first request comes.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from klamm.kproto import apis
from klamm.kproto.apis import APIS, Api
from klamm.kproto.catalog import message_class
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
    apis.ELECT_LEADERS: "elect_leaders",
    apis.ALTER_PARTITION_REASSIGNMENTS: "alter_partition_reassignments",
    apis.LIST_PARTITION_REASSIGNMENTS: "list_partition_reassignments",
    apis.DESCRIBE_CLIENT_QUOTAS: "describe_client_quotas",
    apis.DESCRIBE_USER_SCRAM_CREDENTIALS: "describe_user_scram_credentials",
    apis.ALTER_CLIENT_QUOTAS: "alter_client_quotas",
    apis.UPDATE_FEATURES: "update_features",
    apis.UNREGISTER_BROKER: "unregister_broker",
    apis.ALTER_REPLICA_LOG_DIRS: "alter_replica_log_dirs",
    apis.ADD_RAFT_VOTER: "quorum_request",
    apis.REMOVE_RAFT_VOTER: "quorum_request",
}
"""API key -> module in `server/handlers`."""

_CONTROLLER_ONLY: Final[dict[int, str]] = {
    apis.FETCH: "quorum_request",
    apis.VOTE: "quorum_request",
    apis.BEGIN_QUORUM_EPOCH: "quorum_request",
    apis.END_QUORUM_EPOCH: "quorum_request",
    apis.FETCH_SNAPSHOT: "quorum_request",
    apis.UPDATE_RAFT_VOTER: "quorum_request",
    apis.BROKER_REGISTRATION: "controller_request",
    apis.BROKER_HEARTBEAT: "controller_request",
    apis.ALTER_PARTITION: "controller_request",
    apis.CONTROLLER_REGISTRATION: "controller_request",
    apis.ALLOCATE_PRODUCER_IDS: "controller_request",
    apis.ASSIGN_REPLICAS_TO_DIRS: "controller_request",
    apis.ALTER_CONFIGS: "controller_request",
    apis.INCREMENTAL_ALTER_CONFIGS: "controller_request",
    apis.ENVELOPE: "envelope",
}
"""API key -> handler, where a controller's listener has one of its own."""


class Route:
    """How one API is served on one kind of listener: its row in the table, its request class and its handler."""

    __slots__ = ("api", "handle", "quick", "request", "response", "tagged_answers_from")

    def __init__(self, api: Api, handler_name: str) -> None:
        self.api = api
        # From this version on a response header has tagged fields.
        self.tagged_answers_from = api.high + 1
        for version in range(api.high, api.low - 1, -1):
            if api.response_header_version(version):
                self.tagged_answers_from = version
        self.request = message_class(f"{api.name}Request")
        self.response = message_class(f"{api.name}Response")
        handler = importlib.import_module(f"klamm.server.handlers.{handler_name}")
        self.handle: Handler = handler.handle
        self.quick: Quick | None = getattr(handler, "quick", None)


_loaded: dict[tuple[int, int], Route] = {}


def route(key: int, listener: int) -> Route | None:
    """The route of an API that is served on that kind of listener (`apis.BROKER` or `apis.CONTROLLER`), or None."""
    found = _loaded.get((key, listener))
    if found is None and (name := _handler(key, listener)) is not None:
        found = _loaded[key, listener] = Route(APIS[key], name)
    return found


def _handler(key: int, listener: int) -> str | None:
    api = APIS.get(key)
    if api is None or not api.listeners & listener:
        return None
    if listener == apis.CONTROLLER and key in _CONTROLLER_ONLY:
        return _CONTROLLER_ONLY[key]
    return SERVED.get(key)


def served_apis(listener: int) -> list[Api]:
    """The APIs served on that kind of listener, by key."""
    return [APIS[key] for key in sorted({**SERVED, **_CONTROLLER_ONLY}) if _handler(key, listener) is not None]

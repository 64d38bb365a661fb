"""Which part of the controller decides on which request: the one table, for requests of whatever way in.

A request that is refused as a whole raises KafkaError; everything else stands in its response.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from klamm.kproto import apis, errors
from klamm.kproto.schema import Message
from klamm.log.machine import Decision

if TYPE_CHECKING:
    from klamm.metadata.controller.controller import Controller

Decide = Callable[["Controller", Any], Decision[Any, Message]]


def _register_broker(controller: Controller, request: Any) -> Decision[Any, Message]:
    from klamm.kproto.messages.broker_registration import BrokerRegistrationResponse

    return controller.brokers.register(request).map(
        lambda epoch: BrokerRegistrationResponse(throttle_time_ms=0, error_code=errors.NONE, broker_epoch=epoch)
    )


def _register_controller(controller: Controller, request: Any) -> Decision[Any, Message]:
    from klamm.kproto.messages.controller_registration import ControllerRegistrationResponse
    from klamm.metadata.image.cluster import ControllerRegistration, Endpoint, VersionRange

    registration = ControllerRegistration(
        request.controller_id,
        request.incarnation_id,
        {e.name: Endpoint(e.name, e.host, e.port, e.security_protocol) for e in request.listeners},
        {f.name: VersionRange(f.min_supported_version, f.max_supported_version) for f in request.features},
    )
    return controller.controllers.register(registration).map(
        lambda _: ControllerRegistrationResponse(throttle_time_ms=0, error_code=errors.NONE, error_message="")
    )


def _allocate_producer_ids(controller: Controller, request: Any) -> Decision[Any, Message]:
    from klamm.kproto.messages.allocate_producer_ids import AllocateProducerIdsResponse

    return controller.producer_ids.allocate(request.broker_id, request.broker_epoch).map(
        lambda block: AllocateProducerIdsResponse(
            throttle_time_ms=0, error_code=errors.NONE, producer_id_start=block.first, producer_id_len=block.size
        )
    )


def _delete_topics(controller: Controller, request: Any) -> Decision[Any, Message]:
    from klamm.metadata import delete_topics

    return delete_topics.decide(request, controller.state().topics, controller.topics)


DECISIONS: dict[int, Decide] = {
    apis.BROKER_REGISTRATION: _register_broker,
    apis.BROKER_HEARTBEAT: lambda controller, request: controller.brokers.heartbeat(request),
    apis.CONTROLLER_REGISTRATION: _register_controller,
    apis.ALLOCATE_PRODUCER_IDS: _allocate_producer_ids,
    apis.ASSIGN_REPLICAS_TO_DIRS: lambda controller, request: controller.brokers.directories.assign(request),
    apis.CREATE_TOPICS: lambda controller, request: controller.topics.create_topics(request),
    apis.DELETE_TOPICS: _delete_topics,
    apis.CREATE_PARTITIONS: lambda controller, request: controller.topics.create_partitions(request),
    apis.UNREGISTER_BROKER: lambda controller, request: controller.brokers.unregister(request),
    apis.ALTER_PARTITION: lambda controller, request: controller.isr.alter_partition(request),
    apis.ELECT_LEADERS: lambda controller, request: controller.elections.elect_leaders(request),
    apis.ALTER_PARTITION_REASSIGNMENTS: lambda controller, request: controller.reassignments.alter(request),
    apis.LIST_PARTITION_REASSIGNMENTS: lambda controller, request: controller.reassignments.list_ongoing(request),
    apis.UPDATE_FEATURES: lambda controller, request: controller.features.update(request),
    apis.ALTER_CLIENT_QUOTAS: lambda controller, request: controller.quotas.alter(request),
    apis.ALTER_CONFIGS: lambda controller, request: controller.configs.legacy_alter(request),
    apis.INCREMENTAL_ALTER_CONFIGS: lambda controller, request: controller.configs.incremental_alter(request),
}

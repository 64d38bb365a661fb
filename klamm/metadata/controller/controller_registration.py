"""ControllerRegistration (API 70, KIP-919): another controller tells where it listens and what it supports.

Apart from the active controller's own registration (activation.py), because a node that is alone never sees this.
"""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.controller_registration import (
    ControllerRegistrationRequest,
    ControllerRegistrationResponse,
)
from klamm.kproto.metadata_records import RegisterControllerRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision


def register(request: ControllerRegistrationRequest) -> Decision[ControllerRegistrationResponse, Message]:
    """Written as it comes: a controller asks only when the log does not tell what it is now."""
    row = RegisterControllerRecord
    record = row(
        controller_id=request.controller_id,
        incarnation_id=request.incarnation_id,
        zk_migration_ready=False,
        end_points=[
            row.ControllerEndpoint(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
            for e in request.listeners
        ],
        features=[
            row.ControllerFeature(
                name=f.name,
                min_supported_version=f.min_supported_version,
                max_supported_version=f.max_supported_version,
            )
            for f in request.features
        ],
    )
    response = ControllerRegistrationResponse(throttle_time_ms=0, error_code=errors.NONE, error_message=None)
    return Decision(response, [record])

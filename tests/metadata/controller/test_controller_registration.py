"""Registrations of other controllers."""

from __future__ import annotations

from klamm.kproto import errors
from klamm.kproto.messages.controller_registration import ControllerRegistrationRequest as Request
from klamm.metadata.controller.controller_registration import register
from klamm.metadata.image.cluster import Endpoint, VersionRange
from klamm.metadata.image.image import EMPTY, MetadataDelta


def test_what_it_tells_is_in_the_image() -> None:
    request = Request(
        controller_id=3,
        incarnation_id=b"i" * 16,
        zk_migration_ready=True,  # what a controller of 3.x says; there is no ZooKeeper any more
        listeners=[Request.Listener(name="CONTROLLER", host="h", port=9093, security_protocol=1)],
        features=[Request.Feature(name="metadata.version", min_supported_version=7, max_supported_version=30)],
    )
    delta = MetadataDelta(EMPTY)
    for incarnation in (b"i" * 16, b"j" * 16):
        request.incarnation_id = incarnation
        decision = register(request)
        assert decision.response.error_code == errors.NONE and decision.response.error_message is None
        [record] = decision.records
        delta.apply(record)
        assert not record.zk_migration_ready  # type: ignore[attr-defined]
    [controller] = delta.build(1, 1).cluster.controllers.values()
    assert controller.controller_id == 3 and controller.incarnation_id == b"j" * 16
    assert controller.listeners == {"CONTROLLER": Endpoint("CONTROLLER", "h", 9093, 1)}
    assert controller.features == {"metadata.version": VersionRange(7, 30)}

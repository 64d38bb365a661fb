"""What is kept of ApiVersions answers is what would be answered now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from klamm.kproto import apis, errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.api_versions import ApiVersionsRequest
from klamm.server.handlers import api_versions
from klamm.server.request import RequestContext


@pytest.fixture
def broker() -> Any:
    image = SimpleNamespace(offset=7, features={"metadata.version": 25})
    metadata = SimpleNamespace(image=image, kraft_version=1)
    listeners = SimpleNamespace(controller_names=("CONTROLLER",))
    return SimpleNamespace(metadata=metadata, config=SimpleNamespace(listeners=listeners))


def quick(broker: Any, version: int, software: str = "lib", listener: str = "PLAINTEXT") -> bytes:
    request = ApiVersionsRequest(client_software_name=software, client_software_version="1.0")
    context = RequestContext(apis.API_VERSIONS, version, "me", "", listener, 1, body_at=5)
    frame = b"12345" + request.encode(version)
    answer = api_versions.quick(broker, context, memoryview(bytearray(frame)))
    assert answer is not None
    assert answer == api_versions.handle(broker, context, request).encode(version)
    return answer


@pytest.mark.parametrize("version", range(5))
def test_every_change_is_seen(broker: Any, version: int) -> None:
    first = quick(broker, version)
    assert quick(broker, version) is first
    broker.metadata.image.offset = 8
    quick(broker, version)
    broker.metadata.image.features = {"metadata.version": 26}
    quick(broker, version)
    broker.metadata.kraft_version = 0
    quick(broker, version)
    assert quick(broker, version, listener="CONTROLLER") != first


def test_software_is_checked_every_time(broker: Any) -> None:
    quick(broker, 3)
    for _ in range(2):
        with pytest.raises(KafkaError) as refused:
            quick(broker, 3, software="-bad-")
        assert refused.value.code == errors.INVALID_REQUEST


def test_many_different_requests_keep_little(broker: Any) -> None:
    for number in range(1000):
        quick(broker, 3, software=f"lib{number}")
    assert len(api_versions._encoded) <= 64
    context = RequestContext(apis.API_VERSIONS, 3, "me", "", "PLAINTEXT", 1, body_at=0)
    assert api_versions.quick(broker, context, memoryview(bytearray(300))) is None

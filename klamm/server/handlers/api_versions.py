"""ApiVersions v0-4: what is served here, and the features of the cluster.

v3 names the client's software, which is checked as Kafka checks it, and brings features (KIP-511, KIP-584); v4
shows features that may be at level 0. An unknown version is answered in `dispatch.py`.

Every connection begins with this request, and its answer seldom changes: it is kept encoded, and found by the bytes of
a request that has passed before.
"""

from __future__ import annotations

import re
from typing import Final

from klamm.kproto import apis, errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from klamm.metadata.features import KRAFT_VERSION, SUPPORTED
from klamm.server.broker import Broker
from klamm.server.request import RequestContext
from klamm.server.routes import served_apis

_SOFTWARE: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")
_PRODUCE_LOW: Final = 0  # librdkafka takes compression support from Produce's lowest version; Kafka advertises 0 for it


_Key = tuple[bytes, bool, int, int, int, tuple[tuple[str, int], ...]]
_encoded: dict[_Key, bytes] = {}
_ENCODED_MAX: Final = 64
_REQUEST_BYTES_MAX: Final = 256


def quick(broker: Broker, context: RequestContext, frame: memoryview) -> bytes | None:
    """The answer to a request with the same bytes as one before it. Raises KafkaError, ProtocolError."""
    if len(frame) - context.body_at > _REQUEST_BYTES_MAX:
        return None
    asked = bytes(frame[context.body_at :])
    metadata = broker.metadata
    image = metadata.image
    on_controller = context.listener_name in broker.config.listeners.controller_names
    features = tuple(image.features.items())
    key = asked, on_controller, context.api_version, image.offset, metadata.kraft_version, features
    body = _encoded.get(key)
    if body is None:
        response = handle(broker, context, ApiVersionsRequest.decode(asked, context.api_version))
        if len(_encoded) >= _ENCODED_MAX:
            _encoded.clear()
        body = _encoded[key] = response.encode(context.api_version)
    return body


def handle(broker: Broker, context: RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse:
    if context.api_version >= 3:
        software = (request.client_software_name, request.client_software_version)
        if not all(_SOFTWARE.fullmatch(name) for name in software):
            raise KafkaError(errors.INVALID_REQUEST)
    on_controller = context.listener_name in broker.config.listeners.controller_names
    response = ApiVersionsResponse(
        error_code=errors.NONE,
        api_keys=[
            ApiVersionsResponse.ApiVersion(
                api_key=api.key,
                min_version=_PRODUCE_LOW if api.key == apis.PRODUCE else api.low,
                max_version=api.high,
            )
            for api in served_apis(apis.CONTROLLER if on_controller else apis.BROKER)
        ],
    )
    if context.api_version >= 3:
        _add_features(broker, context.api_version, response)
    return response


def _add_features(broker: Broker, version: int, response: ApiVersionsResponse) -> None:
    image = broker.metadata.image
    response.supported_features = [
        ApiVersionsResponse.SupportedFeatureKey(name=name, min_version=low, max_version=high)
        for name, (low, high) in SUPPORTED.items()
        if version >= 4 or low > 0
    ]
    response.finalized_features_epoch = image.offset
    levels = dict(image.features)
    if broker.metadata.kraft_version > 0:  # no metadata record tells it, the quorum's log does
        levels[KRAFT_VERSION] = broker.metadata.kraft_version
    response.finalized_features = [
        ApiVersionsResponse.FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
        for name, level in levels.items()
    ]

"""DescribeCluster on a broker's listener: endpoint types."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from klamm.testing.wire import WireClient


@pytest.mark.parametrize(
    ("endpoint_type", "code"),
    [
        (1, errors.NONE),
        (2, errors.MISMATCHED_ENDPOINT_TYPE),
        (0, errors.UNSUPPORTED_ENDPOINT_TYPE),
        (3, errors.UNSUPPORTED_ENDPOINT_TYPE),
    ],
)
def test_endpoint_types(wire: WireClient, endpoint_type: int, code: int) -> None:
    request = DescribeClusterRequest(include_cluster_authorized_operations=False, endpoint_type=endpoint_type)
    answer = wire.ask(request, 1, DescribeClusterResponse)
    assert (answer.error_code, answer.endpoint_type) == (code, 1)

"""DescribeClientQuotas over the wire: a filter that is none is an error of the whole, with no entries at all."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.describe_client_quotas import DescribeClientQuotasRequest, DescribeClientQuotasResponse
from klamm.testing.wire import WireClient


@pytest.mark.parametrize("version", [0, 1])
def test_a_filter_that_is_none(wire: WireClient, version: int) -> None:
    component = DescribeClientQuotasRequest.ComponentData(entity_type="topic", match_type=0, match="a")
    request = DescribeClientQuotasRequest(components=[component], strict=False)
    answer = wire.ask(request, version, DescribeClientQuotasResponse)
    assert (answer.error_code, answer.error_message) == (errors.UNSUPPORTED_VERSION, "Unsupported entity type topic")
    assert answer.entries is None

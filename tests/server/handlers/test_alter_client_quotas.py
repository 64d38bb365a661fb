"""AlterClientQuotas and DescribeClientQuotas over the wire: what is set is shown, in both versions."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest, AlterClientQuotasResponse
from klamm.kproto.messages.describe_client_quotas import DescribeClientQuotasRequest, DescribeClientQuotasResponse
from klamm.testing.wire import WireClient

Row = AlterClientQuotasRequest.EntryData
KEY = "producer_byte_rate"


def alter(wire: WireClient, version: int, value: float, remove: bool = False, validate_only: bool = False) -> int:
    entity = [Row.EntityData(entity_type="user", entity_name=None)]
    entry = Row(entity=entity, ops=[Row.OpData(key=KEY, value=value, remove=remove)])
    request = AlterClientQuotasRequest(entries=[entry], validate_only=validate_only)
    [answer] = wire.ask(request, version, AlterClientQuotasResponse).entries
    assert [(e.entity_type, e.entity_name) for e in answer.entity] == [("user", None)]
    return answer.error_code


def shown(wire: WireClient, version: int) -> list[tuple[str, float]]:
    request = DescribeClientQuotasRequest(components=[], strict=False)
    answer = wire.ask(request, version, DescribeClientQuotasResponse)
    return [(value.key, value.value) for entry in answer.entries or () for value in entry.values]


@pytest.mark.parametrize("version", [0, 1])
def test_set_and_removed(wire: WireClient, version: int) -> None:
    assert alter(wire, version, 7.0, validate_only=True) == errors.NONE
    assert shown(wire, version) == []
    assert alter(wire, version, 7.0) == errors.NONE
    assert shown(wire, version) == [(KEY, 7.0)]
    assert alter(wire, version, 0.5) == errors.INVALID_REQUEST
    assert alter(wire, version, 0.0, remove=True) == errors.NONE
    assert shown(wire, version) == []

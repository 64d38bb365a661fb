"""The first look-up of a coordinator creates its internal topic, of whichever kind."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from klamm.testing.wire import WireClient


@pytest.mark.parametrize(("key_type", "key"), [(0, "g"), (1, "t"), (2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0")])
def test_every_kind(wire: WireClient, key_type: int, key: str) -> None:
    request = FindCoordinatorRequest(key_type=key_type, coordinator_keys=[key])
    (found,) = wire.ask(request, 6, FindCoordinatorResponse).coordinators
    assert (found.error_code, found.node_id) == (errors.NONE, 1)

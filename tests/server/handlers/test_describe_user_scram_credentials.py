"""DescribeUserScramCredentials: named users, all users, users that there are not or that are named twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.messages.describe_user_scram_credentials import DescribeUserScramCredentialsRequest
from klamm.kproto.metadata_records import UserScramCredentialRecord
from klamm.metadata.image.image import EMPTY, MetadataDelta
from klamm.server.handlers.describe_user_scram_credentials import handle


def broker(*credentials: tuple[str, int]) -> Any:
    delta = MetadataDelta(EMPTY)
    for name, mechanism in credentials:
        delta.apply(
            UserScramCredentialRecord(
                name=name, mechanism=mechanism, salt=b"s", stored_key=b"k", server_key=b"k", iterations=4096 * mechanism
            )
        )
    return SimpleNamespace(metadata=SimpleNamespace(image=delta.build(1, 1)))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, {"a": [(1, 4096), (2, 8192)], "b": [(1, 4096)]}),
        ([], {"a": [(1, 4096), (2, 8192)], "b": [(1, 4096)]}),
        (["b"], {"b": [(1, 4096)]}),
        (["c", "b"], {"c": errors.RESOURCE_NOT_FOUND, "b": [(1, 4096)]}),
        (["b", "b"], {"b": errors.DUPLICATE_RESOURCE}),
    ],
)
def test_users(asked: list[str] | None, expected: dict[str, Any]) -> None:
    row = DescribeUserScramCredentialsRequest.UserName
    request = DescribeUserScramCredentialsRequest(users=None if asked is None else [row(name=name) for name in asked])
    context: Any = None
    response = handle(broker(("a", 2), ("b", 1), ("a", 1)), context, request)
    found = {
        result.user: result.error_code or [(c.mechanism, c.iterations) for c in result.credential_infos]
        for result in response.results
    }
    assert found == expected
    assert all(bool(result.error_message) == bool(result.error_code) for result in response.results)


def test_nobody_has_credentials() -> None:
    context: Any = None
    response = handle(broker(), context, DescribeUserScramCredentialsRequest(users=None))
    assert (response.error_code, response.results) == (errors.NONE, [])

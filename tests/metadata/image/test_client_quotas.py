"""Filters of DescribeClientQuotas: whom they take, and which are none (in the words of Kafka 4.3.1)."""

from __future__ import annotations

import pytest

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.describe_client_quotas import DescribeClientQuotasRequest
from klamm.metadata.image.client_quotas import MATCH_ANY, MATCH_DEFAULT, MATCH_EXACT, describe
from klamm.metadata.image.image import QuotaEntity

ENTITIES: dict[str, QuotaEntity] = {
    "u": (("user", "u"),),
    "*": (("user", None),),
    "c": (("client-id", "c"),),
    "uc": (("client-id", "c"), ("user", "u")),
    "u*": (("client-id", None), ("user", "u")),
    "ip": (("ip", "1.2.3.4"),),
}
QUOTAS = {entity: {"producer_byte_rate": float(i)} for i, entity in enumerate(ENTITIES.values())}


def request(*components: tuple[str, int, str | None], strict: bool = False) -> DescribeClientQuotasRequest:
    row = DescribeClientQuotasRequest.ComponentData
    return DescribeClientQuotasRequest(
        components=[row(entity_type=t, match_type=how, match=match) for t, how, match in components], strict=strict
    )


@pytest.mark.parametrize(
    ("components", "loose", "strict"),
    [
        ((), "u * c uc u* ip", ""),
        ((("user", MATCH_ANY, None),), "u * uc u*", "u *"),
        ((("user", MATCH_DEFAULT, None),), "*", "*"),
        ((("user", MATCH_EXACT, "u"),), "u uc u*", "u"),
        ((("user", MATCH_EXACT, "x"),), "", ""),
        ((("user", MATCH_EXACT, "u"), ("client-id", MATCH_DEFAULT, None)), "u*", "u*"),
        ((("client-id", MATCH_ANY, None), ("user", MATCH_ANY, None)), "uc u*", "uc u*"),
        ((("ip", MATCH_ANY, None),), "ip", "ip"),
    ],
)
def test_filters(components: tuple[tuple[str, int, str | None], ...], loose: str, strict: str) -> None:
    for is_strict, expected in ((False, loose), (True, strict)):
        response = describe(QUOTAS, request(*components, strict=is_strict))
        assert response.error_code == errors.NONE and response.entries is not None
        found = [tuple((e.entity_type, e.entity_name) for e in entry.entity) for entry in response.entries]
        assert found == [ENTITIES[name] for name in expected.split()]
        for entry, entity in zip(response.entries, found, strict=True):
            assert {v.key: v.value for v in entry.values} == QUOTAS[entity]


@pytest.mark.parametrize(
    ("components", "code", "message"),
    [
        ((("", 9, "a"),), errors.INVALID_REQUEST, "Invalid empty entity type."),
        ((("topic", 9, "a"),), errors.UNSUPPORTED_VERSION, "Unsupported entity type topic"),
        ((("user", 3, None),), errors.INVALID_REQUEST, "Unknown match type 3"),
        (
            (("user", MATCH_EXACT, None),),
            errors.INVALID_REQUEST,
            "Request specified MATCH_TYPE_EXACT, but set match string to null.",
        ),
        (
            (("user", MATCH_DEFAULT, ""),),
            errors.INVALID_REQUEST,
            "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.",
        ),
        (
            (("user", MATCH_ANY, "a"),),
            errors.INVALID_REQUEST,
            "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.",
        ),
        (
            (("user", MATCH_ANY, None), ("user", 9, "a")),
            errors.INVALID_REQUEST,
            "Entity type user cannot appear more than once in the filter.",
        ),
        (
            (("client-id", MATCH_ANY, None), ("ip", MATCH_ANY, None)),
            errors.INVALID_REQUEST,
            "Invalid entity filter component combination. IP filter component should not be used with user or "
            "clientId filter component.",
        ),
    ],
)
def test_filters_that_are_none(components: tuple[tuple[str, int, str | None], ...], code: int, message: str) -> None:
    with pytest.raises(KafkaError) as caught:
        describe(QUOTAS, request(*components))
    assert (caught.value.code, caught.value.message) == (code, message)

"""Client quotas of an image, as DescribeClientQuotas shows them: which entities a filter takes (KIP-546)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.describe_client_quotas import DescribeClientQuotasRequest, DescribeClientQuotasResponse
from klamm.metadata.image.image import QuotaEntity

USER: Final = "user"
CLIENT_ID: Final = "client-id"
IP: Final = "ip"
ENTITY_TYPES: Final = (USER, CLIENT_ID, IP)

MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY = 0, 1, 2
"""`match_type` of a component: this name, the default entity, any name and the default."""

Filter = Mapping[str, tuple[int, str | None]]
"""Entity type -> (match type, name)."""


def describe(
    quotas: Mapping[QuotaEntity, Mapping[str, float]], request: DescribeClientQuotasRequest
) -> DescribeClientQuotasResponse:
    """The entities that the filter takes, with all their quotas. Raises KafkaError for a filter that is none."""
    wanted = _filter(request.components)
    row = DescribeClientQuotasResponse.EntryData
    return DescribeClientQuotasResponse(
        throttle_time_ms=0,
        error_code=errors.NONE,
        error_message="",
        entries=[
            row(
                entity=[row.EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
                values=[row.ValueData(key=key, value=value) for key, value in quotas[entity].items()],
            )
            for entity in _matching(quotas, wanted, request.strict)
        ],
    )


def _filter(components: Sequence[DescribeClientQuotasRequest.ComponentData]) -> Filter:
    wanted: dict[str, tuple[int, str | None]] = {}
    for component in components:
        kind, match_type, match = component.entity_type, component.match_type, component.match
        if not kind:
            raise _invalid("Invalid empty entity type.")
        if kind in wanted:
            raise _invalid(f"Entity type {kind} cannot appear more than once in the filter.")
        if kind not in ENTITY_TYPES:
            raise KafkaError(errors.UNSUPPORTED_VERSION, f"Unsupported entity type {kind}")
        if match_type == MATCH_EXACT and match is None:
            raise _invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.")
        if match_type in (MATCH_DEFAULT, MATCH_ANY) and match is not None:
            name = "DEFAULT" if match_type == MATCH_DEFAULT else "SPECIFIED"
            raise _invalid(f"Request specified MATCH_TYPE_{name}, but also specified a match string.")
        if match_type not in (MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY):
            raise _invalid(f"Unknown match type {match_type}")
        wanted[kind] = match_type, match
    if IP in wanted and (USER in wanted or CLIENT_ID in wanted):
        what = "Invalid entity filter component combination. IP filter component should not be used with"
        raise _invalid(f"{what} user or clientId filter component.")
    return wanted


def _matching(
    quotas: Mapping[QuotaEntity, Mapping[str, float]], wanted: Filter, is_strict: bool
) -> Iterator[QuotaEntity]:
    for entity in quotas:
        names = dict(entity)
        if is_strict and len(names) != len(wanted):
            continue
        if all(
            kind in names and (match_type == MATCH_ANY or names[kind] == match)
            for kind, (match_type, match) in wanted.items()
        ):
            yield entity


def _invalid(message: str) -> KafkaError:
    return KafkaError(errors.INVALID_REQUEST, message)

"""Client quotas: set and removed by AlterClientQuotas (KIP-546, KIP-612 for addresses, KIP-599 for mutations).

An entity is changed whole or not at all; one that fails does not hold up the others of the request.
"""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.alter_client_quotas import AlterClientQuotasRequest, AlterClientQuotasResponse
from klamm.kproto.metadata_records import ClientQuotaRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision
from klamm.metadata.controller.hash_order import in_hash_order
from klamm.metadata.image.client_quotas import CLIENT_ID, ENTITY_TYPES, IP, USER
from klamm.metadata.image.image import MetadataImage

Entity = dict[str, str | None]
"""Entity type -> name; None is the default entity of that type."""

_LONG_MAX, _INT_MAX = 2**63 - 1, 2**31 - 1
_OF_CLIENTS: Final[Mapping[str, float | None]] = {
    "producer_byte_rate": _LONG_MAX,
    "consumer_byte_rate": _LONG_MAX,
    "request_percentage": None,
    "controller_mutation_rate": None,
}
_OF_ADDRESSES: Final[Mapping[str, float | None]] = {"connection_creation_rate": _INT_MAX}
"""Key -> the highest whole number it takes; None: any positive number."""
_FRACTION_MAX: Final = 1e-6
_TYPES_EXPECTED: Final = 3
_HOST_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


class ClientQuotaControl:
    """Decides alterations."""

    def __init__(self, state: Callable[[], MetadataImage]) -> None:
        self._state = state

    def alter(self, request: AlterClientQuotasRequest) -> Decision[AlterClientQuotasResponse, Message]:
        """Set and remove quotas, or check (`validate_only`). Errors stand in the response, entity by entity.

        Of an entity that is named twice the first change counts, and the answer is the error, as in Kafka.
        """
        records: list[Message] = []
        answers: dict[tuple[tuple[str, str | None], ...], AlterClientQuotasResponse.EntryData] = {}
        for row in request.entries:
            entity = {e.entity_type: e.entity_name for e in row.entity}
            key = tuple(sorted(entity.items()))
            keys = [op.key for op in row.ops]
            changes: list[Message] = []
            failure: KafkaError | None = None
            try:
                if key in answers or len(set(keys)) < len(keys):
                    raise _invalid(f"Ignoring duplicate entity {_entity_text(entity, len(row.entity))}")
                changes = self._changes(entity, row.ops)
            except KafkaError as error:
                failure = error
            records += changes
            answers[key] = _answer(entity, len(row.entity), failure)
        response = AlterClientQuotasResponse(throttle_time_ms=0, entries=list(answers.values()))
        return Decision(response, [] if request.validate_only else records)

    def _changes(self, entity: Entity, ops: Sequence[AlterClientQuotasRequest.EntryData.OpData]) -> list[Message]:
        _check_entity(entity)
        limits = _limits(entity)
        current = self._state().client_quotas.get(tuple(sorted(entity.items())), {})
        by_key = {op.key: op for op in ops}
        rows = [
            ClientQuotaRecord.EntityData(entity_type=kind, entity_name=entity[kind])
            for kind in in_hash_order(entity, _TYPES_EXPECTED)
        ]
        records: list[Message] = []
        for key in in_hash_order(by_key, len(ops)):
            op = by_key[key]
            if op.remove:
                if key in current:
                    records.append(ClientQuotaRecord(entity=rows, key=key, value=0.0, remove=True))
                continue
            _check_value(limits, key, op.value)
            if current.get(key) != op.value:
                records.append(ClientQuotaRecord(entity=rows, key=key, value=op.value, remove=False))
        return records


def _check_entity(entity: Entity) -> None:
    if not entity:
        raise _invalid("Invalid empty client quota entity")
    for kind in in_hash_order(entity, len(entity)):
        if kind not in ENTITY_TYPES:
            raise _invalid(f"Unhandled client quota entity type: {kind}")
        if entity[kind] == "":
            raise _invalid(f"Empty {kind} not supported")


def _limits(entity: Entity) -> Mapping[str, float | None]:
    if IP not in entity:
        return _OF_CLIENTS
    if USER in entity or CLIENT_ID in entity:
        raise _invalid("Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId")
    address = entity[IP]
    if address is not None and not _is_address(address):
        raise _invalid(f"{address} is not a valid IP or resolvable host.")
    return _OF_ADDRESSES


def _is_address(text: str) -> bool:
    """Whether it is an address or may be the name of a host. Kafka looks the name up; a controller here does no I/O."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return _HOST_NAME.fullmatch(text) is not None and not text.rstrip(".").rpartition(".")[2].isdecimal()


def _check_value(limits: Mapping[str, float | None], key: str, value: float) -> None:
    if key not in limits:
        raise _invalid(f"Invalid configuration key {key}")
    if value <= 0:
        raise _invalid(f"Quota {key} must be greater than 0")
    limit = limits[key]
    if limit is None:
        return
    if value > float(limit):
        name = "an INT" if limit == _INT_MAX else "a LONG"
        raise _invalid(f"Proposed value for {key} is too large for {name}.")
    if math.fmod(value, 1.0) > _FRACTION_MAX:
        raise _invalid(f"{key} cannot be a fractional value.")


def _answer(entity: Entity, expected: int, failure: KafkaError | None) -> AlterClientQuotasResponse.EntryData:
    row = AlterClientQuotasResponse.EntryData
    return row(
        error_code=failure.code if failure else errors.NONE,
        error_message=failure.message if failure else None,
        entity=[row.EntityData(entity_type=k, entity_name=entity[k]) for k in in_hash_order(entity, expected)],
    )


def _entity_text(entity: Entity, expected: int) -> str:
    names = (f"{k}={'null' if entity[k] is None else entity[k]}" for k in in_hash_order(entity, expected))
    return f"ClientQuotaEntity(entries={{{', '.join(names)}}})"


def _invalid(message: str) -> KafkaError:
    return KafkaError(errors.INVALID_REQUEST, message)

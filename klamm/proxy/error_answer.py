"""An answer that says nothing but an error, built from the request, in the fields where that API tells errors.

An item of the request (a topic, a partition, a group) becomes the item of the answer that stands for it: the schemas of
requests and answers have the same nesting and nearly the same names.
"""

from __future__ import annotations

from typing import Any, Final

from klamm.kproto import errors
from klamm.kproto.apis import Api
from klamm.kproto.catalog import message_class
from klamm.kproto.schema import Field, Message, Struct

_SAME: Final = (
    ("name", "topic", "topic_name"),
    ("partition_index", "partition", "index", "partition_id"),
    ("group_id", "group", "key"),
    ("user", "name"),
)
"""Names of one and the same thing in requests and answers."""

_ERROR_FIELDS: Final = ("error_code", "partition_error_code")
_OF_PARTS: Final = frozenset(
    {
        errors.OFFSET_OUT_OF_RANGE, errors.CORRUPT_MESSAGE, errors.UNKNOWN_TOPIC_OR_PARTITION,
        errors.LEADER_NOT_AVAILABLE, errors.NOT_LEADER_OR_FOLLOWER, errors.REPLICA_NOT_AVAILABLE,
        errors.MESSAGE_TOO_LARGE, errors.INVALID_TOPIC_EXCEPTION, errors.RECORD_LIST_TOO_LARGE,
        errors.NOT_ENOUGH_REPLICAS, errors.NOT_ENOUGH_REPLICAS_AFTER_APPEND, errors.TOPIC_AUTHORIZATION_FAILED,
        errors.TOPIC_ALREADY_EXISTS, errors.KAFKA_STORAGE_ERROR, errors.FENCED_LEADER_EPOCH,
        errors.UNKNOWN_LEADER_EPOCH, errors.OFFSET_NOT_AVAILABLE, errors.UNKNOWN_TOPIC_ID, errors.INCONSISTENT_TOPIC_ID,
    }
)  # fmt: skip
"""Errors of a topic or partition: they stand beside it, and not at the top, where both is possible."""
_UNSET: Final = {
    "FindCoordinatorResponse": {"node_id": -1, "port": -1},
    "Coordinator": {"node_id": -1, "port": -1},
    "PartitionProduceResponse": {"base_offset": -1},
    "JoinGroupResponse": {"generation_id": -1},
    "OffsetFetchResponsePartition": {"committed_offset": -1},
    "OffsetFetchResponsePartitions": {"committed_offset": -1},
    "InitProducerIdResponse": {"producer_id": -1, "producer_epoch": -1},
    "PartitionData": {"high_watermark": -1},
    "ListOffsetsPartitionResponse": {"offset": -1, "timestamp": -1},
    "EpochEndOffset": {"end_offset": -1, "leader_epoch": -1},
    "DeleteRecordsPartitionResult": {"low_watermark": -1},
}
"""Class of a struct -> what a broker puts where it has nothing to tell, unlike the schema's default."""


def error_answer(request: Message, api: Api, version: int, code: int) -> Message | None:
    """The answer to `request` that says `code`; None when nothing in it can bear the error."""
    response = message_class(f"{api.name}Response")
    maker = _Maker(version, code)
    answer = maker.made(response, request, is_top=True)
    if not maker.told:
        return None
    return answer  # type: ignore[return-value]


class _Maker:
    def __init__(self, version: int, code: int) -> None:
        self.version, self.code = version, code
        self.told = 0

    def made(self, cls: type[Struct], source: Any, *, is_top: bool = False) -> Struct:
        """A struct of the answer for `source`, what stands for it in the request (a struct, or a plain value)."""
        fields = [field for field in cls.__schema__.fields if self._exists(field)]
        values: dict[str, Any] = {}
        told_before = self.told
        own = next((field.name for field in fields if field.name in _ERROR_FIELDS), None)
        for field in fields:
            if field.name in _UNSET.get(cls.__name__, ()):
                values[field.name] = _UNSET[cls.__name__][field.name]
            elif field.struct is None and not field.array:
                if (value := _value_for(field, source, is_top)) is not None:
                    values[field.name] = value
            elif field.array and field.struct is not None and (is_top or own is None):
                values[field.name] = self._items(field, source)
        if own is not None and not (is_top and self.code in _OF_PARTS and self.told > told_before):
            self.told += 1
            values[own] = self.code
            if any(field.name == "error_message" for field in fields):
                values["error_message"] = errors.info(self.code).message
        return cls(**values)

    def _exists(self, field: Field) -> bool:
        return field.exists_in(self.version) or field.tagged_in(self.version)

    def _items(self, field: Field, source: Any) -> list[Struct]:
        assert field.struct is not None
        if not isinstance(source, Struct):
            return []
        if not self._bears_error(field.struct):
            same = getattr(source, field.name, None)
            return [self.made(field.struct, item) for item in same or ()] if isinstance(same, list) else []
        return [self.made(field.struct, item) for item in self._counterparts(field, source)]

    def _bears_error(self, cls: type[Struct]) -> bool:
        return any(
            self._exists(field)
            and (field.name in _ERROR_FIELDS or (field.struct is not None and self._bears_error(field.struct)))
            for field in cls.__schema__.fields
        )

    def _counterparts(self, field: Field, source: Struct) -> list[Any]:
        """The items of the request that the items of an answer's array stand for."""
        arrays = [
            other
            for other in source.__schema__.fields
            if other.array and self._exists(other) and getattr(source, other.name)
        ]
        found = [other for other in arrays if other.name == field.name] or [
            other for other in arrays if other.struct is not None or other.type in ("string", "int32")
        ]
        if field.struct is not None and field.struct.__name__ == "AlterUserScramCredentialsResult":
            return [item for other in found for item in getattr(source, other.name)]
        return list(getattr(source, found[0].name)) if found else []


def _value_for(field: Field, source: Any, is_top: bool) -> Any:
    """What the request says for a field of the answer; None when it says nothing."""
    if not isinstance(source, Struct):
        is_name = field.type == "string" and field.name in (*_SAME[0], *_SAME[2], "transactional_id")
        is_number = field.type == "int32" and field.name in _SAME[1]
        return source if (is_name and isinstance(source, str)) or (is_number and isinstance(source, int)) else None
    names = (field.name,) if is_top else next((same for same in _SAME if field.name in same), (field.name,))
    for name in (field.name, *names):
        value = getattr(source, name, None)
        if value is not None and type(value) is type(field.new_default() if field.default is not None else ""):
            return value
    return None


def put_error(message: Struct, code: int, *, is_top: bool = True) -> int:
    """Put an error into an answer of the server, in the place of what it told; gives how many fields bear it."""
    told = 0
    fields = {field.name for field in message.__schema__.fields}
    for field in message.__schema__.fields:
        value = getattr(message, field.name)
        if field.struct is not None and field.array and value:
            told += sum(put_error(item, code, is_top=False) for item in value)
        elif field.type == "RecordBytes" and value is not None:
            setattr(message, field.name, b"")
    own = next((name for name in _ERROR_FIELDS if name in fields), None)
    if own is not None and not (is_top and code in _OF_PARTS and told):
        setattr(message, own, code)
        told += 1
    return told

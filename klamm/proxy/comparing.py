"""Where two values in JSON form differ. A path names the place: `.topics[0].errorCode`."""

from __future__ import annotations

from collections.abc import Iterator

from klamm.proxy.normal import Json, identity

ABSENT = "<absent>"


def walk(path: str, left: Json, right: Json) -> Iterator[tuple[str, Json, Json]]:
    """Every place in which they differ, with both values; lists of different lengths are held together by identity."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(key for key in right if key not in left)]:
            yield from walk(f"{path}.{key}", left.get(key, ABSENT), right.get(key, ABSENT))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            yield from walk(f"{path}[{i}]", a, b)
    elif isinstance(left, list) and isinstance(right, list) and _distinct(left) and _distinct(right):
        yield from walk(path, {identity(item): item for item in left}, {identity(item): item for item in right})
    elif left != right or type(left) is not type(right):
        yield path, left, right


def _distinct(items: list[Json]) -> bool:
    """Whether lists of different lengths can be compared item by item."""
    return len({identity(item) for item in items}) == len(items)


def short(value: Json, length: int) -> str:
    """A value as text, cut at a length."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= length else f"{text[:length]}…"

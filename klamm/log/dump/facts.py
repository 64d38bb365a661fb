"""What the dump of a file says: facts, one JSON object each, and what they are asked for.

Every fact has `fact`, its kind, and `file`, the path; docs/log-tools.md lists the fields of every kind. Numbers and
order are those of kafka-dump-log, names too, in snake_case. What is wrong is a fact too (`DAMAGE`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Fact: TypeAlias = dict[str, Any]
Facts: TypeAlias = Iterator[Fact]

DAMAGE: Final = frozenset(
    {
        "damage",
        "trailing_bytes",
        "index_mismatch",
        "time_index_mismatch",
        "time_index_out_of_order",
        "time_index_offset_not_found",
    }
)
"""Kinds of facts that say that something is wrong; so do a batch that is not valid and an index that is not sane."""


@dataclass(frozen=True)
class DumpOptions:
    """What to tell of the files. The names are those of kafka-dump-log's options."""

    decoder: str | None = None
    """None: by the name of the topic where it is an internal one."""
    is_decoder_guessed: bool = True
    deep_iteration: bool = False
    print_data_log: bool = False
    skip_record_metadata: bool = False
    verify_index_only: bool = False
    index_sanity_check: bool = False
    max_bytes: int | None = None
    progress: Callable[[int], None] | None = None
    """Told the bytes that have been read."""


def is_damage(fact: Fact) -> bool:
    """Whether the fact says that the file is damaged."""
    return (
        fact["fact"] in DAMAGE
        or (fact["fact"] == "batch" and not fact["is_valid"])
        or (fact["fact"] == "sanity" and not fact["is_sane"])
        or is_odd_control(fact)
    )


def is_odd_control(fact: Fact) -> bool:
    """Whether the fact is a control record that cannot be read; other records may be anything."""
    return fact["fact"] == "record" and "error" in fact and "key" not in fact


def damage(path: str, message: str, **where: int) -> Fact:
    """A file that cannot be read (on), and why."""
    return {"fact": "damage", "file": path, **where, "message": message}

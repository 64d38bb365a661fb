"""Which topic names are legal, and which collide.

'.' and '_' become the same character in metric names, so two topics that differ only in them must not both exist.
"""

from __future__ import annotations

import re

NAME_LENGTH_MAX = 249
CLUSTER_METADATA = "__cluster_metadata"
_LEGAL = re.compile(r"[a-zA-Z0-9._-]+\Z")


def invalid_name_reason(name: str) -> str | None:
    """Why `name` is no topic name, in Kafka's words; None when it is one."""
    if not name:
        return "Topic name is invalid: the empty string is not allowed"
    if name in (".", ".."):
        return f"Topic name is invalid: '{name}' is not allowed"
    if len(name) > NAME_LENGTH_MAX:
        return f"Topic name is invalid: the length of '{name}' is longer than the max allowed length {NAME_LENGTH_MAX}"
    if _LEGAL.match(name) is None:
        return (
            f"Topic name is invalid: '{name}' contains one or more characters other than "
            "ASCII alphanumerics, '.', '_' and '-'"
        )
    return None


def has_collision_chars(name: str) -> bool:
    return "." in name or "_" in name


def unify_collision_chars(name: str) -> str:
    """The form that colliding names share."""
    return name.replace(".", "_")

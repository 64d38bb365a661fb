"""Answers of a conversation in a form that two brokers share: member ids are numbered, topic ids named, ports fixed."""

from __future__ import annotations

import json
import re
from typing import Any

from klamm.kproto.json_form import to_json
from klamm.kproto.schema import Message

_MEMBER = re.compile(r"[A-Za-z0-9_]*-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

_ANY_LEADER = {"full_group"}
"""Where Kafka lets the order of a hash table choose the next leader."""


class Transcript:
    """What was asked and answered, as lines of text."""

    def __init__(self, topic_ids: dict[str, str]) -> None:
        """`topic_ids`: text form of the id -> name."""
        self.lines: list[str] = []
        self._topic_ids = topic_ids
        self._members: dict[str, str] = {}

    def add(self, conversation: str, who: str, response: Message, version: int) -> None:
        text = json.dumps(to_json(response, version, response.__schema__.is_flexible(version)))
        text = _MEMBER.sub(lambda m: self._members.setdefault(m[0], f"<member {len(self._members)}>"), text)
        for topic_id, name in self._topic_ids.items():
            text = text.replace(topic_id, f"<id of {name}>")
        form = _settled(json.loads(text))
        if conversation in _ANY_LEADER:
            form = {key: value for key, value in form.items() if key not in ("leader", "members")}
        self.lines.append(json.dumps([conversation, who, type(response).__name__, version, form]))


def _settled(form: Any) -> Any:
    """Without what differs by the run or is a broker's own wording; lists whose order means nothing are sorted."""
    if isinstance(form, list):
        return [_settled(item) for item in form]
    if not isinstance(form, dict):
        return form
    out = {}
    for key, value in form.items():
        if key == "port" and value > 0:
            value = 9092
        elif key == "errorMessage" and form.get("errorCode") and value:
            value = "<message>"
        elif key in ("groups", "results"):
            value = sorted(value, key=lambda group: group["groupId"])
        elif key == "members" and value and "metadata" in value[0]:
            value = sorted(value, key=lambda member: member["memberId"])
        out[key] = _settled(value)
    return out

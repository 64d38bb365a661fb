"""The stories of tests/data/controller_records/stories again: our controller decides what a real one decided.

Before each step our controller has the real log up to there, so that one difference stays one.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import errors
from klamm.kproto.catalog import message_class
from klamm.kproto.errors import KafkaError
from klamm.kproto.json_form import from_json, to_json
from klamm.kproto.schema import Message
from klamm.kproto.uuids import uuid_bytes
from klamm.log.machine import CancelTimer, SetTimer
from klamm.metadata.controller.broker_sessions import SessionKey
from klamm.metadata.controller.configs import EffectiveConfig
from klamm.metadata.controller.controller import Controller, ControllerSettings
from klamm.metadata.controller.requests import DECISIONS
from klamm.metadata.controller.topics import TopicDefaults
from klamm.metadata.image.image import EMPTY
from klamm.metadata.record_codec import TYPES, record_version
from klamm.seams import SeededEntropy

DATA = Path(__file__).parents[2] / "data" / "controller_records" / "stories"
CLASSES = {cls.__name__: cls for cls in TYPES.values()}
Json = dict[str, Any]
Row = tuple[str, int, str]


KNOWN = {
    "it comes back at once": "after a stop that the controller granted, ours takes the next life without waiting",
    "its session ends": "so that session is over already",
}
"""Steps of the stories that ours decides otherwise, and why."""


class Rules:
    """No config is refused."""

    def validate(self, resource_type: int, name: str, configs: Mapping[str, str], existing: Mapping[str, str]) -> None:
        pass

    def is_list(self, resource_type: int, key: str) -> bool:
        return False

    def default(self, resource_type: int, key: str) -> str | None:
        return None

    def effective_topic_configs(
        self, configs: Mapping[str, str], node: Mapping[str, str], cluster: Mapping[str, str]
    ) -> Sequence[EffectiveConfig]:
        return []


class Quorum:
    """Whose version no story changes."""

    kraft_version = 1

    def upgrade_kraft_version(self, level: int, validate_only: bool) -> None:
        raise AssertionError(f"kraft.version is to be {level}")


class ScriptedEntropy(SeededEntropy):
    """Draws the topic ids that the real controller drew."""

    def __init__(self) -> None:
        super().__init__(0)
        self.script: deque[bytes] = deque()

    def uuid(self) -> bytes:
        return self.script.popleft() if self.script else super().uuid()


class Replay:
    """One real controller's life: `decide` what it decided, then take in what it wrote."""

    def __init__(self) -> None:
        self.entropy = ScriptedEntropy()
        self.next_offset = 0
        self.timers: dict[Any, SetTimer] = {}
        settings = ControllerSettings(101, "a2xhbW0tY29tcGF0LTAwMQ", TopicDefaults(), {}, 3000, None)
        self.controller = Controller(settings, EMPTY, Rules(), lambda: self.next_offset, self.entropy, Quorum())
        self._set(self.controller.on_leadership())

    def decide(self, step: Json) -> tuple[Json | None, list[list[Row]]]:
        """Response and batches of our controller."""
        if "request" in step:
            return self._request(step)
        key = SessionKey(step["silent"]) if "silent" in step else step["timer"]
        timer = self.timers.pop(key, None)
        if timer is None:
            return None, []
        decision = timer.command()
        self._set(decision.timers)
        return None, self._batches(decision.records)

    def take_in(self, step: Json) -> None:
        for batch in step["batches"]:
            for row in batch:
                cls = CLASSES[row["type"]]
                self.controller.apply(from_json(cls, row["data"], row["version"], True))
                self.next_offset = row["offset"] + 1
            self.controller.seal(self.next_offset - 1, 1)

    def _request(self, step: Json) -> tuple[Json, list[list[Row]]]:
        name, version = step["request"], step["version"]
        cls: Any = message_class(f"{name}Request")
        request = from_json(cls, step["json"], version, cls.__schema__.is_flexible(version))
        if name == "CreateTopics":
            self.entropy.script = deque(uuid_bytes(topic["topicId"]) for topic in step["response"]["topics"])
        try:
            decision = DECISIONS[cls.__schema__.key](self.controller, request)
        except KafkaError as error:
            return _refused(step["response"], error), []
        self._set(decision.timers)
        response: Any = decision.response
        told = to_json(response, version, type(response).__schema__.is_flexible(version))
        return told, self._batches(decision.records)

    def _batches(self, records: Sequence[Message]) -> list[list[Row]]:
        rows = []
        for record in records:
            version = record_version(record, self.controller.state().metadata_version)
            data = json.dumps(to_json(record, version, True), sort_keys=True)
            rows.append((type(record).__name__, version, data))
        return [_in_one_order(rows)] if rows else []

    def _set(self, timers: Sequence[SetTimer | CancelTimer]) -> None:
        for timer in timers:
            if isinstance(timer, SetTimer):
                self.timers[timer.key] = timer
            else:
                self.timers.pop(timer.key, None)


def _refused(expected: Json, error: KafkaError) -> Json:
    """A response to a request that was refused as a whole, as far as it says so: the code."""
    return {**expected, "errorCode": error.code}


def _recorded(step: Json) -> list[list[Row]]:
    return [
        _in_one_order([(row["type"], row["version"], json.dumps(row["data"], sort_keys=True)) for row in batch])
        for batch in step["batches"]
    ]


def _in_one_order(rows: list[Row]) -> list[Row]:
    """Runs of records whose order a hash decides in a real controller, in one order."""
    out: list[Row] = []
    for kind, run in groupby(rows, lambda row: row[0]):
        same = list(run)
        out += sorted(same) if kind in ("ConfigRecord", "PartitionChangeRecord") else same
    return out


def _comparable(response: Json | None) -> Any:
    """Without the words of errors that say nothing of the case: ours are other ones. Topics in one order."""
    if isinstance(response, dict):
        out = {key: _comparable(value) for key, value in response.items() if key != "configs"}
        if out.get("errorCode") and out.get("errorMessage") in (None, *_general(out["errorCode"])):
            out["errorMessage"] = None
        return out
    if isinstance(response, list):
        rows = [_comparable(row) for row in response]
        return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))
    return response


KAFKA_WORDS = {
    errors.UNKNOWN_TOPIC_OR_PARTITION: "This server does not host this topic-partition.",
    errors.ELECTION_NOT_NEEDED: "Leader election not needed for topic partition.",
    errors.PREFERRED_LEADER_NOT_AVAILABLE: "The preferred leader was not available.",
    errors.ELIGIBLE_LEADERS_NOT_AVAILABLE: "Eligible topic partition leaders are not available.",
}


def _general(code: int) -> tuple[str | None, ...]:
    return KAFKA_WORDS.get(code), errors.info(code).message


def differences(steps: Sequence[Json]) -> dict[str, str]:
    """Step -> what our controller decides otherwise there. The first step is what the real one starts with."""
    replay = Replay()
    replay.take_in(steps[0])
    found = {}
    for step in steps[1:]:
        response, batches = replay.decide(step)
        ours, real = (_comparable(response), batches), (_comparable(step.get("response")), _recorded(step))
        if ours != real:
            found[step["step"]] = f"{step['step']}\n  ours {ours}\n  real {real}"
        replay.take_in(step)
    return found


@pytest.mark.parametrize("story", sorted(path.stem for path in DATA.glob("*.json")))
def test_our_controller_decides_the_same(story: str) -> None:
    steps = json.loads((DATA / f"{story}.json").read_text(encoding="utf-8"))
    found = differences(steps)
    unknown = [told for name, told in found.items() if name not in KNOWN]
    assert not unknown, "\n".join(unknown)
    assert set(found) == {step["step"] for step in steps} & set(KNOWN), "a known difference is gone"

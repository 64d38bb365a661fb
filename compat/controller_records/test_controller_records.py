"""Real Kafka still decides what tests/data/controller_records says; the unit tests hold our controller to that."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from compat.controller_records.__main__ import DATA, PLACEMENTS, STORY_FOLDER, record
from compat.controller_records.log_reading import Json
from compat.controller_records.placements import placements
from compat.controller_records.random_story import SETTINGS, RandomStory
from compat.controller_records.recorder import Recorder
from compat.controller_records.stories import STORIES
from compat.kafka_jars import ROOT
from klamm.kproto.uuids import uuid_text

NO_ID = uuid_text(bytes(16))
UNIT_TEST = ROOT / "tests" / "metadata" / "controller" / "test_controller_records.py"


def _comparable(steps: list[Json]) -> list[Any]:
    """The steps with names for drawn ids, without ports of the controller, and with what a hash orders in one order."""
    names: dict[str, str] = {}
    for row in (row for step in steps for batch in step["batches"] for row in batch):
        data = row["data"]
        if row["type"] == "TopicRecord":
            names[data["topicId"]] = f"{data['name']}-{len(names)}"
        elif row["type"] == "RegisterControllerRecord":
            data["endPoints"] = []
            names[data["incarnationId"]] = f"controller-{len(names)}"
    for topic in (topic for step in steps for topic in (step.get("response") or {}).get("topics") or ()):
        # That of a topic that was only checked is in no record.
        if topic.get("topicId") not in (None, NO_ID):
            names.setdefault(topic["topicId"], f"{topic.get('name')}-{len(names)}")
    told = json.dumps(steps)
    for drawn, name in names.items():
        told = told.replace(drawn, name)
    return [_in_one_order(step) for step in json.loads(told)]


def _in_one_order(step: Json) -> Json:
    for batch in step["batches"]:
        for row in batch:
            row.pop("offset")
        if any(row["type"] == "PartitionChangeRecord" for row in batch):
            batch.sort(key=lambda row: json.dumps(row, sort_keys=True))
    for told in (step.get("response") or {}).values():
        if isinstance(told, list):
            told.sort(key=lambda row: json.dumps(row, sort_keys=True))
    return step


@pytest.mark.needs("java", "mvn")
@pytest.mark.parametrize("story", STORIES)
def test_real_kafka_decides_as_recorded(story: str) -> None:
    recorded = json.loads((DATA / STORY_FOLDER / f"{story}.json").read_text(encoding="utf-8"))
    now = _comparable(record(story))
    for step, before in zip(now, _comparable(recorded), strict=True):
        assert step == before


@pytest.mark.needs("java", "mvn")
def test_real_kafka_places_as_recorded() -> None:
    assert placements() == json.loads((DATA / f"{PLACEMENTS}.json").read_text(encoding="utf-8"))


@pytest.mark.needs("java", "mvn")
@pytest.mark.parametrize("seed", [11, 12])
def test_our_controller_decides_the_same_in_stories_that_are_drawn(seed: int) -> None:
    spec = importlib.util.spec_from_file_location("unit_test", UNIT_TEST)
    assert spec is not None and spec.loader is not None
    unit_test = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(unit_test)
    with Recorder(SETTINGS) as recorder:
        RandomStory(recorder, seed).tell(250)
    found = unit_test.differences(recorder.steps)
    assert not set(found) - set(unit_test.KNOWN), found

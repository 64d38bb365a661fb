"""klamm and Kafka in turns on one directory, short; and the proof that a difference would be seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.java.tools import Tools
from compat.shared_directory.story import Story, Turn
from compat.shared_directory.validity import check

pytestmark = [pytest.mark.needs("java", "mvn"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    tools = Tools(tmp_path_factory.mktemp("tools"))
    yield tools
    tools.close()


def _good(story: Story) -> None:
    told = [f"{row.life}: {line}" for row in story.rows for line in (*row.differences, *row.faults)]
    assert not told, "\n".join(told[:40])
    assert all(row.facts > 1000 for row in story.rows[1:]) and all(row.batches > 100 for row in story.rows)


def test_what_kafka_has_made(tools: Tools, tmp_path: Path) -> None:
    story = Story(tmp_path / "place", tools, seed=2)
    story.make("kafka", kill=True, lives=1)
    story.turn(Turn("klamm", kill=True))
    story.turn(Turn("kafka", kill=False), add=False, end_open=True)
    story.turn(Turn("klamm", kill=False), add=False)
    _good(story)


def test_what_klamm_has_made(tools: Tools, tmp_path: Path) -> None:
    story = Story(tmp_path / "place", tools, seed=3)
    story.make("klamm", kill=False, lives=1)
    story.turn(Turn("kafka", kill=True))
    story.turn(Turn("klamm", kill=True), add=False)
    _good(story)


def test_what_is_lost_or_changed_is_seen(tools: Tools, tmp_path: Path) -> None:
    story = Story(tmp_path / "place", tools, seed=4)
    story.make("klamm", kill=False, lives=1)
    compacted, plain = (max((story.place.data_dir / name).glob("*.log")) for name in ("compacted-0", "plain-1"))
    changed = bytearray(plain.read_bytes())
    changed[len(changed) // 2] ^= 1
    plain.write_bytes(changed)
    compacted.write_bytes(compacted.read_bytes()[:-5])
    faults = check(tools, story.place.data_dir).faults
    assert any("plain-1" in fault or "invalid: false" in fault for fault in faults), faults
    compacted.unlink()
    plain.unlink()
    row = story.turn(Turn("klamm", kill=False), add=False)
    for fact in ("plain-1: batches", "plain-1: latest", "plain-1: records, read_committed", "compacted-0: batches"):
        assert any(line.startswith(fact) for line in row.differences), fact
    assert not any(line.startswith("plain-0") for line in row.differences)

"""At the levels of 4.0, 4.1 and 4.2, and on the way up and down, klamm writes the records that Kafka 4.3.1 writes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from compat.differential.run import Run
from compat.feature_levels.at_release import (
    KafkaAt,
    KlammAt,
    Written,
    down_story,
    of_the_node,
    of_the_story,
    story,
    written,
)

pytestmark = pytest.mark.needs("java", "mvn")


def _lived(target: KafkaAt | KlammAt, tell: Callable[[Run], None]) -> list[Written]:
    """What a node wrote over two lives."""
    try:
        target.start()
        run = Run(target, "levels")
        try:
            tell(run)
        finally:
            run.close()
        target.restart()
        target.stop()
        return list(written(target))
    except BaseException:
        target.kill()
        raise
    finally:
        target.remove()


def _both(release: str, tell: Callable[[Run], None]) -> tuple[list[Written], list[Written]]:
    with ThreadPoolExecutor(2) as pool:
        ours, kafkas = pool.map(lambda target: _lived(target, tell), (KlammAt(release), KafkaAt(release)))
    return ours, kafkas


def _compare(ours: list[Written], kafkas: list[Written]) -> None:
    assert of_the_story(ours) == of_the_story(kafkas)
    assert of_the_node(ours) == of_the_node(kafkas)


@pytest.mark.parametrize(("release", "level"), [("4.0", 25), ("4.0-IV0", 22), ("4.1", 27), ("4.2", 29)])
def test_up(release: str, level: int) -> None:
    ours, kafkas = _both(release, story)
    assert {row.level for row in kafkas} == {0, level, 30}
    _compare(ours, kafkas)


def test_down() -> None:
    ours, kafkas = _both("4.2", down_story)
    assert {row.level for row in kafkas} == {0, 29, 28, 25, 23}
    _compare(ours, kafkas)

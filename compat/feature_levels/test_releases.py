"""At the levels of 4.0, 4.1 and 4.2, and on the way up and down, klamm writes the records that Kafka 4.3.1 writes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from compat import kafka_jars
from compat.differential.run import Run
from compat.feature_levels.at_release import (
    KafkaAt,
    KlammAt,
    Written,
    down_story,
    metadata_records,
    of_the_node,
    of_the_story,
    story,
    written,
)
from compat.java.tools import Cli, Tools
from klamm.metadata.features import level_name, reason_not_readable
from klamm.metadata.image.image import EMPTY, TOPIC_RESOURCE, MetadataDelta

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


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    jvm = Tools(tmp_path_factory.mktemp("jvm"))
    yield jvm
    jvm.close()


STEPS: tuple[tuple[str, ...], ...] = (
    ("describe",),
    ("upgrade", "--feature", "eligible.leader.replicas.version=1", "--dry-run"),
    ("downgrade", "--release-version", "4.0-IV0"),
    ("downgrade", "--metadata", "4.0-IV1", "--unsafe", "--dry-run"),
    ("downgrade", "--feature", "transaction.version=1"),
    ("downgrade", "--metadata", "4.0-IV1"),
    ("upgrade", "--release-version", "4.2", "--dry-run"),
    ("describe",),
    ("upgrade", "--release-version", "4.2"),
    ("downgrade", "--release-version", "4.1"),
    ("describe",),
    ("upgrade", "--release-version", "4.3"),
    ("downgrade", "--release-version", "4.1"),
    ("describe",),
)


def test_the_tool_from_release_to_release(tools: Tools) -> None:
    """kafka-features on a cluster of 4.0, step by step to 4.3: what it says is what it says to a real node."""
    said: list[list[tuple[int | None, str, str]]] = []
    for target in (KlammAt("4.0"), KafkaAt("4.0")):
        with target:
            cli = Cli(tools, target.bootstrap)
            runs = [cli.run("kafka-features", *step) for step in STEPS]
        said.append([(run.status, re.sub(r"Epoch: \d+", "", run.out), run.err) for run in runs])
    for step, mine, real in zip(STEPS, *said, strict=True):
        assert mine == real, step
    assert {status for status, _, _ in said[0]} == {0, 1}


@pytest.mark.parametrize(("release", "name"), [("3.7", "3.7-IV4"), ("3.8", "3.8-IV0"), ("3.9", "3.9-IV0")])
def test_releases_that_are_read_and_not_written(release: str, name: str) -> None:
    kafka = KafkaAt(release)
    with kafka:
        run = Run(kafka, "levels")
        try:
            topic = run.topic(partitions=2, retention_ms="5")
        finally:
            run.close()
        kafka.stop()
        delta = MetadataDelta(EMPTY)
        for record in metadata_records(kafka):
            delta.apply(record)
        image = delta.build(1, 1)
        assert reason_not_readable(image.metadata_version) is None
        assert level_name(image.metadata_version) == name
        assert image.config(TOPIC_RESOURCE, topic.name) == {"retention.ms": "5"}
        assert [p.replicas for p in image.topics.by_name[topic.name].partitions.values()] == [(1,), (1,)]
        arguments = ["start", "--data-dir", str(kafka.data_dir), "--port", "0", "--override", "node.id=1"]
        done = subprocess.run(
            [sys.executable, "-m", "klamm", *arguments],
            cwd=kafka_jars.ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert f"metadata.version {name}; klamm writes 4.0-IV0 to 4.3-IV0" in done.stderr

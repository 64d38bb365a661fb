"""The containers' provider, with testcontainers as it is, on an engine that is played (played_engine.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.containers import ContainerTarget, engine_is_missing
from compat.differential.cases import all_cases
from compat.kafka_jars import MissingTool
from compat.kit.pairs import ON_CONTROLLER, SETTINGS, pair_of
from compat.kit.running import run_case
from compat.played_engine import PlayedEngine, properties_of
from compat.providers import make

CASES = ("metadata.describe_log_dirs", "placement.alter_replica_log_dirs", "live_configs.segment_bytes",
         "controllers.producer_id_blocks", "topics.create_partitions")  # fmt: skip


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedEngine]:
    from testcontainers.core.config import testcontainers_config

    # What tidies up behind a test run that was killed is a container, too.
    monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)
    with PlayedEngine() as engine:
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        yield engine


def test_names_of_settings_come_back() -> None:
    assert properties_of({"KAFKA_LISTENER_NAME_X_SCRAM___SHA___256_A__B": "v", "PATH": "x"}) == {
        "listener.name.x.scram-sha-256.a_b": "v"
    }


def test_without_an_engine_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 'none.sock'}")
    assert "no container engine answers" in engine_is_missing()
    with pytest.raises(MissingTool, match="no container engine answers"):
        make("kafka", {}, "containers")


@pytest.mark.needs("java", "mvn")
def test_it_is_asked_and_started_again_like_any_target(engine: PlayedEngine) -> None:
    target = make("kafka", {"num.partitions": "3"}, "containers")
    assert isinstance(target, ContainerTarget)
    try:
        with target:
            (container,) = engine.containers
            assert container.image == "apache/kafka:4.3.1"
            first = container.kafka
            assert first is not None
            assert first.properties["num.partitions"] == "3"
            assert (target.data_dir / "meta.properties").exists()
            pid = first.pid
            target.restart()
            assert first.pid != pid
            target.restart(kill=True)
            assert "INFO" in target.log_tail()
        assert container.calls == ["start", "stop", "start", "kill", "start", "stop", "remove"]
        assert not target.data_dir.exists()
    finally:
        target.remove()


@pytest.mark.needs("java", "mvn")
def test_cases_run_on_it_as_on_kafka_from_its_jars(engine: PlayedEngine) -> None:
    contained, jars = make("kafka", SETTINGS, "containers"), make("kafka", SETTINGS, "jars")
    try:
        with contained, jars:
            pair = pair_of(contained, jars)
            assert pair.served[ON_CONTROLLER][0] == pair.served[ON_CONTROLLER][1] != {}
            for name in CASES:
                ran = run_case(pair, name, all_cases()[name], pair.plan(is_short=True))
                assert (ran.broken, ran.cut, ran.differences) == ("", "", []), name
    finally:
        contained.remove()
        jars.remove()

"""Frameworks as suites: Quix Streams, FastStream, Faust and Spark, each in its own environment (`environment.py`)."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from compat import kafka_jars
from compat.frameworks.environment import HERE, python_of
from compat.scripted import Outcomes, Script, steps_of

SPARK_JARS = "spark-kafka-4.0.0"


def _version(framework: str) -> str:
    return (HERE / f"requirements-{framework}.txt").read_text().strip().rpartition("==")[2]


def _program(framework: str, *arguments: str) -> Outcomes:
    return steps_of([str(python_of(framework)), str(HERE / f"smoke_{framework}.py"), *arguments])


def _quixstreams(guarantee: str, bootstrap: str, name: str) -> Outcomes:
    with tempfile.TemporaryDirectory(prefix="compat-quix-", ignore_cleanup_errors=True) as folder:
        return _program("quixstreams", bootstrap, name, str(Path(folder) / "state"), guarantee)


def _faststream(bootstrap: str, name: str) -> Outcomes:
    return _program("faststream", bootstrap, name)


def _faust(bootstrap: str, name: str) -> Outcomes:
    """Two lives: the second one has its table from the changelog."""
    with tempfile.TemporaryDirectory(prefix="compat-faust-") as folder:
        lives = (_program("faust", bootstrap, name, f"{folder}/{first}", first) for first in ("0", "30"))
        return {step: outcome for life in lives for step, outcome in life.items()}


def _spark(bootstrap: str, name: str) -> Outcomes:
    jars = ",".join(str(jar) for jar in kafka_jars.jars(SPARK_JARS))
    with tempfile.TemporaryDirectory(prefix="compat-spark-") as folder:
        return _program("spark", bootstrap, name, folder, jars)


SCRIPTS = [
    Script("quixstreams", _version("quixstreams"), HERE, partial(_quixstreams, "at-least-once")),
    Script("quixstreams_exactly_once", _version("quixstreams"), HERE, partial(_quixstreams, "exactly-once")),
    Script("faststream", _version("faststream"), HERE, _faststream),
    Script("faust", _version("faust"), HERE, _faust),
    Script("spark", _version("spark"), HERE, _spark, ("java", "mvn")),
]
SUITES = [script.suite() for script in SCRIPTS]

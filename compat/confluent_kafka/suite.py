"""confluent-kafka as suites of the kit: the shared scenario, and a script of its own."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from pathlib import Path

from compat.scripted import Script, module_steps
from compat.suites import pytest_suite

HERE = Path(__file__).resolve().parent
VERSION = version("confluent-kafka")
SCRIPTS = [Script("confluent_kafka_steps", VERSION, HERE, partial(module_steps, "compat.confluent_kafka.steps"))]
SUITES = [
    pytest_suite("confluent_kafka", VERSION, tests="test_confluent_kafka.py"),
    *(script.suite() for script in SCRIPTS),
]

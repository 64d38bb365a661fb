"""kafkajs as suites of the kit: the shared scenario, and a script of its own."""

from __future__ import annotations

import json
from pathlib import Path

from compat import kafka_jars
from compat.drive.build import node_package
from compat.scripted import Outcomes, Script, steps_of
from compat.suites import pytest_suite

HERE = Path(__file__).resolve().parent
VERSION = json.loads((HERE / "package.json").read_text())["dependencies"]["kafkajs"]


def _run(bootstrap: str, name: str) -> Outcomes:
    package = node_package(HERE)
    return steps_of([kafka_jars.program("node"), "steps.js", bootstrap, name], directory=package)


SCRIPTS = [Script("kafkajs_steps", VERSION, HERE, _run, ("node", "npm"))]
SUITES = [
    pytest_suite("kafkajs", VERSION, needs=("node", "npm"), tests="test_kafkajs.py"),
    *(script.suite() for script in SCRIPTS),
]

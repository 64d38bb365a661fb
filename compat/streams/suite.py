"""Kafka Streams as suites: a word count that is restarted, with each processing guarantee."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from compat import kafka_jars
from compat.java.jvm import compiled
from compat.scripted import Outcomes, Script, steps_of

HERE = Path(__file__).resolve().parent
VERSION = "4.3.1"
JARS = f"kafka-streams-{VERSION}"
_JVM = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


def _run(guarantee: str, bootstrap: str, name: str) -> Outcomes:
    classpath = kafka_jars.classpath(JARS, compiled("WordCount", JARS, HERE / "src"))
    with tempfile.TemporaryDirectory(prefix="compat-streams-") as folder:
        return steps_of(
            [kafka_jars.program("java"), *_JVM, "-cp", classpath, "WordCount", bootstrap, name, folder, guarantee]
        )


SCRIPTS = [
    Script(f"streams_{guarantee}", VERSION, HERE, partial(_run, guarantee), ("java", "mvn"))
    for guarantee in ("at_least_once", "exactly_once_v2")
]
SUITES = [script.suite() for script in SCRIPTS]

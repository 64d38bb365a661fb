"""Old Java clients as suites: a script for releases that Kafka 4 serves, and one for those from before KIP-896."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from compat import kafka_jars
from compat.java.jvm import compiled
from compat.scripted import Outcomes, Script, steps_of

HERE = Path(__file__).resolve().parent
SERVED = ("2.1.1", "2.8.2", "3.9.1")
OLDER = ("0.10.2.2", "1.1.1")
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dfile.encoding=UTF-8")


def _run(program: str, version: str, bootstrap: str, name: str) -> Outcomes:
    jar_set = f"kafka-clients-{version}"
    classes = compiled(program, jar_set, HERE / "src")
    classpath = kafka_jars.classpath(jar_set, classes)
    return steps_of([kafka_jars.program("java"), *_JVM, "-cp", classpath, program, bootstrap, name])


SCRIPTS = [
    Script(f"java_{version}", version, HERE, partial(_run, program, version), ("java", "mvn"))
    for program, versions in (("OldClients", SERVED), ("OlderClients", OLDER))
    for version in versions
]
SUITES = [script.suite() for script in SCRIPTS]

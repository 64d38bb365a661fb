"""Where brokers come from: a name becomes a target, whatever starts it (a process, a container, somebody else).

`klamm`, `kafka` (4.3.1), `kafka-3.9`, `kafka-3.7`, or HOST:PORT of a server that runs. Kafka comes from its jars where
Java is, else from a container where an engine is; a provider that cannot do it says what is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from compat.access import Access
from compat.external import ExternalTarget
from compat.kafka_jars import MissingTool
from compat.releases import RELEASES, ReleaseTarget
from compat.targets import KAFKA_DEFAULTS, KafkaTarget, KlammTarget, Target, free_port

NEWEST: Final = "4.3.1"
PROVIDERS: Final = ("auto", "jars", "containers")


class OwnedTarget(Target, Protocol):
    """A target together with what it leaves on the disk."""

    @property
    def node_id(self) -> int:
        """Of the broker that is asked."""

    @property
    def controller_port(self) -> int:
        """Of its controller's listener, on 127.0.0.1."""

    def remove(self) -> None:
        """Kill it if it runs, and delete what it made."""

    def log_tail(self) -> str:
        """The last part of its log."""


class PlainKlamm(KlammTarget):
    """klamm with Kafka's own defaults and a controller listener, so that what is configured is the same on both."""

    def __init__(self, overrides: Mapping[str, str]) -> None:
        super().__init__(overrides)
        self.controller_port = free_port()
        self.overrides["listeners"] = f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{self.controller_port}"
        self.overrides["controller.listener.names"] = "CONTROLLER"

    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--profile", "kafka"]


def names() -> list[str]:
    """The names of what can be started."""
    return ["klamm", "kafka", *(f"kafka-{release}" for release in RELEASES if release != NEWEST)]


def klamm_defaults() -> dict[str, str]:
    """What one node of Kafka is told, as klamm takes it: without roles it fills in what a node alone needs."""
    return {key: value for key, value in KAFKA_DEFAULTS.items() if key != "process.roles"}


def make(name: str, settings: Mapping[str, str], provider: str = "auto", access: Access | None = None) -> OwnedTarget:
    """A target that has not been started. `access`: the credentials for HOST:PORT."""
    if name == "klamm":
        return PlainKlamm({**klamm_defaults(), **settings})
    if name.startswith("kafka"):
        release = name.removeprefix("kafka").removeprefix("-") or NEWEST
        if release not in RELEASES:
            raise ValueError(f"no release of Kafka is called {name}; known are {', '.join(names())}")
        return _kafka(release, settings, provider)
    if ":" in name:
        return ExternalTarget(name, access)
    raise ValueError(f"{name!r} is neither {', '.join(names())} nor HOST:PORT")


def _kafka(release: str, settings: Mapping[str, str], provider: str) -> OwnedTarget:
    if provider == "auto":
        provider = "jars" if shutil.which("java") and shutil.which("mvn") else "containers"
    if provider == "containers":
        from compat.containers import ContainerTarget

        return ContainerTarget(RELEASES[release].version, settings)
    if missing := [program for program in ("java", "mvn") if shutil.which(program) is None]:
        raise MissingTool(f"real Kafka from its jars needs {' and '.join(missing)} on the path")
    return KafkaTarget(settings) if release == NEWEST else ReleaseTarget(RELEASES[release], settings)

"""Older releases of real Kafka as targets: what their formatting, quorum and logging want otherwise than 4.3.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compat.targets import KafkaTarget


@dataclass(frozen=True)
class Release:
    """A release of Kafka and its set of jars (compat/pom/)."""

    version: str
    jars: str
    has_dynamic_quorum: bool = True
    """Whether a quorum's voters are in its log (KIP-853, since 3.9); before, they are a setting."""
    has_log4j2: bool = True


RELEASES: Final[Mapping[str, Release]] = {
    "4.3.1": Release("4.3.1", "kafka-4.3.1"),
    "3.9": Release("3.9.1", "kafka-3.9.1", has_log4j2=False),
    "3.7": Release("3.7.2", "kafka-3.7.2", has_dynamic_quorum=False, has_log4j2=False),
}
"""What `kafka-<key>` means to the kit."""

_LOG4J1 = """\
log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
"""
_NEWER_ONLY = ("share.",)
"""Settings, by their beginning, that these releases do not know."""


class ReleaseTarget(KafkaTarget):
    """A combined node of any release that knows KRaft."""

    def __init__(
        self, release: Release, overrides: Mapping[str, str] | None = None, directory: Path | None = None
    ) -> None:
        self.jars = release.jars
        self.name = f"kafka-{release.version}"
        super().__init__(overrides, directory=directory)
        self._release = release
        if not release.has_log4j2:
            self.log4j = _LOG4J1
            self.properties = {k: v for k, v in self.properties.items() if not k.startswith(_NEWER_ONLY)}
        if not release.has_dynamic_quorum:
            controller = self.properties.pop("controller.quorum.bootstrap.servers")
            self.properties["controller.quorum.voters"] = f"{self.properties['node.id']}@{controller}"

    def _log4j_option(self, file: Path) -> str:
        return super()._log4j_option(file) if self._release.has_log4j2 else f"-Dlog4j.configuration=file:{file}"

    def _format_arguments(self) -> Sequence[str]:
        return ["--standalone"] if self._release.has_dynamic_quorum else []

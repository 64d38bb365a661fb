"""kfake as a process on a port of its own; the kit meets it as an address, like any server that it did not start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compat.drive.build import go_program
from compat.targets import ProcessTarget, answers_api_versions


class Kfake(ProcessTarget):
    """One broker of franz-go's fake cluster, in memory."""

    name = "kfake"

    def _command(self) -> Sequence[str]:
        return [str(go_program(Path(__file__).resolve().parent)), "-port", str(self.port)]

    def _is_ready(self) -> bool:
        return answers_api_versions(self.port)

"""What a check has found, and what the start of a broker would do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

ERROR: Final = "error"
"""Data is damaged or contradicts itself, or a broker would not start."""
WARNING: Final = "warning"
"""A start mends it, or it costs nothing but time."""
INFO: Final = "info"
"""Worth knowing, nothing is wrong: what a kill or work under way leaves behind."""
SEVERITIES: Final = (ERROR, WARNING, INFO)


class Finding(NamedTuple):
    """One finding. `code` is stable, for programs; `message` and `recovery` are for people. Offsets may be None."""

    severity: str
    code: str
    file: str
    message: str
    recovery: str
    """What Kafka's and klamm's recovery do about it at the next start."""
    offset: int | None = None
    position: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object, without what is not known."""
        return {name: value for name, value in self._asdict().items() if value is not None}


Report = Callable[[Finding], None]


class WrongEpoch(NamedTuple):
    """A batch whose leader epoch contradicts its neighbours'; the checksum does not cover it."""

    path: str
    position: int
    epoch: int
    neighbours_epoch: int


class Damage(NamedTuple):
    """Bytes of a segment that are no sound batch in its place: [position, end). `offset`: the first one they can hold.

    `is_tail`: nothing readable stands behind them in that file.
    """

    path: str
    position: int
    end: int
    offset: int
    is_tail: bool
    reason: str

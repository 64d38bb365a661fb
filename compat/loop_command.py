"""How the command of a loop under load ends: its totals are told, and the files are kept where something went wrong."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

_LONG = ("per_round", "restarts", "times")
"""Totals that are no line of JSON."""


class Subject(Protocol):
    """A broker or a cluster."""

    @property
    def directory(self) -> Path: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def remove(self) -> None: ...


def carry_out(
    subject: Subject,
    loop: Callable[[], Mapping[str, Any]],
    *,
    beside: Path | None = None,
    json_file: Path | None = None,
) -> int:
    """Start the subject, run the loop, and tell the totals that it gives; the exit status.

    That is 1 when a promise was broken (`violations`) or something took too long (`late`): its files are kept then.
    `beside`: the JSON of another run, for ratios of `times`. `json_file`: where the totals are to be written, too.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what we have started ends with us
    other: Mapping[str, Any] = json.loads(beside.read_text()) if beside is not None else {}
    try:
        subject.start()
        totals = loop()
    except BaseException:
        subject.kill()
        print(f"the files are in {subject.directory}", file=sys.stderr)
        raise
    if "times" in totals:
        print_times(totals["times"], other.get("times"))
    late = totals.get("late", ())
    for violation in totals["violations"]:
        print(f"VIOLATION {violation}")
    for what in late:
        print(f"LATE {what}")
    print(json.dumps({name: value for name, value in totals.items() if name not in _LONG}))
    if json_file is not None:
        json_file.write_text(json.dumps(totals, indent=1))
    if totals["violations"] or late:
        print(f"the files are in {subject.directory}", file=sys.stderr)
        return 1
    subject.remove()
    return 0


def print_times(times: Mapping[str, Mapping[str, int]], beside: Mapping[str, Mapping[str, int]] | None = None) -> None:
    """The distributions; with `beside`, those of another run, the ratios of the medians and maxima too."""
    print(f"{'ms':32} {'rounds':>6} {'min':>6} {'p50':>6} {'p90':>6} {'max':>6}")
    for what, row in times.items():
        other = (beside or {}).get(what)
        ratio = ""
        if other:
            ratio = "  ratio " + ", ".join(f"{name} {row[name] / max(other[name], 1):.2f}" for name in ("p50", "max"))
        cells = " ".join(f"{row[name]:6}" for name in ("count", "min", "p50", "p90", "max"))
        print(f"{what:32} {cells}{ratio}")

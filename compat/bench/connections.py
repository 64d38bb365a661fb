"""Connections a second: each is opened, asks for ApiVersions, and is reset. 32 at a time."""

from __future__ import annotations

from compat.bench.side import Side
from compat.bench.subject import Figures, Length, Subject


class Connections(Subject):
    name = "connections"

    def measure(self, side: Side, length: Length) -> Figures:
        return {"connections_per_s": side.load("conns", "-conns", 32, seconds=length.seconds)["requests_per_s"]}

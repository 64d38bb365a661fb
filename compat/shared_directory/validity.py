"""Kafka's own verdict on every file of a data directory: `kafka-dump-log` with the decoder that the file asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from compat.java.tools import Tools

_SUFFIXES = (".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".checkpoint")
_DECODERS = {
    "__consumer_offsets": "--offsets-decoder",
    "__transaction_state": "--transaction-log-decoder",
    "__share_group_state": "--share-group-state-decoder",
    "__cluster_metadata": "--cluster-metadata-decoder",
}
_FAULTS = re.compile(r"isvalid: false|mismatch|not a valid|corrupt|exception|error|unexpected|could not|found ", re.I)
_GAP = re.compile(r"\s+(-?\d+) is followed by (\d+)")


class Verdict(NamedTuple):
    """What was dumped: files and batches, and a line for every fault."""

    files: int
    batches: int
    faults: list[str]


def check(tools: Tools, data_dir: Path, compacted: tuple[str, ...] = ()) -> Verdict:
    """Dump every file of the directory that the tool knows, all in one JVM. Logs may have gaps only if `compacted`."""
    files = batches = 0
    faults: list[str] = []
    for decoder, group in _groups(data_dir):
        files += len(group)
        for part in (group[n : n + 200] for n in range(0, len(group), 200)):
            arguments = ["--deep-iteration", "--files", ",".join(map(str, part))]
            run = tools.run("kafka-dump-log", *(["--print-data-log"] if decoder is None else [decoder]), *arguments)
            batches += run.out.count("baseOffset: ")
            if run.status != 0:
                faults.append(f"{decoder}: status {run.status}: {run.err[-500:]}")
            faults += _faults(run.out)
            faults += _gaps(run.err, (*_DECODERS, *compacted))
    return Verdict(files, batches, faults)


def _groups(data_dir: Path) -> Iterator[tuple[str | None, list[Path]]]:
    by_decoder: dict[str | None, list[Path]] = {}
    for path in sorted(data_dir.rglob("*")):
        if path.suffix in _SUFFIXES and not path.parent.name.endswith("-delete") and not _is_unused(path):
            topic = path.parent.name.rpartition("-")[0]
            decoder = _DECODERS.get(topic) if path.suffix in (".log", ".checkpoint") else None
            if path.suffix == ".checkpoint":
                decoder = _DECODERS["__cluster_metadata"]
            by_decoder.setdefault(decoder, []).append(path)
    yield from by_decoder.items()


def _is_unused(path: Path) -> bool:
    """An index as a Kafka that was killed leaves it: room for entries and none in it, which the tool takes for one."""
    return path.suffix in (".index", ".timeindex") and path.stat().st_size > 1 << 20 and not any(_head(path))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(12)


def _faults(out: str) -> Iterator[str]:
    file = ""
    for line in out.splitlines():
        if line.startswith("Dumping "):
            file = line.removeprefix("Dumping ")
        elif not line.startswith("| ") and _FAULTS.search(line):
            yield f"{file}: {line[:300]}"


def _gaps(err: str, compacted: tuple[str, ...]) -> Iterator[str]:
    """The tool calls it a gap that a file does not begin at 0, and that compaction leaves some."""
    file = ""
    for line in err.splitlines():
        gap = _GAP.fullmatch(line)
        if line.startswith("Non-consecutive offsets in "):
            file = line.removeprefix("Non-consecutive offsets in ")
        elif gap is None:
            yield line
        elif gap[1] != "-1" and Path(file).parent.name.rpartition("-")[0] not in compacted:
            yield f"{file}: {line}"

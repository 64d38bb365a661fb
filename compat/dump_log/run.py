"""Runs kafka-dump-log and `klamm log dump --json` over a directory, with every option that changes facts."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from compat.dump_log.comparing import Compared, compare
from compat.dump_log.kafka_text import Fact, KafkaFacts, parse
from compat.java.tools import Tools
from klamm.cli.main import main as klamm
from klamm.log.disk import ReadOnlyDisk
from klamm.log.dump import data_files
from klamm.log.dump.data_files import DataFile
from klamm.log.dump.facts import is_damage

_SEGMENTS = (data_files.LOG, data_files.METADATA_SNAPSHOT)
_INDEXES = (data_files.OFFSET_INDEX, data_files.TIME_INDEX)
_KNOWN = (*_SEGMENTS, *_INDEXES, data_files.TXN_INDEX, data_files.PRODUCER_SNAPSHOT)
_DECODERS = {
    "__consumer_offsets": "--offsets-decoder",
    "__transaction_state": "--transaction-log-decoder",
    "__cluster_metadata": "--cluster-metadata-decoder",
    "__share_group_state": "--share-group-state-decoder",
}


class Report:
    """What was compared so far."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.runs = self.facts = self.fields = self.invalid = 0
        self.differences: list[str] = []
        self.explained: Counter[str] = Counter()
        self._damaged: set[str] = set()
        self._beside_log: list[tuple[str, str]] = []

    def add(self, file: DataFile, compared: Compared, options: str, is_damaged: bool) -> None:
        """One file by one run."""
        self.files.add(file.path)
        self.runs += 1
        self.facts += compared.facts
        self.fields += compared.fields
        self.explained.update(compared.explained)
        if is_damaged and file.kind in (data_files.LOG, data_files.OFFSET_INDEX):
            self._damaged.add(file.stem)
        for difference in compared.differences:
            text = f"{file.path} {options}: {difference}"
            if file.kind == data_files.TIME_INDEX:
                self._beside_log.append((file.stem, text))
            else:
                self.differences.append(text)

    def settle(self) -> None:
        """A directory is done: judge the time indexes, which the tools hold against the log and the offset index."""
        for stem, text in self._beside_log:
            if stem in self._damaged:
                self.explained[
                    "a time index beside a damaged log or offset index, which klamm tells with that file"
                ] += 1
            else:
                self.differences.append(text)
        self._beside_log.clear()

    def __str__(self) -> str:
        lines = [
            f"{len(self.files)} files, {self.runs} dumps of one, {self.facts} facts of {self.fields} fields compared:"
            f" {len(self.differences)} differences; {self.invalid} invalid batches",
            *(f"  explained {count} times: {reason}" for reason, count in self.explained.most_common()),
            *(f"  DIFFERENCE {difference}" for difference in self.differences[:50]),
        ]
        return "\n".join(lines)


def compare_directory(tools: Tools, directory: Path, report: Report, is_damaged: bool = False) -> None:
    """All files of a data directory. `is_damaged`: each file in a run of its own, as the tool ends at damage."""
    files = [
        file
        for file in data_files.find_files(ReadOnlyDisk(), str(directory))
        if file.kind in _KNOWN and not file.pending
    ]
    if is_damaged:
        for file in files:
            _compare_files(tools, [file], report)
    else:
        _compare_files(tools, files, report)
    report.settle()


def _compare_files(tools: Tools, files: Sequence[DataFile], report: Report) -> None:
    for topic in sorted({file.topic or "" for file in files if file.kind in _SEGMENTS}):
        segments = [file for file in files if file.kind in _SEGMENTS and (file.topic or "") == topic]
        decoder = _DECODERS.get(topic, "--print-data-log")
        _run(tools, segments, [decoder], report)
        _run(tools, segments, [decoder, "--skip-record-metadata"], report)
    segments = [file for file in files if file.kind in _SEGMENTS]
    _run(tools, segments, ["--deep-iteration"], report)
    _run(tools, segments, ["--max-bytes", "3000"], report)
    others = [file for file in files if file.kind not in _SEGMENTS]
    _run(tools, others, [], report)
    indexes = [file for file in files if file.kind in _INDEXES]
    _run(tools, indexes, ["--verify-index-only"], report)
    _run(tools, indexes, ["--index-sanity-check"], report)


def _run(tools: Tools, files: Sequence[DataFile], options: list[str], report: Report) -> None:
    if not files:
        return
    ours = _klamm(files, options)
    by_path = {file.path: file for file in files}
    for path, kafka in _kafka(tools, files, options):
        compared = compare(kafka, ours[path], "--skip-record-metadata" in options)
        report.invalid += sum(fact["fact"] == "batch" and not fact["is_valid"] for fact in kafka.facts)
        report.add(by_path[path], compared, " ".join(options), any(is_damage(fact) for fact in ours[path]))


def _klamm(files: Iterable[DataFile], options: list[str]) -> dict[str, list[Fact]]:
    out = io.StringIO()
    guess = [] if any(option.endswith("-decoder") for option in options) else ["--no-decoder"]
    with contextlib.redirect_stdout(out):
        klamm(["log", "dump", "--json", *guess, *options, "--files", ",".join(file.path for file in files)])
    found: dict[str, list[Fact]] = {file.path: [] for file in files}
    for line in out.getvalue().splitlines():
        fact = json.loads(line)
        found[fact["file"]].append(fact)
    return found


def _kafka(tools: Tools, files: Sequence[DataFile], options: list[str]) -> Iterator[tuple[str, KafkaFacts]]:
    """What the tool says of each file: of all in one run, or of each by itself where one run does not get through."""
    if len(files) > 1:
        done = tools.run("kafka-dump-log", *options, "--files", ",".join(file.path for file in files))
        if done.status == 0 and "are not found in the log" not in done.err:
            yield from parse(done.out, done.err, False).items()
            return
    for file in files:
        done = tools.run("kafka-dump-log", *options, "--files", file.path)
        yield file.path, parse(done.out, done.err, done.status != 0)[file.path]

"""`klamm log verify`: whether the files of a data directory, or of one partition, are sound and agree."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klamm.log.disk import ReadOnlyDisk
    from klamm.log.verify.directory_check import DirectoryChecked
    from klamm.log.verify.findings import Finding
    from klamm.metadata.storage_check import StorageChecked

_EPILOG = """\
DIR is a data directory, or the directory of one partition. Give all data directories of a node together, to
have its metadata held against each of them. Nothing is changed or locked; a running broker may use it meanwhile.

Checked are frames, CRCs and the order of all batches (and with --deep every record); indexes, aborted
transactions, producer snapshots and leader epochs against the log; checkpoints, meta.properties,
quorum-state; the metadata log and its snapshots, and partitions against the metadata.

exit status: 0 nothing is wrong (notes are fine), 1 errors or warnings, 2 it cannot be read

examples:
  klamm log verify data
  klamm log verify --deep --json data1 data2 | jq 'select(.severity == "error")'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("directories", nargs="+", metavar="DIR", help="a data directory or a partition's")
    parser.add_argument("--deep", action="store_true", help="open every batch and read every record")
    parser.add_argument("--json", action="store_true", help="one finding a line, then a summary, as JSON objects")
    parser.add_argument("--quiet", action="store_true", help="show no notes, only errors and warnings")


def run(args: argparse.Namespace) -> int:
    from klamm.cli.progress import progress_bar
    from klamm.log.disk import ReadOnlyDisk
    from klamm.log.verify.findings import INFO, SEVERITIES

    disk = ReadOnlyDisk()
    counts = dict.fromkeys(SEVERITIES, 0)

    def report(finding: Finding) -> None:
        counts[finding.severity] += 1
        if args.quiet and finding.severity == INFO:
            return
        if args.json:
            print(json.dumps({"fact": "finding", **finding.as_json()}, ensure_ascii=False))
        else:
            print("\n".join(finding_lines(finding)))

    paths = [os.path.abspath(path) for path in args.directories]
    try:
        total = sum(size_of(disk, path) for path in paths)
        with progress_bar("checking", total, not sys.stdout.isatty()) as progress:
            checked, _ = check(disk, paths, report, args.deep, progress)
    except OSError as error:
        print(f"klamm: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2
    partitions = sum(len(directory.partitions) for directory in checked)
    if args.json:
        print(json.dumps({"fact": "summary", "partitions": partitions, "bytes": total, **counts}))
    else:
        told = ", ".join(f"{count} {name}{'s' if count != 1 else ''}" for name, count in counts.items())
        print(
            f"{partitions} partition{'s' if partitions != 1 else ''}, {total} bytes: {told.replace('infos', 'notes')}"
        )
    return 1 if counts["error"] or counts["warning"] else 0


def check(
    disk: ReadOnlyDisk,
    paths: Sequence[str],
    report: Callable[[Finding], None],
    is_deep: bool,
    progress: Callable[[int], None] | None = None,
    *,
    is_locked_by_us: bool = False,
) -> tuple[list[DirectoryChecked], StorageChecked | None]:
    """Check data directories with their metadata, and single partitions by themselves. Raises OSError."""
    from klamm.log.log_dir import LOCK
    from klamm.log.verify.directory_check import DirectoryChecked, check_directory, is_data_directory
    from klamm.log.verify.partition_check import PartitionSettings, check_partition
    from klamm.metadata.storage_check import check_storage

    whole: list[DirectoryChecked] = []
    single: list[DirectoryChecked] = []
    for path in paths:
        if not is_data_directory(disk, path):
            settings = PartitionSettings(is_deep=is_deep, progress=progress)
            parent, _, name = path.rpartition("/")
            partition = check_partition(disk, path, settings, report)
            single.append(DirectoryChecked(parent, partitions={name: partition}))
            continue
        lock = f"{path}/{LOCK}"
        # A lock of this process must not be asked about: closing the file would give it up.
        is_running = not is_locked_by_us and disk.exists(lock) and disk.is_locked(lock)
        whole.append(check_directory(disk, path, report, is_running=is_running, is_deep=is_deep, progress=progress))
    storage = check_storage(disk, whole, report) if whole else None
    return [*whole, *single], storage


def size_of(disk: ReadOnlyDisk, path: str) -> int:
    """The bytes of the segments below a directory, for the progress bar. Raises OSError."""
    total = 0
    for name in disk.list_directory(path):
        inner = f"{path}/{name}"
        if disk.is_directory(inner):
            total += size_of(disk, inner)
        elif name.endswith(".log"):
            try:
                total += disk.size(inner)
            except FileNotFoundError:
                continue
    return total


def finding_lines(finding: Finding) -> list[str]:
    """A finding for people."""
    where = finding.file
    if finding.position is not None:
        where += f" at byte {finding.position}"
    if finding.offset is not None:
        where += f" (offset {finding.offset})"
    name = {"error": "ERROR", "warning": "warning", "info": "note"}[finding.severity]
    return [f"{name}: {where}: {finding.message} [{finding.code}]", f"    at the next start: {finding.recovery}"]

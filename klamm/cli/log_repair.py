"""`klamm log repair`: mend a data directory that no broker uses; what cannot be kept is moved aside."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klamm.log.disk import ReadOnlyDisk, RealDisk
    from klamm.log.repair.actions import Action, Doing
    from klamm.log.verify.findings import Finding

_EPILOG = """\
DIR is a data directory or the directory of one partition; give all data directories of a node together. A directory
that a broker uses is refused. Begin with --dry-run, which tells every step and does none.

Damaged bytes, and segments behind damage, are moved into files that end with .quarantine, beside where they
stood; nothing is deleted. A log ends before its first damage then, as recovery would have it. With
--drop-damaged-batches only the damaged bytes go, and what stands behind them stays, with a gap in the offsets.
Indexes, aborted transactions, producer snapshots and leader epochs are made anew from the batches;
checkpoints that say more than the logs hold are lowered.

exit status: 0 nothing is left to mend, 1 something could not be mended, 2 refused

examples:
  klamm log repair --dry-run data
  klamm log repair --drop-damaged-batches data/orders-0"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("directories", nargs="+", metavar="DIR", help="a data directory or a partition's")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
    parser.add_argument("--drop-damaged-batches", action="store_true", help="keep what stands behind damage")
    parser.add_argument("--cut-metadata", action="store_true", help="cut the metadata log before damage in its midst")
    parser.add_argument("--deep", action="store_true", help="batches whose records cannot be read are damage too")
    parser.add_argument("--json", action="store_true", help="each step as a JSON object")


def run(args: argparse.Namespace) -> int:
    from klamm.kproto.errors import KafkaError
    from klamm.log.disk import LockedError, RealDisk

    paths = [os.path.abspath(path) for path in args.directories]
    disk = RealDisk()
    try:
        with _locked(disk, paths):
            return _repair(args, disk, paths)
    except LockedError as error:
        print(f"klamm: {error.filename} is held by a running broker: stop it first", file=sys.stderr)
    except KafkaError as error:
        print(f"klamm: {error.message}", file=sys.stderr)
    except OSError as error:
        print(f"klamm: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
    return 2


@contextmanager
def _locked(disk: RealDisk, paths: Sequence[str]) -> Iterator[None]:
    """Hold the locks of all data directories, as a broker does. Raises LockedError."""
    from klamm.log.log_dir import LOCK
    from klamm.log.verify.directory_check import is_data_directory

    with ExitStack() as held:
        homes = {path if is_data_directory(disk, path) else path.rpartition("/")[0] for path in paths}
        for home in sorted(homes):
            disk.list_directory(home)  # a missing directory is an error, not to be made
            lock = disk.lock(f"{home}/{LOCK}")
            held.callback(lock.release)
        yield


def _repair(args: argparse.Namespace, disk: RealDisk, paths: Sequence[str]) -> int:
    from klamm.cli.log_verify import check, finding_lines, size_of
    from klamm.cli.progress import progress_bar
    from klamm.log.disk import ReadOnlyDisk
    from klamm.log.repair.actions import Doing
    from klamm.metadata.storage_repair import repair_storage
    from klamm.seams import StoppedClock, SystemEntropy

    reading = ReadOnlyDisk()
    found: list[Finding] = []
    with progress_bar("checking", sum(size_of(reading, path) for path in paths)) as progress:
        directories, storage = check(reading, paths, found.append, args.deep, progress, is_locked_by_us=True)
    bad = [finding for finding in found if finding.severity != "info"]
    if not args.json:
        for finding in bad:
            print("\n".join(finding_lines(finding)))
    doing = Doing(disk, lambda action: _tell(action, args.json, args.dry_run), args.dry_run)
    repair_storage(
        doing,
        directories,
        storage,
        StoppedClock(),
        SystemEntropy(),
        is_drop_wanted=args.drop_damaged_batches,
        is_metadata_cut_wanted=args.cut_metadata,
    )
    return _conclude(args, reading, paths, doing, bad)


def _conclude(
    args: argparse.Namespace, reading: ReadOnlyDisk, paths: Sequence[str], doing: Doing, bad: list[Finding]
) -> int:
    """Check again after a repair; the exit status."""
    from klamm.cli.log_verify import check, finding_lines

    left = bad
    if not args.dry_run:
        left = []
        check(reading, paths, left.append, args.deep, is_locked_by_us=True)
        left = [finding for finding in left if finding.severity != "info"]
    if args.json:
        summary = {"fact": "summary", "steps": doing.count, "dry_run": args.dry_run, "left": len(left)}
        print(json.dumps(summary))
    elif args.dry_run:
        print(f"{doing.count} steps would be taken; nothing was changed")
    else:
        for finding in left:
            print("\n".join(["left: " + finding_lines(finding)[0]]))
        print(f"{doing.count} steps taken; {f'{len(left)} findings are left' if left else 'nothing is left to mend'}")
    if args.dry_run:
        return 1 if doing.left else 0
    return 1 if left else 0


_WORDS = {
    "move_bytes": "move aside",
    "move_file": "move aside",
    "cut": "cut",
    "drop": "take out",
    "rebuild": "make anew",
    "write": "write",
    "leave": "NOT MENDED",
}


def _tell(action: Action, is_json: bool, is_dry_run: bool) -> None:
    if is_json:
        print(json.dumps({"fact": "step", "dry_run": is_dry_run, **action.as_json()}, ensure_ascii=False))
        return
    print(f"{'would ' if is_dry_run else ''}{_WORDS[action.action]}: {action.file}: {action.message}")
    if action.quarantine is not None:
        print(f"    to {action.quarantine}")

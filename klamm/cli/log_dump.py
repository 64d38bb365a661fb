"""`klamm log dump`: what the files of a data directory say, like kafka-dump-log, as lines for people or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from klamm.log.disk import Disk
    from klamm.log.dump.data_files import DataFile
    from klamm.log.dump.facts import DumpOptions

_EPILOG = """\
PATH is a file, a partition's directory or a whole data directory; a running broker may use it meanwhile.
Records of internal topics are decoded by the name of the directory that they lie in, those of other topics
are shown with --print-data-log. The names of options are those of kafka-dump-log.

exit status: 0 nothing is wrong, 1 something is damaged, 2 a path cannot be read

examples:
  klamm log dump data/orders-0                           headers of all batches, indexes, checkpoints
  klamm log dump --print-data-log data/orders-0/*.log    records too
  klamm log dump --json data/__consumer_offsets-7 | jq 'select(.fact == "record") | .key.data'"""

_DECODERS: Final = ("offsets", "transaction-log", "cluster-metadata", "share-group-state", "remote-log-metadata")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a file or a directory")
    parser.add_argument("--files", metavar="A,B,...", help="more files, separated by commas")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (see docs/log-tools.md)")
    what = parser.add_argument_group("segments")
    what.add_argument("--deep-iteration", action="store_true", help="show each record, not only the batches")
    what.add_argument("--print-data-log", action="store_true", help="show keys and values too")
    what.add_argument("--skip-record-metadata", action="store_true", help="of a record show only key and value")
    what.add_argument("--max-bytes", type=int, metavar="SIZE", help="read only so much of each segment")
    decoders = parser.add_argument_group(
        "decoders (default: by the name of the directory)"
    ).add_mutually_exclusive_group()
    for name in _DECODERS:
        topic = f"__{name.replace('-', '_')}" if name != "offsets" else "__consumer_offsets"
        topic = {"__transaction_log": "__transaction_state"}.get(topic, topic)
        decoders.add_argument(
            f"--{name}-decoder", dest="decoder", action="store_const", const=name, help=f"records are those of {topic}"
        )
    decoders.add_argument(
        "--string-decoder", dest="decoder", action="store_const", const="string", help="keys and values are text"
    )
    decoders.add_argument("--no-decoder", dest="is_guessed", action="store_false", help="decode nothing by itself")
    for side in ("key", "value"):
        parser.add_argument(
            f"--{side}-decoder-class", metavar="CLASS", help="only Kafka's StringDecoder is known; as --string-decoder"
        )
    indexes = parser.add_argument_group("indexes")
    indexes.add_argument("--index-sanity-check", action="store_true", help="only make the check of Kafka's start")
    indexes.add_argument("--verify-index-only", action="store_true", help="show only what is wrong, no entries")


def run(args: argparse.Namespace) -> int:
    from klamm.cli.log_lines import fact_lines
    from klamm.cli.progress import progress_bar
    from klamm.log.disk import ReadOnlyDisk
    from klamm.log.dump.dumping import dump
    from klamm.log.dump.facts import is_damage

    disk = ReadOnlyDisk()
    paths = [*args.paths, *(args.files.split(",") if args.files else ())]
    if not paths:
        return _refuse("no file was given")
    for side in (args.key_decoder_class, args.value_decoder_class):
        if side is not None:
            if side.rpartition(".")[2] != "StringDecoder":
                return _refuse(f"{side}: only StringDecoder is known")
            args.decoder = args.decoder or "string"
    found, status = _files(disk, paths)
    total = sum(_size(disk, file) for file in found)
    with progress_bar("reading", total, not sys.stdout.isatty()) as progress:
        options = _options(args, progress)
        for file in found:
            try:
                for fact in dump(disk, file, options):
                    if is_damage(fact):
                        status = max(status, 1)
                    if args.json:
                        sys.stdout.write(json.dumps(fact, separators=(",", ":"), ensure_ascii=False) + "\n")
                    else:
                        sys.stdout.writelines(f"{line}\n" for line in fact_lines(fact))
            except FileNotFoundError:
                continue  # a running broker has deleted it since
            except OSError as error:
                status = _refuse(f"{file.path}: {error.strerror or error}")
    sys.stdout.flush()
    return status


def _options(args: argparse.Namespace, progress: object) -> DumpOptions:
    from klamm.log.dump.facts import DumpOptions

    return DumpOptions(
        decoder=args.decoder,
        is_decoder_guessed=args.is_guessed,
        deep_iteration=args.deep_iteration,
        print_data_log=args.print_data_log,
        skip_record_metadata=args.skip_record_metadata,
        verify_index_only=args.verify_index_only,
        index_sanity_check=args.index_sanity_check,
        max_bytes=args.max_bytes,
        progress=progress,  # type: ignore[arg-type]
    )


def _files(disk: Disk, paths: Iterable[str]) -> tuple[list[DataFile], int]:
    """The files to read, and the exit status so far."""
    from klamm.log.dump.data_files import data_file, find_files

    found: list[DataFile] = []
    status = 0
    for given in paths:
        path = os.path.abspath(given)
        try:
            if disk.is_directory(path):
                found += (inside := find_files(disk, path))
                if not inside:
                    status = _refuse(f"{given}: no file of Kafka's is in this directory")
            elif not disk.exists(path):
                status = _refuse(f"{given}: there is no such file or directory")
            elif (file := data_file(path)) is not None:
                found.append(file)
            else:
                status = _refuse(f"{given}: none of Kafka's files has such a name")
        except OSError as error:
            status = _refuse(f"{given}: {error.strerror or error}")
    return found, status


def _size(disk: Disk, file: DataFile) -> int:
    try:
        return disk.size(file.path)
    except FileNotFoundError:
        return 0


def _refuse(message: str) -> int:
    print(f"klamm: {message}", file=sys.stderr)
    return 2

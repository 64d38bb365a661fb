"""`klamm log dump|verify|repair`: the files of a data directory, read, checked and mended."""

from __future__ import annotations

import argparse
import importlib
from typing import Final

_COMMANDS: Final = {
    "dump": "show what is in segments, indexes, snapshots, checkpoints and coordinator records",
    "verify": "check a data directory or a partition, and tell what recovery would do about each finding",
    "repair": "mend a data directory or a partition; what cannot be kept is moved aside, never deleted",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "'klamm log COMMAND --help' tells more; docs/log-tools.md has examples."
    commands = parser.add_subparsers(dest="log_command", metavar="COMMAND", required=True)
    for name, line in _COMMANDS.items():
        sub = commands.add_parser(
            name, help=line, description=line[0].upper() + line[1:] + ".", formatter_class=argparse.RawTextHelpFormatter
        )
        importlib.import_module(f"klamm.cli.log_{name}").add_arguments(sub)


def run(args: argparse.Namespace) -> int:
    return int(importlib.import_module(f"klamm.cli.log_{args.log_command}").run(args))

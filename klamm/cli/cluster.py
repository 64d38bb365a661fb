"""`klamm cluster`: what a running cluster looks like, klamm's or real Kafka's, and its rolling restart."""

from __future__ import annotations

import argparse
import importlib
from typing import Final

_COMMANDS: Final = {
    "status": "show nodes, quorum and partitions of a running cluster, and what is amiss",
    "restart": "restart the nodes of a cluster on this machine one after another",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "'klamm cluster COMMAND --help' tells more."
    commands = parser.add_subparsers(dest="cluster_command", metavar="COMMAND", required=True)
    for name, line in _COMMANDS.items():
        sub = commands.add_parser(
            name, help=line, description=line[0].upper() + line[1:] + ".", formatter_class=argparse.RawTextHelpFormatter
        )
        importlib.import_module(f"klamm.cli.cluster_{name}").add_arguments(sub)


def run(args: argparse.Namespace) -> int:
    return int(importlib.import_module(f"klamm.cli.cluster_{args.cluster_command}").run(args))

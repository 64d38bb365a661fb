"""The `klamm` command: one subcommand a module, imported when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final

from klamm import __version__

COMMANDS: Final = {
    "start": ("start", "run a broker, or a cluster of them"),
    "format": ("format", "prepare a data directory"),
    "cluster": ("cluster", "show the state of a running cluster"),
    "log": ("log", "show, check and repair the files of a data directory"),
    "compat": ("compat", "hold a server to real Kafka: the same steps on both, and a score card"),
    "proxy": ("proxy", "watch, record, replay and disturb what clients and servers say"),
    "kproto": ("kproto", "read and write Kafka's messages as JSON lines"),
    "version": ("version", "show the versions of klamm and of the protocol it speaks"),
}
"""Command -> (module of `klamm.cli`, a line for the help). Each module has `add_arguments(parser)` and `run(args)`."""


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command line. With `only`, just that command's arguments are declared: the others need not be imported."""
    top = argparse.ArgumentParser(
        prog="klamm",
        description="A Kafka-compatible server: any Kafka client talks to it unchanged.",
        epilog="'klamm COMMAND --help' tells more. Without arguments, 'klamm start' serves 127.0.0.1:9092.",
    )
    top.add_argument("--version", action="version", version=f"klamm {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, line) in COMMANDS.items():
        sub = commands.add_parser(
            name, help=line, description=line[0].upper() + line[1:] + ".", formatter_class=argparse.RawTextHelpFormatter
        )
        if name == only:
            importlib.import_module(f"klamm.cli.{module}").add_arguments(sub)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status (0 well, 1 failed, 2 wrong arguments)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    args = parser(chosen).parse_args(arguments)
    module = importlib.import_module(f"klamm.cli.{COMMANDS[args.command][0]}")
    try:
        return int(module.run(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1

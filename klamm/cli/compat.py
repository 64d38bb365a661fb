"""`klamm compat`: the compatibility kit, which is not part of the server.

The kit is the package `compat`: in a checkout it stands beside `klamm`, in a wheel below it, as data. Either way it is
put on the path of this process only (docs/decisions/0006).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_PLACES: Final = (_PACKAGE.parent, _PACKAGE / "kit")


def _command() -> ModuleType | None:
    """The module that has the options and the run; None where there is no kit."""
    for place in _PLACES:
        if (place / "compat" / "kit" / "command.py").is_file():
            if str(place) not in sys.path:
                sys.path.insert(0, str(place))
            return importlib.import_module("compat.kit.command")
    return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    run_parser = commands.add_parser("run", help="run the cases and client suites, print the score card")
    command = _command()
    if command is None:
        looked = " and ".join(str(place / "compat") for place in _PLACES)
        parser.exit(2, f"klamm compat: the kit is not here (looked for {looked}); a checkout and the wheel bring it\n")
    command.add_arguments(run_parser)


def run(args: argparse.Namespace) -> int:
    command = _command()
    assert command is not None  # or the arguments would not have been read
    return int(command.run(args))

"""`klamm version`."""

from __future__ import annotations

import argparse
import platform

from klamm import __version__


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(args: argparse.Namespace) -> int:
    print(f"klamm {__version__} (Kafka protocol 4.3, Python {platform.python_version()})")
    return 0

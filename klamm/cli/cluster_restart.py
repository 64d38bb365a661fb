"""`klamm cluster restart`: the nodes of a cluster that `klamm start --brokers` runs, one after another."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from typing import Any, Final

_POLL_S: Final = 0.05
_EPILOG = """\
The next node goes when all replicas are in sync again; whatever is amiss with the cluster ends it.
exit status: 0 all nodes were restarted, 1 not all were, 2 no cluster runs there

examples:
  klamm cluster restart
  klamm cluster restart --data-dir /var/lib/klamm"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from klamm.cli.start import DEFAULT_DATA_DIR

    parser.epilog = _EPILOG
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        default=DEFAULT_DATA_DIR,
        help=f"the directory that the cluster was started with (default: ./{DEFAULT_DATA_DIR})",
    )


def run(args: argparse.Namespace) -> int:
    from klamm.cli.cluster_directories import STATE_FILE, is_in_use

    state_file = os.path.join(args.data_dir, STATE_FILE)
    # The process that holds the lock has written the file: its id is no other's.
    if not is_in_use(args.data_dir) or not os.path.exists(state_file):
        print(f"klamm: no cluster runs in {args.data_dir}", file=sys.stderr)
        return 2
    state = _read(state_file)
    before: dict[str, Any] = state["restart"]
    if before["node"] is not None:
        print(f"klamm: a restart is under way, node {before['node']} is away", file=sys.stderr)
        return 1
    os.kill(state["pid"], signal.SIGUSR1)
    told = None
    while (now := _read(state_file)["restart"])["number"] == before["number"]:
        if now["node"] not in (None, told):
            told = now["node"]
            print(f"restarting node {told}, {len(now['left'])} to follow", flush=True)
        if not is_in_use(args.data_dir):
            print("klamm: the cluster has been stopped", file=sys.stderr)
            return 1
        time.sleep(_POLL_S)
    if now["error"]:
        print(f"klamm: {now['error']}", file=sys.stderr)
        return 1
    print(f"all {len(state['nodes'])} nodes have been restarted")
    return 0


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)

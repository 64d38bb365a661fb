"""Stands for a node in tests of the supervisor: `python fake_node.py READY_FILE PIPE [die|never|deaf|once]`.

It serves at once, says when it is told to stop, and ends when the pipe's other end is closed.
"""

from __future__ import annotations

import os
import select
import signal
import sys


def main(ready_file: str, pipe: int, habit: str = "") -> int:
    def stop(number: int, _: object) -> None:
        print(f"got {signal.Signals(number).name}", flush=True)
        if habit != "deaf":
            sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print("begins", flush=True)
    if habit == "die":
        return 3
    if habit == "once":
        if os.path.exists(f"{ready_file}.once"):
            return 3
        open(f"{ready_file}.once", "x", encoding="utf-8").close()
    if habit != "never":
        with open(ready_file, "w", encoding="utf-8") as file:
            file.write("{}")
    while not select.select([pipe], [], [])[0]:
        pass
    os.write(1, b"the supervisor is gone\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))

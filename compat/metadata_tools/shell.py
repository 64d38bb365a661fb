"""kafka-metadata-shell on a file of the metadata log: the whole image as the tool prints it, in a normal form."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from compat import kafka_jars

_JARS = "kafka-shell-4.3.1"
_TIMEOUT_S = 60.0
_NOT_LOADED = "offset -1, epoch -1"
_UUID = r"[A-Za-z0-9_-]{22}"


def image_tree(file: Path) -> str:
    """What `tree /image` prints of a log segment or a snapshot that holds more than voters."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        done = subprocess.run(
            [kafka_jars.program("java"), "-Xshare:auto", "-cp", kafka_jars.classpath(_JARS),
             "org.apache.kafka.shell.MetadataShell", "--snapshot", str(file), "tree", "/image"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True,
        )  # fmt: skip
        # The tool waits until the file is read, but not until what it read is shown.
        if _NOT_LOADED not in done.stdout:
            return done.stdout
        if time.monotonic() > deadline:
            raise TimeoutError(f"the shell shows nothing of {file}:\n{done.stdout}{done.stderr}")


def normal_tree(tree: str) -> list[str]:
    """The lines without what belongs to one node: ids, epochs, listeners, offsets, times; topics by name alone."""
    tree = tree[tree.index("acls:\n") :]
    by_id = tree.index("  byId:\n", tree.index("topics:\n"))
    tree = tree[:by_id] + tree[tree.index("  byName:\n", by_id) :]
    for pattern, instead in (
        (rf"(?<=[=\[ ]){_UUID}(?=[\],\n])", "<id>"),
        (r"(?<=epoch=)\d+|(?<=Epoch=)\d+", "<epoch>"),
        # klamm's controller needs no listener while it is alone; directories are told by one of the next heartbeats.
        (r"(?<=Registration\()(.*), listeners=\[[^\]]*\]", r"\1"),
        (r"cordonedDirectories=(null|\[\])", "cordonedDirectories=<none>"),
        (r"offset \d+, epoch \d+, time .*", "<position>"),
    ):
        tree = re.sub(pattern, instead, tree)
    return tree.splitlines()

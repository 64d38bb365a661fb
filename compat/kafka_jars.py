"""The jars of real Kafka and of Kafka's Java clients, resolved by Maven.

A set of jars is named after its file in compat/pom/ and lies in the cache directory: `$KLAMM_CACHE`, or `.cache/` at
the repository root (git ignores it), or the user's cache directory when compat came in a wheel. A set is complete or
absent: it is resolved beside its place and then renamed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POMS = Path(__file__).resolve().parent / "pom"

KAFKA = "kafka-4.3.1"
OLD_CLIENTS = "kafka-clients-2.8.2"

_MAVEN_TIMEOUT_S = 900
_STAMP = "pom.sha256"


class MissingTool(RuntimeError):
    """A program that the tests need is not on the path."""


def cache_dir() -> Path:
    """The directory for everything downloaded or compiled."""
    own = ROOT / ".cache" if (ROOT / "pyproject.toml").is_file() else Path.home() / ".cache" / "klamm"
    path = Path(os.environ.get("KLAMM_CACHE") or own).resolve()
    path.mkdir(parents=True, exist_ok=True)
    return path


def program(name: str) -> str:
    """The full path of a program; MissingTool when there is none."""
    if found := shutil.which(name):
        return found
    raise MissingTool(f"{name} is not installed (not on the path)")


@contextmanager
def cache_lock(name: str) -> Iterator[None]:
    """Only one process at a time makes the cache entry `name`: pytest-xdist workers ask for it together."""
    with open(cache_dir() / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def jars(name: str) -> list[Path]:
    """The jars of the set `name` ("kafka-4.3.1", "kafka-clients-2.8.2"), resolved on first use and kept."""
    pom = POMS / f"{name}.xml"
    if not pom.is_file():
        known = ", ".join(sorted(p.stem for p in POMS.glob("*.xml")))
        raise ValueError(f"no set of jars is called {name!r}; known: {known}")
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()
    place = cache_dir() / name
    with cache_lock(name):
        if not _is_current(place, digest):
            _resolve(pom, place, digest)
    return sorted(place.glob("*.jar"))


def classpath(name: str, *before: Path) -> str:
    """The `-cp` argument for the set `name`, with the folders `before` in front of it."""
    return os.pathsep.join(str(path) for path in [*before, *jars(name)])


def _is_current(place: Path, digest: str) -> bool:
    try:
        return (place / _STAMP).read_text() == digest
    except FileNotFoundError:
        return False


def _resolve(pom: Path, place: Path, digest: str) -> None:
    maven = program("mvn")
    with tempfile.TemporaryDirectory(prefix=f"{place.name}-", dir=place.parent) as beside:
        fresh = Path(beside) / "jars"
        done = subprocess.run(
            [maven, "-B", "-q", "-f", str(pom), "dependency:copy-dependencies",
             f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_MAVEN_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"Maven could not resolve {pom.name}:\n{(done.stdout + done.stderr)[-4000:]}")
        (fresh / _STAMP).write_text(digest)
        if place.exists():
            shutil.rmtree(place)
        fresh.rename(place)


def main() -> None:
    """Print the jars of the sets that are named on the command line, all sets if none is."""
    for name in sys.argv[1:] or [KAFKA, OLD_CLIENTS]:
        for jar in jars(name):
            print(jar)


if __name__ == "__main__":
    main()

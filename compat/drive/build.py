"""Builds the client programs: Go programs and Node packages, into the cache directory.

A result is named after its sources: an unchanged program is built once. Building happens beside the place and ends with
a rename, so that a cut-off build leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from compat.kafka_jars import cache_dir, cache_lock, program

BUILD_TIMEOUT_S = 900
DRIVE = Path(__file__).resolve().parent


def go_program(source: Path, *, uses: Sequence[Path] = ()) -> Path:
    """The executable of the Go module in the folder `source`, which replaces modules with the folders `uses`."""
    files = [path for folder in (source, *uses) for path in _files(folder, "*.go", "go.mod", "go.sum")]
    place = cache_dir() / "go" / f"{source.name}-{_digest(files)}"
    with cache_lock(f"go-{source.name}"):
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent) as beside:
                built = Path(beside) / source.name
                # A static program (no cgo), exactly the modules of go.sum.
                command = [program("go"), "build", "-mod=readonly", "-trimpath", "-o", str(built), "."]
                _run(command, source, {**os.environ, "CGO_ENABLED": "0"})
                built.rename(place)
    return place


def node_package(source: Path) -> Path:
    """A folder with the `.js` files of `source` and its `node_modules`, exactly those of package-lock.json."""
    lock = _files(source, "package.json", "package-lock.json")
    place = cache_dir() / "node" / f"{source.name}-{_digest([*lock, *_files(source, '*.js')])}"
    with cache_lock(f"node-{source.name}"):
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent) as beside:
                built = Path(beside) / source.name
                built.mkdir()
                for path in [*lock, *_files(source, "*.js")]:
                    shutil.copy(path, built)
                _run([program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"], built, dict(os.environ))
                built.rename(place)
    return place


def _files(folder: Path, *patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.parent.name}/{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _run(command: Sequence[str], directory: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=BUILD_TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-6000:]}")

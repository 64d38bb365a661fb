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


def go_test_binary(source: Path, module: str, tags: str) -> Path:
    """The test program of `module`, in the version that the go.mod of the folder `source` names, built with `tags`."""
    place = cache_dir() / "go" / f"{module.rpartition('/')[2]}.test-{_digest(_files(source, 'go.mod', 'go.sum'))}"
    with cache_lock(f"go-test-{source.name}"):
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            environment = {**os.environ, "CGO_ENABLED": "0"}
            _run([program("go"), "mod", "download", module], source, environment)
            folder = _run([program("go"), "list", "-m", "-f", "{{.Dir}}", module], source, environment).strip()
            with tempfile.TemporaryDirectory(dir=place.parent) as beside:
                built = Path(beside) / "tests"
                # From the module's own folder: what only its tests need stands in its go.sum, not in ours.
                command = [program("go"), "test", "-c", "-mod=readonly", "-tags", tags, "-o", str(built), "."]
                _run(command, Path(folder), environment)
                built.rename(place)
    return place


def go_tool(package: str) -> Path:
    """The program that `go install package` makes, `package` being "path@version"."""
    place = cache_dir() / "go" / package.replace("/", "_")
    with cache_lock("go-tool"):
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent) as beside:
                _run([program("go"), "install", package], Path(beside), {**os.environ, "GOBIN": beside})
                (Path(beside) / package.partition("@")[0].rpartition("/")[2]).rename(place)
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


def _run(command: Sequence[str], directory: Path, environment: dict[str, str]) -> str:
    """What the command printed; RuntimeError with all it said when it failed."""
    done = subprocess.run(
        command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=BUILD_TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-6000:]}")
    return done.stdout

"""A virtual environment of its own for each framework, in the cache: their dependencies stay out of the project's."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from compat.kafka_jars import cache_dir, cache_lock

HERE = Path(__file__).resolve().parent
INSTALL_TIMEOUT_S = 1500
_STAMP = ".installed"


def python_of(framework: str) -> Path:
    """The interpreter of the environment with `requirements-<framework>.txt`, which is made on first use."""
    requirements = HERE / f"requirements-{framework}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    place = cache_dir() / f"venv-{framework}-{digest}"
    with cache_lock(f"venv-{framework}"):
        if not (place / _STAMP).exists():
            # A virtual environment cannot be renamed: its scripts know where they are.
            shutil.rmtree(place, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(place)])
            install = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run([*install, "-r", str(requirements)])
            (place / _STAMP).touch()
    return place / "bin" / "python"


def _run(command: list[str]) -> None:
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=INSTALL_TIMEOUT_S)
        if done.returncode != 0:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{said.read()[-4000:]}")

"""The failing disk: `shim.c`, compiled, in front of a broker's C library, and the file that tells it what fails."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
from pathlib import Path

from compat.kafka_jars import cache_dir, cache_lock, program

SOURCE = Path(__file__).with_name("shim.c")


def library() -> Path:
    """The compiled shim. Raises MissingTool without gcc."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    with cache_lock("disk-errors"):
        path = cache_dir() / f"disk-errors-{digest}.so"
        if not path.exists():
            beside = path.with_suffix(".new")
            subprocess.run(
                [program("gcc"), "-O1", "-shared", "-fPIC", "-o", str(beside), str(SOURCE), "-ldl", "-lpthread"],
                check=True,
            )
            beside.rename(path)
    return path


class Rules:
    """What fails where, from now on. One rule an operation and path prefix."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rules: list[tuple[str, int, str]] = []
        self._write()

    def environment(self) -> dict[str, str]:
        """For the process whose disk this is to be."""
        return {"LD_PRELOAD": str(library()), "DISK_ERRORS": str(self.path)}

    def fail(self, operation: str, code: int, prefix: Path) -> None:
        """`operation` is one of write, fsync, open, read, torn; `code` an errno."""
        self._rules.append((operation, code, str(prefix)))
        self._write()

    def heal(self) -> None:
        """Nothing fails any more."""
        self._rules.clear()
        self._write()

    def _write(self) -> None:
        text = "".join(f"{operation} {code} {prefix}\n" for operation, code, prefix in self._rules)
        beside = self.path.with_suffix(".new")
        beside.write_text(text)
        os.replace(beside, self.path)


EIO, ENOSPC, EROFS = errno.EIO, errno.ENOSPC, errno.EROFS

"""An XFS file system in a file, whose power can be cut.

`xfs_io -x -c shutdown` stops the file system where it is: what is in its log on the disk counts after the next mount,
what was only in memory is gone, and every operation in between fails with EIO. As after a power cut, without a machine
to restart.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

SIZE_BYTES = 1 << 30
_PROGRAMS = ("mkfs.xfs", "xfs_io", "mount", "umount", "unshare")
_BUSY_S = 20.0


def missing() -> list[str]:
    """What this machine lacks, in words; nothing when a volume can be made."""
    lacking = [
        f"{program} is not installed (xfsprogs, util-linux)" for program in _PROGRAMS if not shutil.which(program)
    ]
    if os.geteuid() != 0:
        lacking.append("mounting needs root")
    if not Path("/dev/loop-control").exists():
        lacking.append("there are no loop devices")
    if not lacking:
        filesystems = Path("/proc/filesystems")
        known = filesystems.read_text().split() if filesystems.exists() else []
        if "xfs" not in known and subprocess.run(["modprobe", "xfs"], capture_output=True, check=False).returncode:
            lacking.append("the kernel has no XFS")
    return lacking


class Volume:
    """A mounted file system at `path`; `cut` and `remount` make one power cut of it."""

    def __init__(self, directory: Path) -> None:
        self._image = directory / "xfs.img"
        self.path = directory / "xfs"
        self.path.mkdir(parents=True)
        with open(self._image, "wb") as image:
            image.truncate(SIZE_BYTES)
        _run("mkfs.xfs", "-q", "-f", str(self._image))
        self.is_mounted = False
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.path))
        self.is_mounted = True

    def cut(self) -> None:
        """No write reaches the disk from now on."""
        _run("xfs_io", "-x", "-c", "shutdown", str(self.path))

    def unmount(self) -> None:
        if not self.is_mounted:
            return
        deadline = time.monotonic() + _BUSY_S
        while subprocess.run(["umount", str(self.path)], capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.path} cannot be unmounted")
            time.sleep(0.02)  # a process that was just killed may still be on its way out
        self.is_mounted = False

    def remount(self) -> None:
        """After `cut`, when no process has files open: the file system as it was on the disk."""
        self.unmount()
        self.mount()

    def remove(self) -> None:
        self.unmount()
        self._image.unlink()
        self.path.rmdir()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")

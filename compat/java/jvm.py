"""Java programs of this folder as child processes: compiled into the cache, spoken to in lines.

One process serves many calls, because a JVM's start costs about as much as a whole test.
"""

from __future__ import annotations

import hashlib
import subprocess
import threading
from pathlib import Path

from compat import kafka_jars
from compat.targets import log4j_settings

SOURCES = Path(__file__).resolve().parent / "src"

_OPTIONS = (
    "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dfile.encoding=UTF-8",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
)  # fmt: skip
_STOP_TIMEOUT_S = 20


class JvmGone(RuntimeError):
    """The process ended, or closed its output, while a call waited."""


def compiled(program: str, jar_set: str, sources: Path = SOURCES) -> Path:
    """The folder with the classes of `<program>.java`, compiled against a set of jars."""
    source = sources / f"{program}.java"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    place = kafka_jars.cache_dir() / "classes" / f"{program}-{jar_set}-{digest}"
    classpath = kafka_jars.classpath(jar_set)
    with kafka_jars.cache_lock("classes"):
        if not (place / f"{program}.class").exists():
            done = subprocess.run(
                [kafka_jars.program("javac"), "-d", str(place), "-cp", classpath, str(source)],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise RuntimeError(f"javac {source.name}:\n{done.stdout}{done.stderr}")
    return place


class Jvm:
    """A running program of `src/`; its standard error goes to `log_file`."""

    def __init__(self, program: str, jar_set: str, directory: Path) -> None:
        self.log_file = directory / f"{program}-{jar_set}.log"
        settings = directory / "log4j2.properties"
        settings.write_text(log4j_settings("SYSTEM_ERR", "warn"))
        with open(self.log_file, "wb") as log:
            self._process = subprocess.Popen(
                [kafka_jars.program("java"), *_OPTIONS, f"-Dlog4j2.configurationFile={settings}",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 "-cp", kafka_jars.classpath(jar_set, compiled(program, jar_set)), program],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8",
            )  # fmt: skip
        self._writing = threading.Lock()

    def write(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            with self._writing:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
        except OSError as error:
            raise JvmGone(self.log_tail()) from error

    def read(self) -> str:
        """The next line of the program's output."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise JvmGone(self.log_tail())
        return line

    def log_tail(self, size_bytes: int = 4000) -> str:
        return self.log_file.read_bytes()[-size_bytes:].decode(errors="replace")

    def kill(self) -> None:
        """End the process now; a reader that waits gets JvmGone."""
        self._process.kill()

    def close(self) -> None:
        """End the program by the end of its input, and wait for it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(_STOP_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

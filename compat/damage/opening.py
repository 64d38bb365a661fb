"""One log opened and closed: by Kafka's own classes in a JVM, and by klamm in this process.

Both tell the same values: whether they refuse, and else the offsets of the log. What they leave on the disk is for
`facts.py` to read.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from compat import kafka_jars
from compat.damage.copies import Copy
from compat.damage.template import SETTINGS
from compat.java.jvm import Jvm
from klamm.log import recovery, upkeep
from klamm.log.disk import RealDisk
from klamm.log.io_thread import InlineIo
from klamm.log.log_config import LogConfig
from klamm.log.log_dir import LogDir
from klamm.log.partition_log import PartitionLog
from klamm.log.partition_metadata import InconsistentTopicId
from klamm.seams import SystemClock, SystemEntropy


class Opened(NamedTuple):
    """`refusal` is empty for a log that opened; then the offsets count."""

    refusal: str
    log_start: int = -1
    log_end: int = -1
    last_stable: int = -1
    recovery_point: int = -1


class KafkaOpener:
    """Kafka's UnifiedLog, as a broker uses it."""

    name = "kafka"

    def __init__(self, directory: Path) -> None:
        self._jvm = Jvm("LogOpener", kafka_jars.KAFKA, directory)

    def open(self, directory: Path, copy: Copy) -> Opened:
        settings = [f"{name}={value}" for name, value in SETTINGS.items()]
        clean = "true" if copy.is_clean else "false"
        words = [str(directory), clean, str(copy.recovery_point), str(copy.log_start), *settings]
        self._jvm.write("\t".join(words))
        answer = self._jvm.read().rstrip("\n").split("\t")
        if answer[0] == "refused":
            return Opened(" ".join(answer[1:]))
        return Opened("", *map(int, answer[1:5]))

    def close(self) -> None:
        self._jvm.close()


class KlammOpener:
    """`recovery.open_log`."""

    name = "klamm"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def open(self, directory: Path, copy: Copy) -> Opened:
        io = InlineIo()
        clock = SystemClock(self._loop)
        log_dir = LogDir(str(directory.parent), RealDisk(), clock, SystemEntropy(), writer=io, flusher=io)
        log_dir.producer_id_expiration_ms = (1 << 31) - 1
        topic, _, partition = directory.name.rpartition("-")
        try:
            log = recovery.open_log(
                log_dir,
                str(directory),
                topic,
                int(partition),
                LogConfig(dict(SETTINGS)),
                is_clean=copy.is_clean,
                recovery_point=copy.recovery_point,
                log_start_offset=copy.log_start,
            )
        except (OSError, InconsistentTopicId) as error:
            return Opened(f"{type(error).__name__} {error}")
        told = self.told(log)
        upkeep.close(log)
        return told

    @staticmethod
    def told(log: PartitionLog) -> Opened:
        recovery_point = log.recovery_point
        log.update_high_watermark(log.log_end_offset)
        return Opened("", log.log_start_offset, log.log_end_offset, log.last_stable_offset, recovery_point)

    def close(self) -> None:
        self._loop.close()

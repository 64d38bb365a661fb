"""A data directory, and either broker on it: the same node id, cluster, ports and settings whoever runs.

One at a time. `Place.copy` gives the directory as it stands, as a place of its own; what runs there has the same ports.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from compat.targets import KAFKA_DEFAULTS, KafkaTarget, KlammTarget, free_port

SETTINGS = {
    **KAFKA_DEFAULTS,
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.num.partitions": "3",
    "auto.create.topics.enable": "false",
    "group.coordinator.rebalance.protocols": "classic,consumer",
    # A directory stays as it was left: nothing happens by itself, unless a life asks for it.
    "log.retention.ms": "-1",  # the timestamps of the data are old
    "log.retention.check.interval.ms": "3600000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "3600000",
    "log.flush.start.offset.checkpoint.interval.ms": "300",  # a kill takes back what is younger
    "log.cleaner.dedupe.buffer.size": "4194304",
}
LIVELY = {
    "log.initial.task.delay.ms": "100",
    "log.retention.check.interval.ms": "300",
    "log.cleaner.backoff.ms": "200",
}
"""The settings of a life in which retention and compaction do their work soon."""

Running = KafkaTarget | KlammTarget


class _KlammOn(KlammTarget):
    """klamm with Kafka's own defaults."""

    def _command(self) -> Sequence[str]:
        return [*super()._command(), "--profile", "kafka"]


class Place:
    """A directory with a data directory in it."""

    def __init__(self, directory: Path, ports: tuple[int, int] | None = None) -> None:
        """`ports`: the broker's and the controller's; free ones unless told."""
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ports = ports or (free_port(), free_port())
        self._lives = 0

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    def start(self, kind: str, **settings: str) -> Running:
        """Begin a life of "kafka" or "klamm" on the directory; an empty one is formatted by the one that starts."""
        listeners = f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{self.ports[1]}"
        common = {
            **SETTINGS,
            "listeners": listeners,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.ports[1]}",
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
        broker: Running
        if kind == "kafka":
            is_formatted = (self.data_dir / "meta.properties").exists()
            broker = KafkaTarget(common, directory=self._life(kind), is_formatted=is_formatted)
            broker.properties["log.dirs"] = str(self.data_dir)
        else:
            broker = _KlammOn({**common, "process.roles": "broker,controller"}, directory=self._life(kind))
        broker.port = self.ports[0]
        broker.data_dir = self.data_dir
        broker.start()
        return broker

    def _life(self, kind: str) -> Path:
        """A folder for the settings and the log of one life."""
        self._lives += 1
        return self.directory / f"{self._lives:02d}-{kind}"

    def copy(self, name: str) -> Place:
        """The directory as it stands, in a new place beside this one."""
        other = Place(self.directory.parent / name, self.ports)
        shutil.copytree(self.data_dir, other.data_dir)
        return other

    def logs(self) -> list[Path]:
        """What the brokers that lived here have said."""
        return sorted(self.directory.glob("*/broker.log"))

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

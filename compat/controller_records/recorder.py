"""A real controller without brokers: the brokers are played, so that every request that it gets is known.

Each step is noted with the request, the answer, and the records that were appended since the step before. Played
brokers send heartbeats in the background, which change nothing, until they fall silent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from compat.cluster import CONTROLLER_ID_FIRST
from compat.controller_records.log_reading import Json, MetadataLogReader, json_of
from compat.differential.run import fit
from compat.kafka_cluster import KafkaCluster
from compat.targets import CLUSTER_ID
from klamm.kproto.catalog import message_class
from klamm.metadata.features import SUPPORTED
from klamm.metadata.image.image import MetadataImage
from klamm.metadata.image.partition import PartitionRegistration
from klamm.testing.wire import WireClient

READ_ALL = 1_000_000
"""A metadata offset that no story reaches: who claims it has read everything."""
SETTINGS: Mapping[str, str] = {
    "metadata.max.idle.interval.ms": "0",  # no no-op records between the steps
    "broker.session.timeout.ms": "3000",
    "auto.leader.rebalance.enable": "false",
}
_KEEP_ALIVE_S = 0.2
_SILENCE_S = 30.0


class Played(NamedTuple):
    """A broker as the recorder plays it."""

    broker_epoch: int
    metadata_offset: int = 0
    is_silent: bool = False


class Recorder:
    """One real controller, started by `with`."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.cluster = KafkaCluster(0, {**SETTINGS, **(settings or {})}, controllers=1)
        self.steps: list[Json] = []
        self.played: dict[int, Played] = {}
        self._log = MetadataLogReader(self.cluster.data_dir(CONTROLLER_ID_FIRST))
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._keeper = threading.Thread(target=self._keep_alive, name="keep-alive", daemon=True)

    def __enter__(self) -> Self:
        self.cluster.start()
        address = f"127.0.0.1:{self.cluster.nodes[CONTROLLER_ID_FIRST].controller_port}"
        self._wire = WireClient(address, 30.0, "controller-records")
        self._keeper_wire = WireClient(address, 30.0, "controller-records")
        self.wait_for("start", lambda: bool(self.image.features) and bool(self.image.cluster.controllers))
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self.cluster.remove()

    @property
    def image(self) -> MetadataImage:
        """What the log tells so far."""
        return self._log.image

    # What a story does.

    def ask(self, step: str, name: str, version: int, **values: Any) -> Any:
        """Send a request of those values and note what follows from it."""
        request = fit(message_class(f"{name}Request"), version, **values)
        with self._lock:
            response: Any = self._wire.ask(request, version, message_class(f"{name}Response"))
            row = {"step": step, "request": name, "version": version, "json": json_of(request, version)}
            told = json_of(response, version)
            for topic in told.get("topics") or ():
                topic.pop("configs", None)  # all configs of a created topic: long, and tested elsewhere
            self.steps.append({**row, "response": told, "batches": self._log.new_batches()})
        return response

    def wait_for(self, step: str, is_there: Callable[[], bool]) -> None:
        """Note the records that come by themselves until the image says `is_there`."""
        batches: list[Any] = []
        deadline = time.monotonic() + _SILENCE_S
        while not is_there():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{step}: the controller did not write what was expected")
            time.sleep(0.02)
            with self._lock:
                batches += self._log.new_batches()
        self.steps.append({"step": step, "batches": batches})

    def fall_silent(self, step: str, broker_id: int) -> None:
        """The broker sends no heartbeats any more; done when the controller has let its session end."""
        self.played[broker_id] = self.played[broker_id]._replace(is_silent=True)
        offset = self.image.offset
        # The controller writes of a fenced broker too when its session ends.
        self.wait_for(step, lambda: self.image.offset > offset)
        self.steps[-1]["silent"] = broker_id

    # Requests that stories send often.

    def register(self, step: str, broker_id: int, incarnation: int = 1, dirs: int = 1, **changes: Any) -> Any:
        """Directory ids, incarnation ids and ports follow from the numbers."""
        features = [
            {"name": n, "min_supported_version": r.min_version, "max_supported_version": r.max_version}
            for n, r in SUPPORTED.items()
        ]
        values: Json = {
            "broker_id": broker_id,
            "cluster_id": CLUSTER_ID,
            "incarnation_id": bytes([0x10, broker_id, incarnation]) + b"\x01" * 13,
            "listeners": [{"name": "PLAINTEXT", "host": "127.0.0.1", "port": 9090 + broker_id, "security_protocol": 0}],
            "features": features,
            "rack": f"rack-{broker_id % 2}",
            "log_dirs": [directory(broker_id, number) for number in range(dirs)],
            "previous_broker_epoch": -1,
        }
        response = self.ask(step, "BrokerRegistration", 4, **{**values, **changes})
        if response.error_code == 0:
            self.played[broker_id] = Played(response.broker_epoch, is_silent=True)
        return response

    def beat(self, step: str, broker_id: int, fence: bool = False, stop: bool = False, **changes: Any) -> Any:
        """A heartbeat, by default one of a broker that has read all and serves."""
        played = self.played.get(broker_id, Played(-1))
        values = {
            "broker_id": broker_id,
            "broker_epoch": played.broker_epoch,
            "current_metadata_offset": READ_ALL,
            "want_fence": fence,
            "want_shut_down": stop,
            "cordoned_log_dirs": [],
            **changes,
        }
        if broker_id in self.played:
            offset = int(values["current_metadata_offset"])
            # The story itself speaks for a broker that is shutting down.
            self.played[broker_id] = played._replace(metadata_offset=offset, is_silent=stop)
        return self.ask(step, "BrokerHeartbeat", 2, **values)

    def alter_partition(
        self, step: str, name: str, number: int, isr: Sequence[int], version: int = 3, **changes: Any
    ) -> Any:
        """The partition's leader proposes an ISR; `changes` are of the row, `request` of the request."""
        partition = self.partition(name, number)
        row = {
            "partition_index": number,
            "leader_epoch": partition.leader_epoch,
            "new_isr": list(isr),
            "new_isr_with_epochs": [{"broker_id": i, "broker_epoch": self._epoch(i)} for i in isr],
            "leader_recovery_state": partition.leader_recovery_state,
            "partition_epoch": partition.partition_epoch,
        }
        by = int(changes.pop("broker_id", partition.leader))
        epoch = int(changes.pop("broker_epoch", self._epoch(by)))
        topic_id = changes.pop("topic_id", self.image.topics.by_name[name].topic_id)
        topics = [{"topic_id": topic_id, "partitions": [{**row, **changes}]}]
        return self.ask(step, "AlterPartition", version, broker_id=by, broker_epoch=epoch, topics=topics)

    def create(self, step: str, name: str, assignments: Sequence[Sequence[int]], **configs: str) -> Any:
        """A topic of those replicas; in the names of configs _ stands for a dot."""
        topic = {
            "name": name,
            "num_partitions": -1,
            "replication_factor": -1,
            "assignments": [{"partition_index": i, "broker_ids": list(ids)} for i, ids in enumerate(assignments)],
            "configs": [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()],
        }
        return self.ask(step, "CreateTopics", 7, topics=[topic], timeout_ms=30000)

    def reassign(self, step: str, name: str, *rows: tuple[int, Sequence[int] | None], version: int = 1,
                 allow_replication_factor_change: bool = True) -> Any:  # fmt: skip
        partitions = [{"partition_index": n, "replicas": None if ids is None else list(ids)} for n, ids in rows]
        topics = [{"name": name, "partitions": partitions}]
        allow = allow_replication_factor_change
        return self.ask(
            step, "AlterPartitionReassignments", version, topics=topics, allow_replication_factor_change=allow
        )

    def elect(self, step: str, kind: int, *asked: tuple[str, Sequence[int]], version: int = 2) -> Any:
        """Nobody asked for: all partitions."""
        topics = [{"topic": name, "partitions": list(numbers)} for name, numbers in asked] or None
        return self.ask(step, "ElectLeaders", version, election_type=kind, topic_partitions=topics, timeout_ms=30000)

    def configure(self, step: str, resource_type: int, name: str, **values: str | None) -> Any:
        """Set configs, or remove those that are None; in names _ stands for a dot."""
        configs = [
            {"name": key.replace("_", "."), "config_operation": 1 if value is None else 0, "value": value}
            for key, value in values.items()
        ]
        resource = {"resource_type": resource_type, "resource_name": name, "configs": configs}
        return self.ask(step, "IncrementalAlterConfigs", 1, resources=[resource], validate_only=False)

    def partition(self, name: str, number: int = 0) -> PartitionRegistration:
        """As the log has it now."""
        return self.image.topics.by_name[name].partitions[number]

    # How it is done.

    def _epoch(self, broker_id: int) -> int:
        broker = self.image.cluster.brokers.get(broker_id)
        return -1 if broker is None else broker.broker_epoch

    def _keep_alive(self) -> None:
        cls, answer = message_class("BrokerHeartbeatRequest"), message_class("BrokerHeartbeatResponse")
        while not self._stopped.wait(_KEEP_ALIVE_S):
            with self._lock:
                for broker_id, played in list(self.played.items()):
                    broker = self.image.cluster.brokers.get(broker_id)
                    if played.is_silent or broker is None:
                        continue
                    request = fit(
                        cls,
                        2,
                        broker_id=broker_id,
                        broker_epoch=played.broker_epoch,
                        current_metadata_offset=played.metadata_offset,
                        want_fence=broker.fenced,
                        want_shut_down=False,
                    )
                    self._keeper_wire.ask(request, 2, answer)


def directory(broker_id: int, number: int = 0) -> bytes:
    """The id of a log directory of a played broker."""
    return bytes([0x20, broker_id, number]) + b"\x02" * 13

"""The controller while this node leads the quorum: commands are decided here, and answered when they are committed.

Made when everything before its epoch is committed, thrown away when the epoch ends: what it had appended but not
committed is then the next leader's to keep or to cut.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError, info
from klamm.kproto.metadata_records import NoOpRecord
from klamm.kproto.schema import Message
from klamm.log.machine import Decision, Driver, SetTimer
from klamm.metadata.controller.activation import activate
from klamm.metadata.controller.controller import Controller, ControllerSettings
from klamm.metadata.controller.requests import DECISIONS

if TYPE_CHECKING:
    from klamm.metadata.controller.configs import ConfigRules
    from klamm.metadata.image.cluster import ControllerRegistration
    from klamm.metadata.image.image import MetadataDelta, MetadataImage
    from klamm.metadata.metadata_log import MetadataLog
    from klamm.seams import Clock, Entropy

R = TypeVar("R")


class LeaderLog:
    """The metadata log under the machine of one epoch. `metadata_version` decides the versions of records."""

    def __init__(self, log: MetadataLog, metadata_version: Callable[[], int]) -> None:
        self._log = log
        self._metadata_version = metadata_version
        self._callbacks: list[Callable[[int], None]] = []

    @property
    def high_watermark(self) -> int:
        return self._log.high_watermark

    def on_commit(self, callback: Callable[[int], None]) -> None:
        self._callbacks.append(callback)

    def append(self, records: Sequence[Message]) -> int:
        return self._log.append(records, self._metadata_version())

    def committed(self, high_watermark: int) -> None:
        for callback in self._callbacks:
            callback(high_watermark)


class QuorumLevel:
    """The level of kraft.version, which stands in the quorum's own control records: a `QuorumVersion`."""

    def __init__(self, log: MetadataLog) -> None:
        self._log = log

    @property
    def kraft_version(self) -> int:
        return self._log.raft.kraft_version

    def upgrade_kraft_version(self, kraft_version: int, validate_only: bool) -> None:
        """Raises KafkaError."""
        from klamm.metadata.raft.exchange import UpgradeKRaftVersion

        self._log.step(UpgradeKRaftVersion(self._log.raft.epoch, kraft_version, validate_only))


class Beginning(NamedTuple):
    """What a controller begins its epoch with: see `activate`; `registration` is its own."""

    bootstrap: Sequence[Message]
    is_transaction_open: bool
    min_insync_replicas: str
    registration: ControllerRegistration


class ActiveController:
    """`publish(delta, image)` is told of every committed batch before its answers leave."""

    def __init__(
        self,
        log: MetadataLog,
        image: MetadataImage,
        settings: ControllerSettings,
        rules: ConfigRules,
        clock: Clock,
        entropy: Entropy,
        publish: Callable[[MetadataDelta, MetadataImage], None],
    ) -> None:
        self._log = log
        self._publish = publish
        self._uncommitted: deque[tuple[int, MetadataDelta, MetadataImage]] = deque()
        self._leader_log = LeaderLog(log, lambda: self.controller.state().metadata_version)
        self.controller = Controller(settings, image, rules, lambda: log.end_offset, entropy, QuorumLevel(log))
        self._driver: Driver[Message] = Driver(
            self.controller, self._leader_log, clock, log.end_offset, applied=self._seal
        )

    def begin(self, beginning: Beginning, max_idle_interval_ms: float) -> asyncio.Future[None] | None:
        """Write what a new controller writes, and let time pass for it. Raises KafkaError."""
        controller = self.controller

        def first_command() -> Decision[None, Message]:
            timers = list(controller.on_leadership())
            if max_idle_interval_ms > 0:
                timers.append(SetTimer("no-op", max_idle_interval_ms, no_op))
            return Decision(None, (), timers)

        def no_op() -> Decision[None, Message]:
            """Kafka's active controller writes one every `metadata.max.idle.interval.ms`, which shows that it lives."""
            return Decision(None, [NoOpRecord()], [SetTimer("no-op", max_idle_interval_ms, no_op)])

        self.execute(
            lambda: activate(
                controller.state(), beginning.bootstrap, beginning.is_transaction_open, beginning.min_insync_replicas
            )
        )
        self.execute(lambda: controller.controllers.register_own(beginning.registration))
        self.execute(controller.brokers.fence_dead_local)
        return self.execute(first_command)

    def submit(self, request: Message) -> Message | asyncio.Future[Message]:
        """Decide on a request, whose answer waits for its records. Raises KafkaError for the whole of it."""
        decide = DECISIONS.get(type(request).__schema__.key)
        if decide is None:
            raise KafkaError(errors.UNSUPPORTED_VERSION, f"{type(request).__name__} is not for the controller")
        found = decide
        answer: Message | asyncio.Future[Message] = self.execute(lambda: found(self.controller, request))
        return answer

    def execute(self, command: Callable[[], Decision[R, Message]]) -> R | asyncio.Future[R]:
        """Run a command of the machine. Raises KafkaError."""
        return self._driver.execute(command)

    def committed(self, high_watermark: int) -> None:
        """More is committed: publish it, then answer who waits for it."""
        waiting = self._uncommitted
        while waiting and waiting[0][0] <= high_watermark:
            _, delta, image = waiting.popleft()
            self._publish(delta, image)
        self._leader_log.committed(high_watermark)

    def close(self) -> None:
        """The epoch has ended: take no more commands; those that wait fail with NOT_CONTROLLER."""
        self._uncommitted.clear()
        self._driver.close(errors.NOT_CONTROLLER)

    def _seal(self) -> None:
        end_offset = self._log.end_offset
        sealed = self.controller.seal(end_offset - 1, self._log.raft.epoch)
        if sealed is not None:
            self._uncommitted.append((end_offset, *sealed))


def not_controller() -> KafkaError:
    """What a node answers that is not the active controller."""
    return KafkaError(errors.NOT_CONTROLLER, info(errors.NOT_CONTROLLER).message)

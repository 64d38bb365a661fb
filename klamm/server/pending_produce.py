"""An answer to Produce that waits: for bytes that are being written, for followers, or for its time to be over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from klamm.kproto import errors
from klamm.kproto.errors import KafkaError
from klamm.kproto.messages.produce import ProduceResponse
from klamm.reply import Reply

if TYPE_CHECKING:
    from klamm.kproto.schema import Message
    from klamm.log.io_thread import Completion
    from klamm.log.partition_log import Appended
    from klamm.seams import Clock, Timer
    from klamm.server.partition import Partition

Result = ProduceResponse.TopicProduceResponse.PartitionProduceResponse


def must_wait(partition: Partition, appended: Appended, acks: int) -> bool:
    """Whether a producer cannot be answered yet."""
    return appended.written is not None or (acks == -1 and partition.replication is not None)


class PendingProduce:
    """One request. `answer()` gives its answer, or raises, once all results are settled."""

    __slots__ = ("_acks", "_answer", "_is_begun", "_needs_followers", "_open", "_timer", "reply")

    def __init__(self, acks: int, answer: Callable[[], Message | None]) -> None:
        self.reply: Reply[Message | None] = Reply()
        self._acks = acks
        self._answer = answer
        self._open: dict[int, Result] = {}
        """The results that are not settled, by their identity."""
        self._timer: Timer | None = None
        self._is_begun = self._needs_followers = False

    def add(self, result: Result, partition: Partition, appended: Appended) -> None:
        """Wait for what `appended` has begun."""
        self._open[id(result)] = result
        self._needs_followers |= self._acks == -1 and partition.replication is not None
        if appended.written is None:
            self._replicate(result, partition, appended)
        else:
            appended.written.add_done_callback(partial(self._written, result, partition, appended))

    def begin(self, clock: Clock, timeout_ms: int) -> Reply[Message | None]:
        """All are added. What followers do not have after `timeout_ms` is answered with REQUEST_TIMED_OUT."""
        self._is_begun = True
        if not self._open:
            self._finish()
        elif self._needs_followers:
            self._timer = clock.call_later(max(timeout_ms, 0), self._expire)
        return self.reply

    def _written(self, result: Result, partition: Partition, appended: Appended, completion: Completion) -> None:
        error = completion.exception()
        if error is None:
            self._replicate(result, partition, appended)
            return
        if isinstance(error, KafkaError):
            result.error_code, result.base_offset = error.code, -1
        elif isinstance(error, Exception):
            self.reply.resolve(error)
        self._settle(result, result.error_code)

    def _replicate(self, result: Result, partition: Partition, appended: Appended) -> None:
        if self._acks == -1 and partition.replication is not None:
            partition.when_replicated(appended.last_offset + 1, partial(self._settle, result))
        else:
            self._settle(result, errors.NONE)

    def _settle(self, result: Result, code: int) -> None:
        if self._open.pop(id(result), None) is None:
            return
        result.error_code = code
        if not self._open and self._is_begun:
            if self._timer is not None:
                self._timer.cancel()
            self._finish()

    def _expire(self) -> None:
        for result in self._open.values():
            result.error_code = errors.REQUEST_TIMED_OUT
        self._open.clear()
        self._finish()

    def _finish(self) -> None:
        try:
            self.reply.resolve(self._answer())
        except Exception as refused:
            self.reply.resolve(refused)

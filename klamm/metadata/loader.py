"""What is committed becomes the image: on every node, whatever its role; readers are told in the order of the log.

The active controller hands its own batches over as it has sealed them; every other node reads them from its log.
A transaction counts when it ends, and until then no image of its parts is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from klamm.kproto.errors import ProtocolError
from klamm.metadata import features
from klamm.metadata.image.difference import difference
from klamm.metadata.image.image import EMPTY, MetadataDelta, MetadataImage
from klamm.metadata.log_replay import LogReplay, log_batches

if TYPE_CHECKING:
    from klamm.log.partition_log import PartitionLog
    from klamm.metadata.snapshot_file import Snapshot, SnapshotId

_logger = logging.getLogger(__name__)

Publisher = Callable[[MetadataDelta, MetadataImage], None]


class MetadataLoader:
    """`image` is the committed metadata: replaced whole, never changed."""

    def __init__(self) -> None:
        self.image = EMPTY
        self._publishers: list[Publisher] = []
        self._replay = LogReplay()

    def add_publisher(self, publisher: Publisher) -> None:
        """Have `publisher(delta, image)` called for every change."""
        self._publishers.append(publisher)

    @property
    def is_transaction_open(self) -> bool:
        """Whether the log, as far as it was read, ends within a transaction."""
        return self._replay.is_transaction_open

    @property
    def next_offset(self) -> int:
        """What is below has been taken in, though a transaction may hold it back from the image."""
        return max(self._replay.offset, self.image.offset) + 1

    def begin(self, replay: LogReplay) -> None:
        """Start with what the files tell. Raises ProtocolError for a level that is not read."""
        delta = replay.delta
        self._replay, self.image = replay, _readable(replay.build())
        self._tell(delta)

    def follow(self, log: PartitionLog, high_watermark: int) -> None:
        """Read what was committed since. Raises ProtocolError for a record, or a level, that is not understood."""
        replay = self._replay
        if high_watermark <= replay.offset + 1:
            return
        for batch in log_batches(log, replay.offset + 1):
            if batch.next_offset > high_watermark:
                break
            replay.take(batch)
        if not replay.is_transaction_open:
            delta = replay.delta
            self.image = _readable(replay.build())
            self._tell(delta)

    def sealed(self, delta: MetadataDelta, image: MetadataImage) -> None:
        """A batch of the active controller, here, is committed."""
        self.image = image
        self._replay = LogReplay(image)
        self._tell(delta)

    def replace(self, snapshot_id: SnapshotId, snapshot: Snapshot) -> None:
        """A snapshot has taken the place of the log. Raises ProtocolError."""
        replay = LogReplay()
        replay.load_snapshot(snapshot_id, snapshot)
        delta = difference(self.image, replay.build())
        self.image = _readable(delta.build(replay.offset, replay.epoch))
        self._replay = LogReplay(self.image)
        self._tell(delta)

    def _tell(self, delta: MetadataDelta) -> None:
        if delta.is_empty:
            return
        for publisher in self._publishers:
            try:
                publisher(delta, self.image)
            except Exception:
                # The batch is committed: the others must follow it, and this one is told of the next.
                _logger.exception("a reader of the metadata failed at offset %d", self.image.offset)


def _readable(image: MetadataImage) -> MetadataImage:
    """Raises ProtocolError for a level of metadata.version whose records may mean what klamm does not know."""
    reason = features.reason_not_readable(image.metadata_version) if image.features else None
    if reason is not None:
        raise ProtocolError(reason)
    return image

"""One partition of which this broker has a replica that another broker leads: consumers may read what is committed.

Its log is written by a `ReplicaFetcher` alone.
"""

from __future__ import annotations

from klamm.server.replica import Replica


class FollowedPartition(Replica):
    """A replica that follows."""

    __slots__ = ()

    def update_high_watermark(self, high_watermark: int) -> None:
        """The leader has committed everything below: so has this replica, as far as it has it."""
        if self.log.update_high_watermark(high_watermark) and self.waiters:
            self._touched(self)

"""Partition: what a broker takes over when it begins to lead."""

from __future__ import annotations

from klamm.server.partition import Partition
from tests.log.conftest import Lab


def test_a_leader_alone_commits_what_the_crash_left_behind_the_checkpoint() -> None:
    lab = Lab()
    lab.append(lab.open(), lab.batch(5))
    # The checkpoint of the high watermark is older than the log's end.
    log = lab.open(high_watermark=2)
    assert (log.high_watermark, log.log_end_offset) == (2, 5)
    partition = Partition("t", b"\1" * 16, 0, log, leader_id=1, leader_epoch=1, isr=[1], touched=lambda _: None)
    assert partition.high_watermark == partition.visible_end(1) == 5

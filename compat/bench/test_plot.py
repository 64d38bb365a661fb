"""The picture of the figures. No broker is needed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from compat.bench import plot, report


def test_better_is_to_the_right_whatever_the_metric_counts() -> None:
    samples = {
        "start_fresh_s": {"klamm": [0.1, 0.2], "kafka": [2.0, 2.0]},  # less is better
        "produce_16k_mb_s": {"klamm": [500.0], "kafka": [250.0]},  # more is
    }
    rows = {row["metric"]: plot.advantage(row) for row in report.rows(samples)}
    start = rows["start_fresh_s"]
    assert start is not None
    assert rows["produce_16k_mb_s"] == (2.0, 2.0, 2.0)
    assert start[0] == pytest.approx(2.0 / 0.15)
    assert start[1:] == pytest.approx((10.0, 20.0))


def test_a_picture_is_well_formed_and_leaves_out_what_one_side_lacks() -> None:
    rows = report.rows(
        {"start_fresh_s": {"klamm": [0.1], "kafka": [2.0]}, "rest_resident_mb": {"klamm": [30.0], "kafka": []}}
    )
    drawn = ET.fromstring(plot.svg(rows))
    texts = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "start to first answer, empty directory" in texts
    assert "resident memory at rest" not in texts
    assert "20x" in texts

"""Sarama's own functional tests on a cluster of five: those that must pass and are quick. The rest: `functional.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.sarama import functional
from compat.suites import Result

OUTPUT = """\
=== RUN   TestGood
--- PASS: TestGood (0.10s)
=== RUN   TestSkipped
    functional_test.go:7: needs a container
--- SKIP: TestSkipped (0.00s)
=== RUN   TestBad
=== RUN   TestBad/case
    functional_test.go:9: \n        \tError Trace:\t/sarama/functional_test.go:9
        \tError:      \tReceived unexpected error:
        \t            \tkafka server: The coordinator is not available
        \tTest:       \tTestBad
    --- FAIL: TestBad/case (0.10s)
--- FAIL: TestBad (0.10s)
=== RUN   TestCut
panic: test timed out after 10s
"""


def test_every_verdict_is_read() -> None:
    assert functional.results(OUTPUT) == Result(
        ["TestGood"],
        {
            "TestBad": "Error: Received unexpected error: kafka server: The coordinator is not available",
            "TestCut": "no end: panic: test timed out after 10s",
        },
        {"TestSkipped": "functional_test.go:7: needs a container"},
    )


@pytest.mark.needs("go")
def test_the_quick_ones(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    target = request.config.getoption("--target")
    if target not in functional.CLUSTERS:
        pytest.skip("needs a cluster of its own")
    assert functional.check(target, functional.short(), tmp_path / "sarama.log") == 0, "see the lines MUST PASS above"

"""kafka-python as suites of the kit: the shared scenario, and the library's own integration tests."""

from __future__ import annotations

from compat.kafka_python import integration
from compat.suites import Result, Suite, pytest_suite
from compat.targets import Target


def _integration(target: Target) -> Result:
    """On brokers of the target's kind: these tests need settings, listeners and users that a given one has not."""
    lists = integration.LISTS
    if target.name not in ("klamm", "kafka"):
        return Result([], {}, dict.fromkeys(lists.allow, "needs brokers of its own"))
    return lists.sorted_out(target.name, integration.run(target.name))


SUITES = [
    pytest_suite("kafka_python", integration.VERSION),
    Suite("kafka_python_integration", integration.VERSION, _integration, integration.HERE / "tests.allow"),
]

"""Three klamm nodes under Kafka's administration tools: each step prints what real Kafka printed (`recorded/`).

`python -m compat.cluster_tools LAYOUT --target kafka --record` asks real Kafka anew.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.cluster_tools.known import KNOWN, without_known
from compat.cluster_tools.layouts import LAYOUTS
from compat.cluster_tools.run import differences, play, recorded
from compat.cluster_tools.story import Step
from compat.java.tools import Tools
from compat.klamm_cluster import KlammCluster

pytestmark = pytest.mark.needs("java", "javac", "mvn")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    jvm = Tools(tmp_path_factory.mktemp("jvm"))
    yield jvm
    jvm.close()


def _shown(expected: Step, found: Step) -> str:
    lines = [f"$ {expected.line}: status {expected.status}, {found.status}"]
    for before, after in ((expected.out, found.out), (expected.err, found.err)):
        lines += list(difflib.unified_diff(before, after, "real Kafka", "klamm", n=1, lineterm=""))
    return "\n".join(lines)


@pytest.mark.timeout(500)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_tools_print_what_they_print_with_real_kafka(layout: str, tools: Tools, tmp_path: Path) -> None:
    known = recorded(layout)
    parts = LAYOUTS[layout].parts
    assert list(known) == [part.__name__ for part in parts], "another story than the one that was recorded"
    found: list[str] = []
    for part, steps in play(KlammCluster, layout, parts, tools, tmp_path / "files", known):
        assert [step.line for step in steps] == [step.line for step in known[part]]
        found += [_shown(*pair) for pair in differences(known[part], steps)]
    assert found == [], "\n\n".join(found)


def test_known_differences_are_of_steps_that_are_taken() -> None:
    taken = {step.line for layout in LAYOUTS for steps in recorded(layout).values() for step in steps}
    assert KNOWN.keys() <= taken


def test_a_known_difference_hides_nothing_else() -> None:
    line = "kafka-configs --alter --entity-type brokers --entity-name 2 --add-config node.id=4"
    error = "java.util.concurrent.ExecutionException: org.apache.kafka.common.errors.{}: {}"
    real = Step(line, 1, (), (error.format("InvalidRequestException", "no"),))
    assert len(set(without_known(real, Step(line, 1, (), (error.format("InvalidRequestException", "never"),))))) == 1
    for other in (
        Step(line, 0, (), real.err),
        Step(line, 1, (), (error.format("TimeoutException", "no"),)),
        Step(line, 1, ("done",), real.err),
    ):
        assert len(set(without_known(real, other))) == 2

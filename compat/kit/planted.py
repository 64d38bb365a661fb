"""klamm with a planted fault, to show that the kit sees it: `python -m compat.kit.planted FAULT start ...`.

A fault replaces one handler by a function that spoils its answer. Nothing in klamm knows of it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from compat.providers import PlainKlamm
from klamm.cli.main import main as klamm_main
from klamm.kproto import errors


class Fault(NamedTuple):
    """The handler that is spoilt, how, and the cases that ask it."""

    handler: str
    spoil: Callable[[Any], None]
    case: str


def _wrong_error_code(answer: Any) -> None:
    for topic in answer.topics:
        for partition in topic.partitions:
            if partition.error_code == errors.UNKNOWN_TOPIC_OR_PARTITION:
                partition.error_code = errors.LEADER_NOT_AVAILABLE


def _missing_field(answer: Any) -> None:
    answer.supported_features = []  # a tagged field: it is not on the wire then


def _wrong_order(answer: Any) -> None:
    answer.topics.reverse()


def _counts_topics(answer: Any) -> None:
    """Only an answer of several topics is wrong: what shows it cannot be made smaller than two."""
    if len(answer.topics) > 1:
        answer.topics[-1].error_code = errors.TOPIC_AUTHORIZATION_FAILED


FAULTS: Final[Mapping[str, Fault]] = {
    "wrong-error-code": Fault("describe_producers", _wrong_error_code, "metadata.describe_producers"),
    "missing-field": Fault("api_versions", _missing_field, "api_versions.advertised"),
    "wrong-order": Fault("describe_topic_partitions", _wrong_order, "metadata.describe_topic_partitions"),
    "two-topics": Fault("describe_topic_partitions", _counts_topics, "metadata.describe_topic_partitions"),
}


class PlantedKlamm(PlainKlamm):
    """klamm with one of the faults."""

    def __init__(self, fault: str, overrides: Mapping[str, str]) -> None:
        super().__init__(overrides)
        self._fault = fault

    def _command(self) -> Sequence[str]:
        python, _, _, *rest = super()._command()
        return [python, "-m", "compat.kit.planted", self._fault, *rest]


def plant(name: str) -> None:
    """Put a fault in the place of its handler; before the handler is first asked."""
    fault = FAULTS[name]
    module = importlib.import_module(f"klamm.server.handlers.{fault.handler}")
    right = module.handle

    def handle(broker: Any, context: Any, request: Any) -> Any:
        answer = right(broker, context, request)
        fault.spoil(answer)
        return answer

    vars(module)["handle"] = handle


if __name__ == "__main__":
    plant(sys.argv[1])
    sys.exit(klamm_main(sys.argv[2:]))

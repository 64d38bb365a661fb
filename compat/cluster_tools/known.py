"""Where klamm's tools' output is not that of real Kafka, and why that is so."""

from __future__ import annotations

import re
from typing import Final

from compat.cluster_tools.story import Step

_SETTINGS: Final = (
    "Kafka's refusal of a setting is in Kafka's words, klamm's says what would be valid; status and error are the same"
)
KNOWN: Final[dict[str, str]] = {
    "kafka-broker-api-versions": "klamm advertises an API when it serves it in full",
    "kafka-configs --alter --entity-type topics --entity-name placed --add-config no.such=1": _SETTINGS,
    "kafka-configs --alter --entity-type topics --entity-name placed --add-config min.insync.replicas=x": _SETTINGS,
    "kafka-configs --alter --entity-type brokers --entity-name 2 --add-config node.id=4": _SETTINGS,
    "kafka-configs --alter --entity-type brokers --entity-name 2 --add-config background.threads=1": _SETTINGS,
}
"""Step -> reason. What differs must be what the reason says: `without_known` takes nothing else out."""

_EXCEPTION: Final = re.compile(r"(org\.apache\.kafka\.common\.errors\.\w+): .*")


def without_known(expected: Step, found: Step) -> tuple[Step, Step]:
    """Both without what the reason for the step explains."""
    reason = KNOWN.get(expected.line)
    if reason is None:
        return expected, found
    if reason is _SETTINGS:
        return _without_words(expected), _without_words(found)
    not_served = {line.partition(":")[0] for line in found.out if "UNSUPPORTED" in line}
    rest = tuple(line for line in expected.out if line.partition(":")[0] not in not_served)
    return expected._replace(out=rest), found._replace(out=tuple(x for x in found.out if "UNSUPPORTED" not in x))


def _without_words(step: Step) -> Step:
    return step._replace(err=tuple(_EXCEPTION.sub(r"\1", line) for line in step.err))

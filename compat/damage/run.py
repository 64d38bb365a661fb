"""A run: copies are made, both sides open them, verdicts are counted by kind of file and kind of damage."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from compat.damage.brokers import Served, serve_all, told_differences, told_faults
from compat.damage.comparing import Outcome, differences, faults
from compat.damage.copies import Copy, copy_sparse, make_copies
from compat.damage.damages import Kind
from compat.damage.facts import Facts, file_facts
from compat.damage.opening import KafkaOpener, KlammOpener, Opened
from compat.damage.reasons import explanation

VERDICTS = ("equal", "both refused", "explained", "unexplained")


class Opener(Protocol):
    """Kafka's or klamm's."""

    name: str

    def open(self, directory: Path, copy: Copy) -> Opened: ...


class Verdict(NamedTuple):
    """`reasons` are names, by which the differences are explained; `unexplained` has a line for each that is not."""

    copy: Copy
    kind: str
    reasons: list[str]
    unexplained: list[str]
    outcome: Outcome


def open_all(opener: Opener, copies: Sequence[Copy], masters: Path, place: Path) -> dict[int, tuple[Opened, Facts]]:
    """What a side makes of every copy, on copies of its own."""
    found = {}
    for copy in copies:
        directory = place / opener.name / f"d-{copy.number}"
        copy_sparse(masters / str(copy.number), directory)
        opened = opener.open(directory, copy)
        found[copy.number] = opened, {} if opened.refusal else file_facts(directory)
    return found


def open_baselines(opener: Opener, copies: Sequence[Copy], place: Path) -> dict[Any, Facts]:
    """What Kafka makes of the undamaged templates, for every recovery point and log start that occurs."""
    found: dict[Any, Facts] = {}
    for copy in copies:
        key = baseline_key(copy)
        if key not in found:
            directory = place / f"baseline-{len(found)}" / "d-0"
            copy_sparse(copy.template.directory, directory)
            opener.open(directory, copy)
            found[key] = file_facts(directory)
    return found


def baseline_key(copy: Copy) -> tuple[str, int, int]:
    return copy.template.name, copy.recovery_point, copy.log_start


def judge(outcome: Outcome) -> Verdict:
    """Compare both sides of one copy."""
    found = differences(outcome)
    wrong = faults(outcome)
    reasons, unexplained = [], [f"klamm is wrong in itself: {fault}" for fault in wrong]
    for difference in found:
        reason = explanation(outcome, difference)
        if reason is None:
            unexplained.append(str(difference))
        elif reason.name not in reasons:
            reasons.append(reason.name)
    if unexplained:
        kind = "unexplained"
    elif found:
        kind = "explained"
    else:
        kind = "both refused" if outcome.klamm.refusal else "equal"
    return Verdict(outcome.copy, kind, reasons, unexplained, outcome)


def judge_served(verdict: Verdict, kafka: Served, klamm: Served) -> Verdict:
    """The verdict of a copy that both brokers have served, too: what they told, and what they left."""
    outcome = verdict.outcome
    faults_told = told_faults(klamm.told, outcome.klamm, outcome.klamm_facts)
    unexplained = [*verdict.unexplained, *(f"klamm is wrong in itself: {fault}" for fault in faults_told)]
    reasons = list(verdict.reasons)
    ours = _without_own_epochs(klamm.facts, outcome.klamm.log_end)
    theirs = _without_own_epochs(kafka.facts, outcome.kafka.log_end)
    served = outcome._replace(kafka_facts=theirs, klamm_facts=ours)
    is_compacted = outcome.copy.template.name.startswith("compacted")
    found = [*differences(served), *told_differences(kafka.told, klamm.told, is_compacted=is_compacted)]
    for difference in found:
        reason = explanation(served, difference)
        if reason is not None:
            reasons += [] if reason.name in reasons else [reason.name]
        elif not (difference.name.startswith("told") and verdict.reasons):
            # What is told otherwise because files are otherwise has that reason.
            unexplained.append(f"served: {difference}")
    kind = verdict.kind
    if unexplained:
        kind = "unexplained"
    elif found and kind == "equal":
        kind = "explained"
    return verdict._replace(kind=kind, reasons=reasons, unexplained=unexplained)


def _without_own_epochs(facts: Facts, end: int) -> Facts:
    """Every start of a broker begins an epoch at the log's end, wherever it takes that to be."""
    epochs = facts["epochs"]
    return {**facts, "epochs": [row for row in epochs if row[1] < end] if isinstance(epochs, list) else epochs}


def judge_copies(place: Path, numbers: Iterable[int], seed: int, *, is_served: bool = False) -> list[Verdict]:
    """Make copies under `place`, have both sides open them, and compare; `is_served`: in brokers, too."""
    logging.getLogger("klamm").setLevel(logging.ERROR)
    masters = place / "masters"
    copies = make_copies(masters, numbers, seed)
    kafka = KafkaOpener(place)
    try:
        theirs = open_all(kafka, copies, masters, place)
        baselines = open_baselines(kafka, copies, place)
    finally:
        kafka.close()
    klamm = KlammOpener()
    try:
        ours = open_all(klamm, copies, masters, place)
    finally:
        klamm.close()
    verdicts = []
    for copy in copies:
        (kafka_opened, kafka_facts), (klamm_opened, klamm_facts) = theirs[copy.number], ours[copy.number]
        baseline, given = baselines[baseline_key(copy)], file_facts(masters / str(copy.number))
        outcome = Outcome(copy, kafka_opened, klamm_opened, kafka_facts, klamm_facts, baseline, given)
        verdicts.append(judge(outcome))
    if is_served:
        opened = [v.copy for v in verdicts if not v.outcome.kafka.refusal and not v.outcome.klamm.refusal]
        served = serve_all(opened, masters, place)
        known = served["kafka"]
        verdicts = [
            judge_served(v, known[v.copy.number], served["klamm"][v.copy.number]) if v.copy.number in known else v
            for v in verdicts
        ]
    return verdicts


def table(verdicts: Sequence[Verdict]) -> list[tuple[Kind, dict[str, int]]]:
    """Rows of kind of file and damage with the counts of the verdicts."""
    counts: Counter[tuple[Kind, str]] = Counter((verdict.copy.kinds[0], verdict.kind) for verdict in verdicts)
    kinds = sorted({kind for kind, _ in counts})
    return [(kind, {name: counts[kind, name] for name in VERDICTS}) for kind in kinds]


def unexplained_of(verdicts: Sequence[Verdict]) -> list[str]:
    """A text for each verdict that is not explained."""
    return [
        "\n".join([verdict.copy.label, *(f"    {line}" for line in verdict.unexplained)])
        for verdict in verdicts
        if verdict.kind == "unexplained"
    ]

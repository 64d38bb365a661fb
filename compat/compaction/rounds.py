"""The whole comparison: write, clean on both sides, compare; write more, wait for the horizons, and all again.

What the first round gives a delete horizon goes in the second; markers whose transactions went in the first get theirs
in the second and go in the third.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from compat.compaction import making
from compat.compaction.cleaning import Cleaned, by_kafka, by_klamm, kafka_time_ms
from compat.compaction.making import TOPIC, CleaningKafka, copy_of, create_topic
from compat.compaction.reading import Survivors, differences, read, survivors


class Round(NamedTuple):
    """One cleaning on both sides. `before` and `after` are the totals of the input and of what Kafka left."""

    name: str
    before: Survivors
    after: Survivors
    kafka: Cleaned
    klamm: Cleaned
    differences: list[str]

    @property
    def ratio(self) -> float:
        """klamm's time to Kafka's."""
        return self.klamm.seconds / self.kafka.seconds


def run(
    directory: Path,
    *,
    records: int = 100_000,
    keys: int = 1000,
    seed: int = 1,
    rounds: int = 3,
    jvm_options: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> list[Round]:
    """All rounds, in `directory`, which is left with the copies in it."""
    source = CleaningKafka(directory / "source", jvm_options=jvm_options)
    began = time.monotonic()
    with_topic(source, records, keys=keys, seed=seed)
    say(f"real Kafka has written {records} records of {keys} keys ({time.monotonic() - began:.0f} s)")
    done = []
    for n in range(rounds):
        if n:
            _write_more(source, keys=keys, seed=seed + n, leave_open=n == rounds - 1)
        cleaned, source = _round(f"round {n + 1}", directory, source, jvm_options)
        say(f"{cleaned.name}: {len(cleaned.differences)} differences ({time.monotonic() - began:.0f} s)")
        done.append(cleaned)
    return done


def _write_more(kafka: CleaningKafka, *, keys: int, seed: int, leave_open: bool) -> None:
    """Some segments more, and so long that what has a delete horizon may go."""
    ended = time.monotonic() + int(making.TOPIC_CONFIG["delete.retention.ms"]) / 1000
    kafka.clean_at(making.NEVER_MS)
    kafka.start()
    try:
        making.write(kafka, 15_000, keys=keys, seed=seed, leave_open=leave_open)
        kafka.stop()
    finally:
        kafka.kill()
    time.sleep(max(ended - time.monotonic(), 0))


def with_topic(kafka: CleaningKafka, records: int, *, keys: int, seed: int) -> None:
    """Start the node, have the topic written, stop it."""
    kafka.start()
    try:
        create_topic(kafka, making.TOPIC_CONFIG)
        making.write(kafka, records, keys=keys, seed=seed)
        kafka.stop()
    finally:
        kafka.kill()


def _round(
    name: str, directory: Path, source: CleaningKafka, jvm_options: Sequence[str]
) -> tuple[Round, CleaningKafka]:
    """Clean two copies of a stopped node's data; gives the node on Kafka's copy too."""
    ours = copy_of(source, directory / name / "klamm") / "data"
    kafka = CleaningKafka(copy_of(source, directory / name / "kafka"), like=source, jvm_options=jvm_options)
    theirs, original = kafka.data_dir / f"{TOPIC}-0", source.data_dir / f"{TOPIC}-0"
    took_kafka = by_kafka(kafka)
    took_klamm = by_klamm(ours, kafka_time_ms(theirs, original))
    found = differences(ours / f"{TOPIC}-0", theirs)
    if took_kafka.end_offset != took_klamm.end_offset:
        found.append(f"cleaned up to {took_klamm.end_offset} and not {took_kafka.end_offset}")
    before, after = survivors(read(original)), survivors(read(theirs))
    return Round(name, before, after, took_kafka, took_klamm, found), kafka

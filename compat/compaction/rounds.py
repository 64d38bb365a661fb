"""The whole comparison: write, clean on both sides, compare; write more, wait for the horizons, and all again.

What the first round gives a delete horizon goes in the second; markers whose transactions went in the first get theirs
in the second and go in the third.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from compat.compaction import making
from compat.compaction.cleaning import Cleaned, by_kafka, by_klamm, kafka_time_ms
from compat.compaction.making import TOPIC, CleaningKafka, copy_of, create_topic
from compat.compaction.reading import Survivors, differences, read, survivors
from klamm.log.cleaner.plan import CleanerSettings


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
    codecs: Sequence[str] = making.CODECS,
    jvm_options: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> list[Round]:
    """All rounds, in `directory`, which is left with the copies in it."""
    source = CleaningKafka(directory / "source", jvm_options=jvm_options)
    began = time.monotonic()
    with_topic(source, records, keys=keys, seed=seed, codecs=codecs)
    say(f"real Kafka has written {records} records of {keys} keys ({time.monotonic() - began:.0f} s)")
    done = []
    for n in range(rounds):
        if n:
            _write_more(source, keys=keys, seed=seed + n, codecs=codecs, leave_open=n == rounds - 1)
        cleaned, source = _round(f"round {n + 1}", directory, source, jvm_options)
        say(f"{cleaned.name}: {len(cleaned.differences)} differences ({time.monotonic() - began:.0f} s)")
        done.append(cleaned)
    return done


def _write_more(kafka: CleaningKafka, *, keys: int, seed: int, codecs: Sequence[str], leave_open: bool) -> None:
    """Some segments more, and so long that what has a delete horizon may go."""
    ended = time.monotonic() + int(making.TOPIC_CONFIG["delete.retention.ms"]) / 1000
    kafka.clean_at(making.NEVER_MS)
    kafka.start()
    try:
        making.write(kafka, 15_000, keys=keys, seed=seed, codecs=codecs, leave_open=leave_open)
        kafka.stop()
    finally:
        kafka.kill()
    time.sleep(max(ended - time.monotonic(), 0))


def run_with_small_map(
    directory: Path,
    *,
    records: int = 60_000,
    keys: int = 1_000_000,
    seed: int = 1,
    jvm_options: Sequence[str] = (),
) -> Round:
    """One cleaning in several passes: the keys do not fit the smallest map that Kafka takes.

    Each pass has its own time, so that delete horizons are not compared, and none passes meanwhile. Nothing is aborted:
    where a pass begins in the middle of a segment, Kafka takes a producer that has aborted earlier in the segment to go
    on aborting, and misses the keys of its next transaction (it keeps older records of them, which klamm removes).
    """
    config = {**making.TOPIC_CONFIG, "delete.retention.ms": "3600000"}
    buffer_bytes = (1 << 20) + 24
    source = CleaningKafka(directory / "source", jvm_options=jvm_options)
    with_topic(source, records, keys=keys, seed=seed, codecs=("none",), config=config, abort_share=0)
    ours = copy_of(source, directory / "klamm") / "data"
    kafka = CleaningKafka(copy_of(source, directory / "kafka"), like=source, jvm_options=jvm_options)
    kafka.properties["log.cleaner.dedupe.buffer.size"] = str(buffer_bytes)
    theirs = kafka.data_dir / f"{TOPIC}-0"
    took_kafka = by_kafka(kafka, to_the_end=True)
    settings = CleanerSettings(dedupe_buffer_bytes=buffer_bytes)
    took_klamm = by_klamm(ours, None, settings, config=config, to_the_end=True)
    found = differences(ours / f"{TOPIC}-0", theirs, with_horizons=False)
    if took_kafka.passes != took_klamm.passes:
        found.append(f"the dirty parts were {took_klamm.passes} and not {took_kafka.passes}")
    before, after = survivors(read(source.data_dir / f"{TOPIC}-0")), survivors(read(theirs))
    return Round("small map", before, after, took_kafka, took_klamm, found)


def with_topic(
    kafka: CleaningKafka,
    records: int,
    *,
    keys: int,
    seed: int,
    codecs: Sequence[str],
    config: Mapping[str, str] = making.TOPIC_CONFIG,
    abort_share: float = 0.4,
) -> None:
    """Start the node, have the topic written, stop it."""
    kafka.start()
    try:
        create_topic(kafka, config)
        making.write(kafka, records, keys=keys, seed=seed, codecs=codecs, abort_share=abort_share)
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
    if took_kafka.passes != took_klamm.passes:
        found.append(f"the dirty part was {took_klamm.passes} and not {took_kafka.passes}")
    before, after = survivors(read(original)), survivors(read(theirs))
    return Round(name, before, after, took_kafka, took_klamm, found), kafka

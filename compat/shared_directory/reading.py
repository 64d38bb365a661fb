"""All that a broker tells clients of its data, as one flat table: what two brokers tell of it must be equal.

Keys name the partition or group and the fact; values are plain. Only what a restart changes by right is left out: the
current leader epoch, and what a coordinator adds to its own log when it begins.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Mapping
from typing import Any

from compat.shared_directory.asking import EARLIEST, LATEST, MAX_TIMESTAMP, Asking
from compat.shared_directory.consuming import LEVELS, consume
from klamm.kproto import records
from klamm.kproto.messages.describe_configs import DescribeConfigsRequest
from klamm.kproto.messages.describe_producers import DescribeProducersRequest
from klamm.kproto.messages.fetch import FetchRequest
from klamm.kproto.messages.offset_fetch import OffsetFetchRequest
from klamm.kproto.messages.offset_for_leader_epoch import OffsetForLeaderEpochRequest

Reading = dict[str, Any]

OFFSETS = "__consumer_offsets"
INTERNAL = (OFFSETS, "__transaction_state", "__share_group_state")
LISTED = "aborted transactions in the answer"
FORGOTTEN = "producers that a restart forgets"
EXPIRATION_MS = 86_400_000
"""producer.id.expiration.ms"""
WHOLE = 64 << 20
PROBES = 60
PREFIX = "batches (a coordinator adds its own)"
UNCOMMITTED, COMMITTED = 0, 1


def read_all(bootstrap: str, groups: tuple[str, ...], seed: int = 1) -> Reading:
    """Every partition, every setting, every group of `groups`."""
    asking = Asking(bootstrap)
    found: Reading = {}
    try:
        asking.wait_for_all()
        topics = asking.topics()
        for name, (topic_id, partitions) in sorted(topics.items()):
            found[f"{name}: id"] = topic_id.hex()
            found[f"{name}: partitions"] = partitions
            found[f"{name}: settings"] = _settings(asking, name)
            for index in range(partitions):
                _read_partition(asking, name, topic_id, index, found, random.Random(f"{seed} {name} {index}"))
        clients = [(name, n) for name, (_, count) in topics.items() if name not in INTERNAL for n in range(count)]
        for level in LEVELS:
            for (name, index), told in consume(bootstrap, clients, level).items():
                found[f"{name}-{index}: records, {level}"] = told
        for group in groups:
            found[f"group {group}: offsets"] = _committed(asking, group)
    finally:
        asking.close()
    return found


def _settings(asking: Asking, topic: str) -> list[tuple[str, str]]:
    rows = [{"resource_type": 2, "resource_name": topic, "configuration_keys": None}]
    answer = asking.ask(DescribeConfigsRequest, 4, resources=rows).results[0]
    return sorted((c.name, c.value) for c in answer.configs if c.config_source == 1)


def _committed(asking: Asking, group: str) -> list[tuple[Any, ...]]:
    rows = [{"group_id": group, "member_id": None, "member_epoch": -1, "topics": None}]

    def committed() -> list[tuple[Any, ...]] | None:
        answer = asking.ask(OffsetFetchRequest, 9, groups=rows, require_stable=False).groups[0]
        if answer.error_code in (14, 15, 16):  # the coordinator loads
            return None
        return sorted(
            (t.name, p.partition_index, p.committed_offset, p.committed_leader_epoch, p.metadata, p.error_code)
            for t in answer.topics
            for p in t.partitions
        )

    return asking.until(f"offsets of {group}", committed)


def _read_partition(
    asking: Asking, topic: str, topic_id: bytes, index: int, found: Reading, chance: random.Random
) -> None:
    key = f"{topic}-{index}"
    start = asking.offset(topic, index, EARLIEST)
    end = asking.offset(topic, index, LATEST).offset
    if topic in INTERNAL:
        found[f"{key}: {PREFIX}"] = _prefix(asking, topic_id, index, start.offset, end)
        return
    data, epochs, times = _walk(asking, topic_id, index, start.offset, end, UNCOMMITTED)
    found[f"{key}: batches"] = data
    # Of a log that was cut at its start Kafka may tell an older epoch, if it was killed before it had noted the cut.
    found[f"{key}: earliest"] = start.offset if start.offset or not end else start
    found[f"{key}: latest"] = end
    found[f"{key}: stable"] = stable = asking.offset(topic, index, LATEST, COMMITTED).offset
    found[f"{key}: of the highest timestamp"] = asking.offset(topic, index, MAX_TIMESTAMP)
    found[f"{key}: committed batches"] = _walk(asking, topic_id, index, start.offset, stable, COMMITTED)[0]
    asked = sorted({t + d for t in times for d in (-1, 0, 1) if t + d >= 0})
    for at in chance.sample(asked, min(len(asked), PROBES)):
        found[f"{key}: by time {at}"] = tuple(asking.offset(topic, index, at, i) for i in (UNCOMMITTED, COMMITTED))
    for offset in chance.sample(range(start.offset, end), min(end - start.offset, PROBES)):
        for isolation, last in ((UNCOMMITTED, end), (COMMITTED, stable)):
            if offset < last:
                told, aborted = _probe(asking, topic_id, index, offset, isolation)
                found[f"{key}: from {offset}, {isolation}"] = told
                if aborted:
                    found[f"{key}: from {offset}, {LISTED}"] = aborted
    for epoch in sorted(epochs):
        found[f"{key}: end of epoch {epoch}"] = _epoch_end(asking, topic, index, epoch)
    producers = _producers(asking, topic, index)
    found[f"{key}: producers"] = [row for row in producers if _is_remembered(row)]
    found[f"{key}: {FORGOTTEN}"] = [row for row in producers if not _is_remembered(row)]


def _fetch(asking: Asking, topic_id: bytes, index: int, offset: int, isolation: int, max_bytes: int) -> Any:
    row = {"partition": index, "fetch_offset": offset, "partition_max_bytes": max_bytes}
    rows = [{"topic_id": topic_id, "partitions": [row]}]
    answer = asking.ask(
        FetchRequest, 16, max_wait_ms=0, min_bytes=0, max_bytes=WHOLE, isolation_level=isolation, topics=rows
    )
    got = answer.responses[0].partitions[0]
    if answer.error_code or got.error_code:
        raise LookupError(f"Fetch from {offset}: error {answer.error_code or got.error_code}")
    return got


def _walk(
    asking: Asking, topic_id: bytes, index: int, offset: int, end: int, isolation: int
) -> tuple[list[Any], set[int], set[int]]:
    """Whole segments from `offset` to `end`: what each fetch gave, the epochs and the timestamps in it."""
    told: list[Any] = []
    epochs: set[int] = set()
    times: set[int] = set()
    while offset < end:
        got = _fetch(asking, topic_id, index, offset, isolation, WHOLE)
        data = bytes(got.records or b"")
        if not data:
            told.append((offset, "nothing"))
            break
        last = offset
        for batch in records.batches(data):
            epochs.add(batch.partition_leader_epoch)
            times.update((batch.base_timestamp, batch.max_timestamp))
            last = batch.next_offset
        told.append((offset, last, len(data), hashlib.sha256(data).hexdigest()[:16], _aborted(got)))
        offset = last
    return told, epochs, times


def _prefix(asking: Asking, topic_id: bytes, index: int, offset: int, end: int) -> list[tuple[int, int, int]]:
    """The batches of a coordinator's partition."""
    told = []
    while offset < end:
        for batch in records.batches(bytes(_fetch(asking, topic_id, index, offset, UNCOMMITTED, WHOLE).records)):
            told.append((batch.base_offset, batch.size_bytes, batch.crc))
            offset = batch.next_offset
    return told


def _aborted(got: Any) -> list[tuple[int, int]] | None:
    rows = got.aborted_transactions
    return None if rows is None else sorted((row.producer_id, row.first_offset) for row in rows)


def _probe(
    asking: Asking, topic_id: bytes, index: int, offset: int, isolation: int
) -> tuple[tuple[Any, ...], list[tuple[int, int]] | None]:
    """The one batch that a fetch of a single byte gets, with those aborted transactions that it can be of; and all.

    How many more a broker tells depends on where its index has entries, which recovery may place anew.
    """
    got = _fetch(asking, topic_id, index, offset, isolation, 1)
    batch = next(records.batches(bytes(got.records)))
    aborted = _aborted(got)
    of_it = aborted and [row for row in aborted if row[1] <= batch.last_offset]
    return (batch.base_offset, batch.size_bytes, batch.crc, batch.partition_leader_epoch, of_it), aborted


def _epoch_end(asking: Asking, topic: str, index: int, epoch: int) -> tuple[int, int]:
    rows = [{"topic": topic, "partitions": [{"partition": index, "leader_epoch": epoch}]}]
    answer = asking.ask(OffsetForLeaderEpochRequest, 4, replica_id=-1, topics=rows).topics[0].partitions[0]
    return answer.leader_epoch, answer.end_offset


def _is_remembered(producer: tuple[int, ...]) -> bool:
    """Whether the producer outlives a restart: its last record is not old, or its transaction is open."""
    return time.time() * 1000 - producer[3] < EXPIRATION_MS / 2 or producer[5] >= 0


def _producers(asking: Asking, topic: str, index: int) -> list[tuple[int, ...]]:
    answer = asking.ask(DescribeProducersRequest, 0, topics=[{"name": topic, "partition_indexes": [index]}])
    return sorted(
        (p.producer_id, p.producer_epoch, p.last_sequence, p.last_timestamp, p.coordinator_epoch,
         p.current_txn_start_offset)
        for p in answer.topics[0].partitions[0].active_producers
    )  # fmt: skip


def differences(left: Mapping[str, Any], right: Mapping[str, Any], over_restart: bool = True) -> list[str]:
    """A line for every fact that two readings tell differently; `over_restart`: a restart lies between them."""
    lines = []
    for key in sorted({*left, *right}):
        if over_restart and key.endswith((FORGOTTEN, LISTED)):
            continue
        a, b = left.get(key, "not told"), right.get(key, "not told")
        if key.endswith(PREFIX) and isinstance(a, list) and isinstance(b, list):
            a, b = a[: len(b)], b[: len(a)]
        if a != b and not _is_known(key, a, b):
            lines.append(f"{key}: {_cut(a, b)} | {_cut(b, a)}")
    return lines


def _is_known(key: str, left: Any, right: Any) -> bool:
    """Kafka looks for a time in one segment only, be its records deleted or compacted away (docs/differences.md)."""
    topic, _, fact = key.partition("-")
    if topic not in ("deleted", "both", "compacted") or " by time " not in fact or "not told" in (left, right):
        return False
    return bool((left[0].offset < 0) != (right[0].offset < 0))


def _cut(value: Any, other: Any) -> str:
    if isinstance(value, list) and isinstance(other, list):
        value = [item for item in value if item not in other]
    text = repr(value)
    return text if len(text) < 400 else f"{text[:400]}…"

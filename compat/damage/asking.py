"""What a consumer is told of every partition, by raw requests: offsets by ListOffsets, records by Fetch.

`expected` says the same from the files of a log, so that klamm's answers are checked without looking at Kafka's.
"""

from __future__ import annotations

import itertools
import operator
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from compat.damage.comparing import spans
from compat.damage.facts import Facts, sound_batches
from compat.damage.opening import Opened
from compat.differential.run import fit
from klamm.kproto import errors, records
from klamm.kproto.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from klamm.kproto.messages.fetch import FetchRequest, FetchResponse
from klamm.kproto.messages.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from klamm.testing.wire import WireClient

TOPIC: Final = "d"
TIMES: Final = (4_000_000_000_000, 4_000_000_103_000, 4_000_000_209_000, 5_000_000_000_000)
"""Before all records, in the first half, near the end, after all.

The first two are not compared where compaction was: Kafka's lookup ends in a segment whose late batches it has emptied.
"""
_OFFSETS_VERSION, _FETCH_VERSION, _CREATE_VERSION = 8, 12, 5
_SETTLE_TIMEOUT_S = 60.0
_RETRIED = {
    errors.LEADER_NOT_AVAILABLE, errors.NOT_LEADER_OR_FOLLOWER, errors.UNKNOWN_TOPIC_OR_PARTITION,
    errors.OFFSET_NOT_AVAILABLE,
}  # fmt: skip

Told = dict[str, Any]


class Asking:
    """A connection to one broker whose topic `d` has the copies as partitions."""

    def __init__(self, bootstrap: str) -> None:
        self._wire = WireClient(bootstrap, 60.0, "damage")

    def close(self) -> None:
        self._wire.close()

    def create_topic(self, partitions: int, settings: dict[str, str]) -> None:
        configs = [{"name": name, "value": value} for name, value in settings.items()]
        topic = {"name": TOPIC, "num_partitions": partitions, "replication_factor": 1, "configs": configs}
        request = fit(CreateTopicsRequest, _CREATE_VERSION, topics=[topic], timeout_ms=30_000)
        answer = self._wire.ask(request, _CREATE_VERSION, CreateTopicsResponse)
        if answer.topics[0].error_code != errors.NONE:
            raise RuntimeError(f"CreateTopics: {answer.topics[0].error_message}")
        self._settled(list(range(partitions)))

    def ask(self, partitions: list[int]) -> dict[int, Told]:
        """All that is told of those partitions."""
        told: dict[int, Told] = {partition: {} for partition in partitions}
        latest = self._settled(partitions)
        questions: dict[str, tuple[int, int]] = {
            "earliest": (-2, 0), "latest": (-1, 0), "latest committed": (-1, 1), "max timestamp": (-3, 0),
            **{f"by time {at}": (at, 0) for at in TIMES},
        }  # fmt: skip
        for name, (timestamp, isolation) in questions.items():
            rows = latest if name == "latest" else self._offsets(partitions, timestamp, isolation)
            for partition, row in rows.items():
                # A latest offset has no timestamp; epochs of the brokers' own restarts are not the log's.
                told[partition][name] = row[:3] if timestamp not in (-1, -2) else (row[0], row[2])
        for partition in partitions:
            start = told[partition]["earliest"][1]
            for isolation, name in ((0, "records"), (1, "committed")):
                told[partition][name] = self._read(partition, start, isolation)
        return told

    def _offsets(self, partitions: list[int], timestamp: int, isolation: int) -> dict[int, tuple[int, int, int]]:
        """(error, timestamp, offset) by partition."""
        rows = [{"partition_index": n, "current_leader_epoch": -1, "timestamp": timestamp} for n in partitions]
        topics = [{"name": TOPIC, "partitions": rows}]
        request = fit(ListOffsetsRequest, _OFFSETS_VERSION, replica_id=-1, isolation_level=isolation, topics=topics)
        answer = self._wire.ask(request, _OFFSETS_VERSION, ListOffsetsResponse)
        return {row.partition_index: (row.error_code, row.timestamp, row.offset) for row in answer.topics[0].partitions}

    def _settled(self, partitions: list[int]) -> dict[int, tuple[int, int, int]]:
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        while True:
            rows = self._offsets(partitions, -1, 0)
            if not any(row[0] in _RETRIED for row in rows.values()) or time.monotonic() > deadline:
                return rows
            time.sleep(0.1)

    def _read(self, partition: int, start: int, isolation: int) -> Told:
        """The batches from `start` on, as (offset, sound) pairs, their bytes, and the aborted transactions told."""
        offset = start
        found: Told = {"error": 0, "batches": {}, "aborted": set(), "start": -1, "stable": -1, "end": -1}
        while True:
            answer = self._fetch(partition, offset, isolation)
            found["error"] = answer.error_code
            found["start"], found["stable"] = answer.log_start_offset, answer.last_stable_offset
            found["end"] = answer.high_watermark
            found["aborted"] |= {(row.producer_id, row.first_offset) for row in answer.aborted_transactions or ()}
            data = bytes(answer.records or b"")
            batches, _ = spans(data)
            ends = [*list(batches)[1:], spans(data)[1]] if batches else []
            after = offset
            for (at, (base, last, _)), end in zip(batches.items(), ends, strict=True):
                found["batches"][base] = data[at:end]
                after = max(after, last + 1)
            if after == offset or answer.error_code:
                found["aborted"] = sorted(found["aborted"])
                return found
            offset = after

    def _fetch(self, partition: int, offset: int, isolation: int) -> Any:
        row = {
            "partition": partition, "current_leader_epoch": -1, "fetch_offset": offset, "last_fetched_epoch": -1,
            "log_start_offset": -1, "partition_max_bytes": 1 << 24,
        }  # fmt: skip
        request = fit(
            FetchRequest, _FETCH_VERSION, replica_id=-1, max_wait_ms=0, min_bytes=0, max_bytes=1 << 25,
            isolation_level=isolation, session_id=0, session_epoch=-1, topics=[{"topic": TOPIC, "partitions": [row]}],
        )  # fmt: skip
        return self._wire.ask(request, _FETCH_VERSION, FetchResponse).responses[0].partitions[0]


def is_sound(base: int, data: bytes) -> bool:
    """Whether all batches of a segment are whole and sound, with offsets that rise from its base on."""
    batches, end = spans(data)
    offsets = [base - 1, *(offset for first, last, _ in batches.values() for offset in (first, last))]
    rises = all(one <= other for one, other in itertools.pairwise(offsets))
    return end == len(data) and len(sound_batches(data)) == len(batches) and rises


def expected(opened: Opened, facts: Facts) -> Told:
    """What those files and offsets make a broker tell, as far as their batches are sound."""
    told: Told = {
        "earliest": (0, opened.log_start),
        "latest": (0, opened.log_end),
        "latest committed": (0, opened.last_stable),
    }
    if not all(is_sound(base, data) for base, data in facts["log"].items()):
        return told
    batches = _readable(facts["log"], opened.log_start, opened.log_end)
    for at in TIMES:
        # Time is looked up segment by segment, whatever the log start.
        told[f"by time {at}"] = _first(batches, opened.log_start, partial(operator.le, at))
    told["batches"] = batches
    told["committed batches"] = {base: data for base, data in batches.items() if base < opened.last_stable}
    return told


def _first(batches: dict[int, bytes], start: int, is_wanted: Callable[[int], bool]) -> tuple[int, int, int]:
    for data in batches.values():
        for batch in records.batches(data):
            for record in records.iter_records(batch):
                if record.offset >= start and is_wanted(record.timestamp):
                    return 0, record.timestamp, record.offset
    return 0, -1, -1


def _readable(logs: dict[int, bytes], start: int, end: int) -> dict[int, bytes]:
    """The batches that a consumer meets who begins at `start`, by base offset.

    A segment whose next batch lies in the range of the following one is a file under a wrong name, and passed over.
    """
    found: dict[int, bytes] = {}
    bases = sorted(logs)
    offset = start
    while offset < end:
        place = max([n for n, base in enumerate(bases) if base <= offset], default=0)
        after = offset
        for base, following in zip(bases[place:], [*bases[place + 1 :], end], strict=True):
            batches, stop = spans(logs[base])
            ends = [*list(batches)[1:], stop] if batches else []
            for (at, (first, last, _)), behind in zip(batches.items(), ends, strict=True):
                if last >= after and first < end:
                    if after == offset and first >= following:
                        break
                    found[first] = logs[base][at:behind]
                    after = last + 1
            if after > offset:
                break
        if after == offset:
            break
        offset = after
    return found

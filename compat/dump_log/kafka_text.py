"""The output of kafka-dump-log as facts, in the names of `klamm log dump --json`.

Every line must be understood: one that is not is an error of the comparison, not something to pass over.
"""

from __future__ import annotations

import json
import re
from typing import Any

Fact = dict[str, Any]

_BATCH = re.compile(
    r"baseOffset: (?P<base_offset>-?\d+) lastOffset: (?P<last_offset>-?\d+) count: (?P<count>-?\d+)"
    r" baseSequence: (?P<base_sequence>-?\d+) lastSequence: (?P<last_sequence>-?\d+)"
    r" producerId: (?P<producer_id>-?\d+) producerEpoch: (?P<producer_epoch>-?\d+)"
    r" partitionLeaderEpoch: (?P<partition_leader_epoch>-?\d+) isTransactional: (?P<is_transactional>true|false)"
    r" isControl: (?P<is_control>true|false) deleteHorizonMs: OptionalLong(?P<delete_horizon_ms>\.empty|\[-?\d+\]) "
)
_LEGACY = re.compile(r"offset: (?P<last_offset>-?\d+) ")
_FRAME = re.compile(
    r"position: (?P<position>\d+) (?P<timestamp_type>\w+): (?P<max_timestamp>-?\d+) size: (?P<size>\d+)"
    r" magic: (?P<magic>-?\d+) compresscodec: (?P<compression>\w+)"
    r" crc: (?P<crc>\d+) isvalid: (?P<is_valid>true|false)\Z"
)
_RECORD = re.compile(
    r"\| offset: (?P<offset>-?\d+) (?P<timestamp_type>\w+): (?P<timestamp>-?\d+) keySize: (?P<key_size>-?\d+)"
    r" valueSize: (?P<value_size>-?\d+)(?: sequence: (?P<sequence>-?\d+) headerKeys: \[(?P<header_keys>.*?)\])?"
    r"(?P<legacy> isValid: \w+ crc: \d+)?(?P<rest>.*)\Z", re.DOTALL,
)  # fmt: skip
_MARKER = re.compile(r" endTxnMarker: (?P<type>\w+) coordinatorEpoch: (?P<epoch>-?\d+)\Z")
_CONTROL = re.compile(
    r" (?P<type>LeaderChange:|SnapshotHeader|SnapshotFooter|KRaftVersion|KRaftVoters) (?P<json>\{.*\})\Z"
)
_CONTROL_TYPES = {
    "LeaderChange:": "LEADER_CHANGE",
    "SnapshotHeader": "SNAPSHOT_HEADER",
    "SnapshotFooter": "SNAPSHOT_FOOTER",
    "KRaftVersion": "KRAFT_VERSION",
    "KRaftVoters": "KRAFT_VOTERS",
}
_CONTENTS = re.compile(r"(?: ?key: (?P<key>.*?))?(?: ?payload: (?P<payload>.*))?\Z", re.DOTALL)
_PRODUCER = re.compile(
    r"producerId: (?P<producer_id>-?\d+) producerEpoch: (?P<producer_epoch>-?\d+)"
    r" coordinatorEpoch: (?P<coordinator_epoch>-?\d+)"
    r" currentTxnFirstOffset: OptionalLong(?P<current_txn_first_offset>\.empty|\[-?\d+\])"
    r" lastTimestamp: (?P<last_timestamp>-?\d+)"
    r"(?: firstSequence: (?P<first_sequence>-?\d+) lastSequence: (?P<last_sequence>-?\d+)"
    r" lastOffset: (?P<last_offset>-?\d+) offsetDelta: (?P<offset_delta>-?\d+) timestamp: (?P<timestamp>-?\d+))?\Z"
)
_SIMPLE = (
    ("log_start", re.compile(r"Log starting offset: (?P<base_offset>\d+)\Z")),
    ("snapshot_start", re.compile(r"Snapshot end offset: (?P<end_offset>\d+), epoch: (?P<epoch>\d+)\Z")),
    ("index_entry", re.compile(r"offset: (?P<offset>-?\d+) position: (?P<position>-?\d+)\Z")),
    ("time_index_entry", re.compile(r"timestamp: (?P<timestamp>-?\d+) offset: (?P<offset>-?\d+)\Z")),
    (
        "aborted_txn",
        re.compile(
            r"version: (?P<version>-?\d+) producerId: (?P<producer_id>-?\d+) firstOffset: (?P<first_offset>-?\d+)"
            r" lastOffset: (?P<last_offset>-?\d+) lastStableOffset: (?P<last_stable_offset>-?\d+)\Z"
        ),
    ),
    ("trailing_bytes", re.compile(r"Found (?P<size>\d+) invalid bytes at the end of .*\Z")),
)
_PAIRS = (
    ("non_consecutive", re.compile(r"  (?P<offset>-?\d+) is followed by (?P<next_offset>-?\d+)\Z")),
    ("index_mismatch", re.compile(r"  Index offset: (?P<index_offset>-?\d+), log offset: (?P<log_offset>-?\d+)\Z")),
    (
        "time_index_mismatch",
        re.compile(r"  Index timestamp: (?P<index_timestamp>-?\d+), log timestamp: (?P<log_timestamp>-?\d+)\Z"),
    ),
    (
        "time_index_out_of_order",
        re.compile(
            r"  Index timestamp: (?P<index_timestamp>-?\d+),"
            r" Previously indexed timestamp: (?P<previous_timestamp>-?\d+)\Z"
        ),
    ),
)
_NOT_FOUND = re.compile(r"Indexed offset: (?P<index_offset>-?\d+), found log offset: (?P<log_offset>-?\d+)\Z")
_TITLE = re.compile(
    r"(?:Mismatches in :|Found timestamp mismatch in :|Found out of order timestamp in :"
    r"|Non-consecutive offsets in )(.*)\Z"
)


class NotUnderstood(Exception):
    """A line that kafka-dump-log should not have printed."""


class KafkaFacts:
    """What one run said of one file. `raised`: the error it ended with, for the last file of a run that failed."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.raised: str | None = None


def parse(out: str, err: str, has_failed: bool) -> dict[str, KafkaFacts]:
    """The facts by file."""
    found: dict[str, KafkaFacts] = {}
    current = KafkaFacts()
    lines = out.split("\n")
    for number, line in enumerate(lines):
        if line.startswith("Dumping "):
            current = found.setdefault(line.removeprefix("Dumping "), KafkaFacts())
        elif line and not (has_failed and number == len(lines) - 1):  # it stopped within a line
            try:
                current.facts.append(_line(line))
            except NotUnderstood:
                last = current.facts[-1] if current.facts else {}
                if last.get("value") is None:
                    raise
                last["value"] += f"\n{line}"  # damage has put a line end into a text
    problems = _problems(found, err)
    if has_failed:
        current.raised = problems or err.strip().split("\n")[0]
    elif problems is not None:
        if len(found) != 1:
            raise NotUnderstood(problems)
        current.facts.append({"fact": "damage", "message": problems})  # a snapshot that is refused in a sentence
    return found


def _problems(found: dict[str, KafkaFacts], err: str) -> str | None:
    """File what was said on standard error; gives the first sentence that belongs to nothing."""
    current: KafkaFacts | None = None
    odd: str | None = None
    for line in err.split("\n"):
        if not line or line.startswith("The following indexed offsets are not found"):
            continue
        if title := _TITLE.match(line):
            current = found[title[1]]
        elif match := _NOT_FOUND.match(line):
            # These lines do not say which file they are about.
            if len(found) != 1:
                raise NotUnderstood(line)
            next(iter(found.values())).facts.append({"fact": "time_index_offset_not_found", **_numbers(match)})
        else:
            for kind, pattern in _PAIRS:
                if current is not None and (match := pattern.match(line)):
                    current.facts.append({"fact": kind, **_numbers(match)})
                    break
            else:
                odd = odd or line
    return odd


def _numbers(match: re.Match[str]) -> Fact:
    return {name: int(value) for name, value in match.groupdict().items() if value is not None}


def _value(text: str | None) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text is None or text == ".empty":
        return None
    if text.startswith("["):
        return int(text[1:-1])
    return int(text) if text.lstrip("-").isdigit() else text


def _line(line: str) -> Fact:
    if line.startswith("|"):
        return _record(line)
    for kind, pattern in _SIMPLE:
        if match := pattern.match(line):
            return {"fact": kind, **_numbers(match)}
    if match := _BATCH.match(line) or _LEGACY.match(line):
        frame = _FRAME.match(line, match.end())
        if frame is not None:
            groups = {**match.groupdict(), **frame.groupdict()}
            return {"fact": "batch", **{name: _value(value) for name, value in groups.items()}}
    if match := _PRODUCER.match(line):
        groups = match.groupdict()
        optional = ("first_sequence", "last_sequence", "last_offset", "offset_delta", "timestamp")
        return {
            "fact": "producer",
            **{n: _value(v) for n, v in groups.items() if not (n in optional and v is None)},
        }
    if line == "KRaft bootstrap snapshot":
        return {"fact": "snapshot_start", "is_bootstrap": True}
    if line.endswith(" is empty."):
        return {"fact": "empty"}
    if line.endswith(" passed sanity check."):
        return {"fact": "sanity", "is_sane": True}
    raise NotUnderstood(line)


def _record(line: str) -> Fact:
    match = _RECORD.match(line)
    if match is None:  # --skip-record-metadata
        return {"fact": "record", **_contents(line[1:])}
    fact: Fact = {"fact": "record"}
    for name in ("offset", "timestamp", "key_size", "value_size", "sequence"):
        if match[name] is not None:
            fact[name] = int(match[name])
    if match["header_keys"] is not None:
        fact["header_keys"] = match["header_keys"].split(",") if match["header_keys"] else []
    rest = match["rest"]
    if marker := _MARKER.match(rest):
        return fact | {"control_type": marker["type"], "control": {"coordinatorEpoch": int(marker["epoch"])}}
    if control := _CONTROL.match(rest):
        return fact | {"control_type": _CONTROL_TYPES[control["type"]], "control": json.loads(control["json"])}
    return fact | _contents(rest)


def _contents(text: str) -> Fact:
    """`key` and `value` as they are printed; nothing for a record that is printed without contents."""
    match = _CONTENTS.match(text)
    if match is None:
        raise NotUnderstood(text)
    return {"key": match["key"], "value": match["payload"]}

"""kafka-dump-log's facts of a file held against klamm's, field by field.

What klamm tells beyond Kafka's tool (headers' values, messages, places) is left out; what Kafka's tool tells oddly is
brought into the form of the file itself, each such rule with its reason.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from compat.dump_log.kafka_text import Fact, KafkaFacts
from klamm.log.dump.facts import is_odd_control

_ALL_FIELDS = {
    "batch": ("base_offset", "last_offset", "count", "base_sequence", "last_sequence", "producer_id", "producer_epoch",
              "partition_leader_epoch", "is_transactional", "is_control", "delete_horizon_ms", "position",
              "timestamp_type", "max_timestamp", "size", "magic", "compression", "crc", "is_valid"),
    "record": ("offset", "timestamp", "key_size", "value_size", "sequence", "header_keys", "control_type", "control",
               "key", "value"),
    "log_start": ("base_offset",),
    "snapshot_start": ("end_offset", "epoch", "is_bootstrap"),
    "trailing_bytes": ("size",),
    "sanity": ("is_sane",),
    "damage": (),
}  # fmt: skip
_PROBLEMS = ("non_consecutive", "index_mismatch", "time_index_mismatch", "time_index_out_of_order",
             "time_index_offset_not_found")  # fmt: skip


_SHOWN = ("key", "value", "error")
_SILENT = {
    "no multiple of": "bytes that are no whole entry: Kafka's tool tells them with --index-sanity-check only",
    "behind zeros": "zeros in the middle of an index end it for Kafka's tool, which does not look for more",
    "which Kafka reads as version 0": "of the version in a .txnindex Kafka looks at one byte of two, and at its sign",
}


class Compared(NamedTuple):
    """`differences` are sentences; `explained` counts by reason what the rules below brought into line."""

    facts: int
    fields: int
    differences: list[str]
    explained: list[str]


def compare(kafka: KafkaFacts, klamm: list[Fact], is_bare: bool = False) -> Compared:
    """One file, by one run of each. `is_bare`: with --skip-record-metadata, which prints records without offsets."""
    is_empty = any(fact["fact"] == "empty" for fact in klamm)
    # Only of an empty offset index says Kafka's tool that it is empty.
    ours = [fact for fact in klamm if fact["fact"] not in ("file", "empty")]
    theirs = [fact for fact in kafka.facts if fact["fact"] != "empty"]
    if is_empty and klamm[0]["size"] and (theirs or kafka.raised):
        # A preallocated index that nothing was written to: Kafka's tool shows the zeros as an entry of the base
        # offset (and holds it against the log), though its own broker counts it as none.
        return Compared(1, 1, [], ["the zeros of an index without entries are shown as an entry"])
    damaged = next((i for i, fact in enumerate(ours) if fact["fact"] == "damage" or is_odd_control(fact)), None)
    differences: list[str] = []
    explained: list[str] = []
    our_problems = {_key(fact) for fact in ours if fact["fact"] in _PROBLEMS}
    their_problems = {_key(fact) for fact in theirs if fact["fact"] in _PROBLEMS}
    if first := {p for p in their_problems if p[0] == "non_consecutive" and ("offset", "-1") in p[1:]}:
        # The tool begins to count at -1, whatever the first offset is.
        their_problems -= first
        explained.append("the first offset of a segment is said to follow -1")
    ours_plain = [_plain(fact, is_bare) for fact in ours if fact["fact"] not in _PROBLEMS]
    if is_bare:  # control records and records without key and value are empty lines then
        ours_plain = [f for f in ours_plain if f["fact"] != "record" or any(f.get(n) is not None for n in _SHOWN)]
    theirs_plain = [_read(fact) for fact in theirs if fact["fact"] not in _PROBLEMS]
    if kafka.raised is not None or any(fact["fact"] == "damage" for fact in theirs):
        # Kafka's tool ends at the first damage, klamm's goes on: what stands before it must be the same.
        insane = any(fact == {"fact": "sanity", "is_sane": False} for fact in ours_plain)
        if damaged is None and not insane:
            differences.append(f"kafka-dump-log ends with {kafka.raised!r}, klamm finds no damage")
        ours_plain = [fact for fact in ours_plain if fact["fact"] != "damage"][: len(theirs_plain)]
        if insane:
            ours_plain = []
        their_problems = our_problems = set()  # they would have been printed at the end
        theirs_plain = [fact for fact in theirs_plain if fact["fact"] != "damage"]
        ours_plain = ours_plain[: len(theirs_plain)]
    elif damaged is not None:
        message = ours[damaged].get("message") or ours[damaged]["error"]
        if reason := next((reason for word, reason in _SILENT.items() if word in message), None):
            explained.append(reason)
        else:
            differences.append(f"klamm finds damage, kafka-dump-log none: {message}")
        ours_plain = [fact for fact in ours_plain if fact["fact"] != "damage"]
    unequal = sorted(our_problems ^ their_problems)
    differences += [f"only {'klamm' if row in our_problems else 'kafka-dump-log'} tells {row}" for row in unequal]
    if len(ours_plain) != len(theirs_plain):
        differences.append(f"{len(theirs_plain)} facts of kafka-dump-log, {len(ours_plain)} of klamm")
    fields = len(our_problems) + sum(len(fact) - 1 for fact in theirs_plain)
    for their, our in zip(theirs_plain, ours_plain, strict=False):
        if their != our:
            if (
                their["fact"] == "batch"
                and their == {**our, "last_sequence": their["last_sequence"]}
                and not our["is_valid"]
            ):
                explained.append("the sum of two numbers of a damaged header leaves int32")
                continue
            if their["fact"] == "batch" and their["magic"] > 2 and their == {**our, "is_valid": their["is_valid"]}:
                explained.append("a version above 2, which no checksum covers: Kafka's tool calls such a batch valid")
                continue
            wrong = {n: (their.get(n), our.get(n)) for n in their.keys() | our.keys() if their.get(n) != our.get(n)}
            differences.append(f"{their['fact']} {their.get('base_offset', their.get('offset'))}: {wrong}")
            if len(ours_plain) != len(theirs_plain):
                break  # from here on they are out of step
    return Compared(len(theirs_plain) + len(their_problems), fields, differences, explained)


def _key(fact: Fact) -> tuple[Any, ...]:
    return (fact["fact"], *sorted((n, str(v)) for n, v in fact.items() if n not in ("fact", "file", "message")))


def _read(fact: Fact) -> Fact:
    """A fact of Kafka's tool with its JSON read."""
    if fact["fact"] != "record" or "control_type" in fact:
        return fact
    fact = dict(fact)
    for side in ("key", "value"):
        text = fact.get(side)
        if text is None or text == "<DELETE>":
            fact[side] = None
        elif text.startswith("{"):
            fact[side] = _numbered(json.loads(text))
        elif "skipping." in text:
            return {**{n: v for n, v in fact.items() if n not in ("key", "value")}, "error": True}
    return fact


def _numbered(value: Any) -> Any:
    """The record type and version of a coordinator's record are printed as text."""
    for name in ("type", "version"):
        if isinstance(value, dict) and isinstance(value.get(name), str) and value[name].lstrip("-").isdigit():
            value[name] = int(value[name])
    return value


def _plain(fact: Fact, is_bare: bool) -> Fact:
    """A fact of klamm's with what Kafka's tool can tell."""
    kind = fact["fact"]
    plain: Fact = {"fact": kind}
    names = _ALL_FIELDS.get(kind)
    for name, value in fact.items():
        if name not in ("fact", "file") and (names is None or name in names):
            plain[name] = value
    if kind != "record" or "control_type" in fact:
        return plain
    if fact.get("error"):
        hidden = ("key", "value", "offset") if is_bare else ("key", "value")
        return {**{n: v for n, v in plain.items() if n not in hidden}, "error": True}
    plain.setdefault("key", None)
    plain.setdefault("value", None)
    if isinstance(plain["key"], dict):
        plain["key"] = {name: value for name, value in plain["key"].items() if name != "name"}
    if is_bare:
        del plain["offset"]
    return plain

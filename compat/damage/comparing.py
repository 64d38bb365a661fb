"""What klamm and Kafka made of one damaged copy: the differences, and whether what klamm has is right in itself.

Right in itself, whatever Kafka did: every batch that a consumer would take for sound is one that was written, and every
index entry points at the batch that it names.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from compat.damage.copies import Copy
from compat.damage.facts import Facts, sound_batches
from compat.damage.opening import Opened
from compat.damage.template import INDEX_INTERVAL_BYTES
from klamm.kproto.records import ATTRIBUTES_AT, HEADER, HEADER_SIZE, LOG_OVERHEAD, MAGIC, crc32c

_ADDING = ("offset overflow", "old message format")
"""Damages that add batches which nobody has written."""


class Difference(NamedTuple):
    """One value that is not the same; `field` is its name, with the segment's base offset behind a colon."""

    field: str
    kafka: Any
    klamm: Any

    @property
    def name(self) -> str:
        return self.field.partition(":")[0]

    @property
    def offset(self) -> int:
        return int(self.field.partition(":")[2] or -1)

    def __str__(self) -> str:
        return f"{self.field}: kafka {_short(self.kafka, self.klamm)}, klamm {_short(self.klamm, self.kafka)}"


class Outcome(NamedTuple):
    """One copy on both sides; the facts of a side that refused are empty. `baseline` is Kafka's of an undamaged one."""

    copy: Copy
    kafka: Opened
    klamm: Opened
    kafka_facts: Facts
    klamm_facts: Facts
    baseline: Facts
    given: Facts
    """The damaged files, before anybody opened them."""

    @property
    def is_somewhere_unread(self) -> bool:
        """Whether there are segments that the start does not read."""
        return any(not self.is_read_again(base) for base in self.given["log"])

    def is_read_again(self, base_offset: int) -> bool:
        """Whether the start reads that segment: the last stop was not clean, and it may hold what was not synced."""
        if self.copy.is_clean:
            return False
        bases = [base for base in self.baseline["log"] if base <= self.copy.recovery_point]
        return base_offset >= max(bases, default=0)


def is_walkable(outcome: Outcome) -> bool:
    """Whether the damaged segments consist of whole batches of version 2, with offsets that rise."""
    for base, data in outcome.given["log"].items():
        batches, end = spans(data)
        offsets = [base, *(offset for first, last, _ in batches.values() for offset in (first, last))]
        magics = {HEADER.unpack_from(data, at)[3] for at in batches if len(data) - at >= HEADER_SIZE}
        if end < len(data) or offsets != sorted(offsets) or not magics <= {MAGIC}:
            return False
    return True


def _short(value: Any, other: Any) -> str:
    if isinstance(value, dict) and isinstance(other, dict):
        value = {key: row for key, row in value.items() if other.get(key) != row}
    if isinstance(value, list) and isinstance(other, list):
        value = [row for row in value if row not in other]
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return str(value)[:160]


def differences(outcome: Outcome) -> list[Difference]:
    """All of them; one, of the refusal, where only one side refused."""
    kafka, klamm = outcome.kafka, outcome.klamm
    if kafka.refusal or klamm.refusal:
        return [] if kafka.refusal and klamm.refusal else [Difference("refusal", kafka.refusal, klamm.refusal)]
    found = [
        Difference(name, one, other)
        for name, one, other in zip(Opened._fields[1:], kafka[1:], klamm[1:], strict=True)
        if one != other
    ]
    for name, ours in outcome.klamm_facts.items():
        theirs = outcome.kafka_facts[name]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            for offset in sorted(ours.keys() | theirs.keys()):
                one, other = theirs.get(offset), ours.get(offset)
                found += [Difference(f"{name}:{offset}", one, other)] if one != other else []
        elif ours != theirs:
            found.append(Difference(name, theirs, ours))
    return found


def spans(data: bytes) -> tuple[dict[int, tuple[int, int, int]], int]:
    """Position to (base offset, last offset, max timestamp) of the whole batches of a segment, and where they end."""
    found = {}
    at = 0
    while len(data) - at >= HEADER_SIZE:
        header = HEADER.unpack_from(data, at)
        size = header[1] + LOG_OVERHEAD
        legacy = header[3] in (0, 1)
        if size < (26 if legacy else HEADER_SIZE) or size > len(data) - at:
            break
        timestamp = int.from_bytes(data[at + 18 : at + 26], "big", signed=True) if header[3] == 1 else -1
        last = header[0] if legacy else header[0] + header[6]
        found[at] = (header[0], last, timestamp if legacy else header[8])
        at += size
    return found, at


def disorder(outcome: Outcome) -> set[str]:
    """What the CRC did not see in the damaged segments that are read again: "offset", "magic"."""
    found = set()
    for base, data in outcome.given["log"].items():
        if not outcome.is_read_again(base):
            continue
        expected = base
        for at, (first, last, _) in spans(data)[0].items():
            header = HEADER.unpack_from(data, at)
            if header[3] >= MAGIC:
                body = data[at + ATTRIBUTES_AT : at + header[1] + LOG_OVERHEAD]
                if crc32c(body) != header[4]:
                    break
            if header[3] > MAGIC:
                found.add("magic")
            if first < expected or last - base >= 1 << 31:
                found.add("offset")
            expected = last + 1
    return found


def faults(outcome: Outcome) -> list[str]:
    """What is wrong with klamm's side in itself."""
    if outcome.klamm.refusal:
        return []
    facts = outcome.klamm_facts
    found = _wrong_end(outcome)
    if not any(kind.damage in _ADDING for kind in outcome.copy.kinds):
        found += _changed(outcome)
    for base, data in facts["log"].items():
        batches, end = spans(data)
        found += _wrong_index(base, facts["index"].get(base, []), batches, end, len(data), outcome)
        found += _wrong_timeindex(base, facts["timeindex"].get(base, []), batches, end, len(data), outcome)
    return found


def _wrong_end(outcome: Outcome) -> list[str]:
    """The end offset must be that of the last segment's batches, even where Kafka's is the same."""
    last = max(outcome.klamm_facts["log"])
    batches, end = spans(outcome.klamm_facts["log"][last])
    if end < len(outcome.klamm_facts["log"][last]):
        return [f"log {last} ends with {len(outcome.klamm_facts['log'][last]) - end} bytes that are no batch"]
    wanted = list(batches.values())[-1][1] + 1 if batches else last
    return [] if outcome.klamm.log_end == wanted else [f"log_end {outcome.klamm.log_end}, the batches end at {wanted}"]


def _changed(outcome: Outcome) -> list[str]:
    written: dict[int, bytes] = {}
    for data in outcome.baseline["log"].values():
        written.update(sound_batches(data))
    # The CRC covers neither offset nor leader epoch. Where batches are read again, an offset may only have risen: that
    # leaves a gap, as compaction does. Elsewhere nobody has looked.
    offsets = {batch[ATTRIBUTES_AT:]: offset for offset, batch in written.items()}
    found = []
    for base, data in outcome.klamm_facts["log"].items():
        for offset, batch in sound_batches(data).items():
            was = offsets.get(batch[ATTRIBUTES_AT:])
            if was is None or (offset < was and outcome.is_read_again(base)):
                found.append(f"log {base}: the batch at offset {offset} was never written like that")
    return found


def _wrong_index(
    base: int, entries: Any, batches: dict[int, tuple[int, int, int]], end: int, size: int, outcome: Outcome
) -> list[str]:
    if entries in (outcome.kafka_facts.get("index", {}).get(base, []), outcome.given["index"].get(base, [])):
        return []  # the same, or not looked at yet
    found = []
    for relative, position in entries:
        if position >= end and size > end:
            continue  # behind damage that nobody has cut off
        if position not in batches or batches[position][1] != base + relative:
            found.append(f"index {base}: ({relative}, {position}) names no batch")
    positions = [0, *(position for _, position in entries), end]
    largest = max((after - at for at, after in zip(batches, [*list(batches)[1:], end], strict=False)), default=0)
    gap = max((after - at for at, after in itertools.pairwise(positions)), default=0)
    rises = [base, *(offset for first, last, _ in batches.values() for offset in (first, last))]
    if size == end and gap > 4 * INDEX_INTERVAL_BYTES + 2 * largest and rises == sorted(rises):
        found.append(f"index {base}: {gap} bytes without an entry")
    return found


def _wrong_timeindex(
    base: int, entries: Any, batches: dict[int, tuple[int, int, int]], end: int, size: int, outcome: Outcome
) -> list[str]:
    if entries in (outcome.kafka_facts.get("timeindex", {}).get(base, []), outcome.given["timeindex"].get(base, [])):
        return []
    if end < size:
        return []
    found = []
    for timestamp, relative in entries:
        if not any(first <= base + relative <= last and at == timestamp for first, last, at in batches.values()):
            found.append(f"timeindex {base}: ({timestamp}, {relative}) names no batch")
    # A batch that does not rise above those before it is never found by its offset: no entry can stand for it.
    highest, reached = -1, base - 1
    for _, last, at in batches.values():
        if reached < last < base + (1 << 31):
            highest, reached = max(highest, at), last
    if (entries[-1][0] if entries else -1) != highest:
        found.append(f"timeindex {base}: it does not end with {highest}")
    return found

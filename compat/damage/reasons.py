"""The one table of what klamm does otherwise than real Kafka with damage, and why. docs/recovery.md is made from it.

A reason explains a difference of a copy only where klamm's own side is right in itself (`comparing.faults`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

from compat.damage.comparing import Difference, Outcome, disorder, is_walkable, spans
from compat.damage.node_files import NodeOutcome
from klamm.kproto.records import HEADER

_STATE = ("log_end", "last_stable", "recovery_point", "snapshots")


class Reason(NamedTuple):
    """`explains` tells whether a difference is of this kind; the texts are for people."""

    name: str
    when: str
    kafka: str
    klamm: str
    why: str
    explains: Callable[[Outcome, Difference], bool]


def _files(outcome: Outcome) -> set[str]:
    return {kind.file for kind in outcome.copy.kinds}


def _is_refusal(difference: Difference, *words: str) -> bool:
    return difference.name == "refusal" and bool(difference.kafka) and any(word in difference.kafka for word in words)


def _epochs_malformed(outcome: Outcome, difference: Difference) -> bool:
    return "epochs" in _files(outcome) and _is_refusal(
        difference, "checkpoint file", "NumberFormatException", "leader epoch entry"
    )


def _epochs_missing(outcome: Outcome, difference: Difference) -> bool:
    """klamm has more, and all that it has more is what the batches say."""
    if difference.name != "epochs" or difference.klamm == difference.kafka:
        return False
    known = set()
    for data in outcome.klamm_facts["log"].values():
        known |= {HEADER.unpack_from(data, at)[2] for at in spans(data)[0]}
    ours = {epoch for epoch, _ in difference.klamm}
    has_all = {epoch for epoch, _ in difference.kafka} <= ours <= known
    return bool({"epochs", "segment"} & _files(outcome)) and has_all


def _stray_name(outcome: Outcome, difference: Difference) -> bool:
    return "stray" in _files(outcome) and _is_refusal(difference, "NumberFormatException", "StringIndexOutOfBounds")


def _txnindex_refused(outcome: Outcome, difference: Difference) -> bool:
    return _is_refusal(difference, "aborted transaction version", "appended transactions must increase")


def _transaction_state_refused(outcome: Outcome, difference: Difference) -> bool:
    return _is_refusal(difference, "which was not started", "Expected transactional write")


def _index_not_checked(outcome: Outcome, difference: Difference) -> bool:
    if difference.name == "last_stable":
        # Kafka looks by the index for the batch where the oldest open transaction begins, and finds a later one.
        is_damaged = bool({"index", "inner log", "active log", "segment"} & _files(outcome))
        return is_damaged and outcome.is_somewhere_unread and difference.kafka > difference.klamm
    return difference.name in ("index", "timeindex") and not outcome.is_read_again(difference.offset)


def _end_by_wrong_index(outcome: Outcome, difference: Difference) -> bool:
    """Kafka's end is wrong, or it refuses over it; klamm's is that of the batches in the last segment."""
    if not outcome.copy.is_clean:
        return False
    if _is_refusal(difference, "CorruptRecord", "IllegalArgument", "InvalidRecord", "Overflow", "IndexOutOfBounds"):
        return True
    if outcome.kafka.log_end == outcome.klamm.log_end:
        return False
    if difference.name == "epochs":
        # Those behind the end go with it, and the broker's own begins there: of one side the first are left.
        shorter, longer = sorted((difference.kafka, difference.klamm), key=len)
        return bool(shorter == longer[: len(shorter)])
    return difference.name in _STATE


def _txnindex_not_checked(outcome: Outcome, difference: Difference) -> bool:
    return difference.name == "txnindex" and not outcome.is_read_again(difference.offset)


def _clean_tail(outcome: Outcome, difference: Difference) -> bool:
    if not outcome.copy.is_clean or difference.name not in ("log", "index", "timeindex", *_STATE):
        return False
    last = max(outcome.klamm_facts["log"])
    ours, theirs = outcome.klamm_facts["log"][last], outcome.kafka_facts["log"].get(last, b"")
    return len(theirs) > len(ours) and theirs.startswith(ours) and spans(ours)[1] == len(ours)


def _out_of_order(outcome: Outcome, difference: Difference) -> bool:
    """The log ends where offsets do not rise: what klamm has is a part of what Kafka was given."""
    return "offset" in disorder(outcome)


def _magic(outcome: Outcome, difference: Difference) -> bool:
    return "magic" in disorder(outcome)


def _producers_kept(outcome: Outcome, difference: Difference) -> bool:
    """Kafka has dropped snapshots, and with a clean stop what they said."""
    if difference.name == "snapshots":
        kept, left = difference.klamm, difference.kafka or {}
        return isinstance(kept, dict) and isinstance(left, dict) and left.items() <= kept.items()
    theirs, ours = outcome.kafka_facts.get("snapshots"), outcome.klamm_facts.get("snapshots")
    return difference.name == "last_stable" and theirs != ours and outcome.kafka.last_stable > outcome.klamm.last_stable


def _transaction_lost(outcome: Outcome, difference: Difference) -> bool:
    """No batch begins where the open transaction did."""
    if difference.name != "last_stable" or outcome.kafka.log_end != outcome.klamm.log_end:
        return False
    begins = {first for data in outcome.klamm_facts["log"].values() for first, _, _ in spans(data)[0].values()}
    return difference.klamm < difference.kafka and difference.klamm not in begins


def _missing_index(outcome: Outcome, difference: Difference) -> bool:
    """Kafka reads a segment again that has no offset index, and cuts it."""
    if difference.name == "epochs":
        return outcome.is_somewhere_unread and bool({"index", "segment"} & _files(outcome))
    is_missing = difference.offset not in outcome.given["index"]
    return difference.name in ("log", "txnindex") and is_missing and not outcome.is_read_again(difference.offset)


def _time_not_found(outcome: Outcome, difference: Difference) -> bool:
    """What Kafka is told by the time index of the segment in which it looks is not there."""
    is_time = difference.field.startswith(("told by time", "told max timestamp"))
    is_damaged = bool({"index", "timeindex", "inner log", "active log", "segment"} & _files(outcome))
    return is_time and is_damaged and difference.kafka != difference.klamm


def _below_the_start(outcome: Outcome, difference: Difference) -> bool:
    if difference.name != "txnindex":
        return False
    rows = [*(difference.kafka or ()), *(difference.klamm or ())]
    return all(last < outcome.klamm.log_start for _, _, last, _ in rows)


def _corrupt_snapshot_unread(outcome: Outcome, difference: Difference) -> bool:
    """The file is as it was given, and Kafka's is that of an undamaged log."""
    if difference.name != "snapshots" or difference.klamm != "corrupt" or "txnindex" not in _files(outcome):
        return False
    given, undamaged = (facts["snapshots"].get(difference.offset) for facts in (outcome.given, outcome.baseline))
    return bool(given == "corrupt" and difference.kafka == undamaged)


def _time_below_the_start(outcome: Outcome, difference: Difference) -> bool:
    """Kafka finds nothing, and the first segment with a batch of the time has them below the log start only."""
    if not difference.field.startswith("told by time") or difference.kafka != (0, -1, -1):
        return False
    wanted = int(difference.field.rpartition(" ")[2])
    for _, data in sorted(outcome.kafka_facts["log"].items()):
        found = [last for _, last, timestamp in spans(data)[0].values() if timestamp >= wanted]
        if found:
            return max(found) < outcome.kafka.log_start
    return False


def _foreign_segment(outcome: Outcome, difference: Difference) -> bool:
    """A segment that is not read again has batches in the range of the next one."""
    if not difference.name.startswith("told"):
        return False
    bases = sorted(outcome.given["log"])
    return any(
        not outcome.is_read_again(base)
        and any(first >= following for first, _, _ in spans(outcome.given["log"][base])[0].values())
        for base, following in itertools.pairwise(bases)
    )


def _error_in_between(outcome: Outcome, difference: Difference) -> bool:
    return difference.name.startswith("told") and outcome.is_somewhere_unread and not is_walkable(outcome)


def _lost_end(outcome: Outcome, difference: Difference) -> bool:
    """Kafka's last segments are empty, and behind the end of those that klamm has kept there is a gap."""
    kafkas, ours = outcome.kafka_facts["log"], outcome.klamm_facts["log"]
    gone = [base for base in kafkas if base not in ours]
    return bool(gone) and not any(kafkas[base] for base in gone) and min(gone) > max(ours, default=0)


REASONS: tuple[Reason, ...] = (
    Reason(
        "epochs that are no checkpoint",
        "leader-epoch-checkpoint cannot be read",
        "the log directory goes offline, or the broker ends with an exception",
        "a warning; the epochs are taken from the headers of the batches",
        "the file says nothing that the batches do not say; one damaged text file should not stop all partitions",
        _epochs_malformed,
    ),
    Reason(
        "epochs lost",
        "leader-epoch-checkpoint is missing or empty and its batches are there",
        "no epochs, but those of the batches that recovery reads",
        "the epochs of all batches",
        "followers and consumers that ask where an epoch ends get the right answer instead of none",
        _epochs_missing,
    ),
    Reason(
        "a file name without an offset",
        "a file called like an index, a log or a snapshot has no number before its dot",
        "the broker ends with a NumberFormatException",
        "the file is left alone",
        "it belongs to no segment",
        _stray_name,
    ),
    Reason(
        "a transaction index of an unknown version",
        "an entry of a .txnindex has a version that is not 0, or its entries do not rise",
        "the broker ends with an exception",
        "the file is made anew from the batches",
        "all that it says stands in the batches",
        _txnindex_refused,
    ),
    Reason(
        "a marker without its transaction",
        "a snapshot that is readable but is not of this log, or a missing segment, hides where a transaction began",
        "the broker ends with an exception",
        "the marker ends nothing",
        "the records are there and can be served",
        _transaction_state_refused,
    ),
    Reason(
        "indexes that are not checked",
        "an .index or .timeindex is wrong in a segment that is not read again",
        "the file is used as it is: reads begin at a wrong place, lookups by time miss records",
        "an entry is used only if its batch agrees, the last time entry only if the batches at the end do; "
        "else, or if a file is missing, both are made anew",
        "a wrong index must never yield wrong bytes, nor let retention delete too early",
        _index_not_checked,
    ),
    Reason(
        "a transaction index that is not checked",
        "a .txnindex says what the batches do not say, in a segment that is not read again",
        "it is used as it is: aborted records are served as committed ones, or the reverse",
        "an entry must agree with the marker and the first batch; else the file is made anew",
        "a wrong index must never yield wrong records",
        _txnindex_not_checked,
    ),
    Reason(
        "the end of the log by a wrong index",
        "the index of the last segment, or the segment itself, is wrong after a clean stop",
        "the end offset is looked for where the index points: it falls back, so that offsets are given twice and "
        "epochs behind it are forgotten, or the broker ends with an exception",
        "the end is behind the last whole batch of the file",
        "an offset that was given must not be given again",
        _end_by_wrong_index,
    ),
    Reason(
        "a tail after a clean stop",
        "the last segment ends with bytes that are no whole batch although the stop was clean",
        "the bytes stay; the next batch is appended behind them, where no reader gets",
        "they are cut off with a warning",
        "what is appended must be readable",
        _clean_tail,
    ),
    Reason(
        "offsets that do not rise",
        "a batch above the recovery point has a right CRC and an offset that is not above the one before it "
        "(the CRC does not cover the offset)",
        "the batch is kept and served under the wrong offset; or, if an index entry falls there, the whole segment is "
        "emptied; or the broker ends with an exception",
        "the log ends before it, as before any other damage",
        "a record must not be served under an offset that it never had",
        _out_of_order,
    ),
    Reason(
        "a batch of an unknown version",
        "the magic byte (which the CRC does not cover) of a batch above the recovery point is higher than 2",
        "the batch is kept, and no client can read beyond it",
        "the log ends before it, as before any other damage",
        "nobody can read it",
        _magic,
    ),
    Reason(
        "producers that are forgotten",
        "snapshots are missing after a clean stop, or a segment was read again for its missing index",
        "snapshots above that segment are removed; without any, all producers and open transactions are forgotten",
        "snapshots that are right are kept, and producers are read from the batches behind the newest",
        "a duplicate must not be taken for a new batch, nor an open transaction for a decided one",
        _producers_kept,
    ),
    Reason(
        "a segment without its index",
        "the .index of a segment below the recovery point is missing and the segment is damaged",
        "the segment is read again and cut where it is damaged, in the middle of the log",
        "only its indexes are made anew; the damage stays where it was",
        "what stands behind the damage can still be read",
        _missing_index,
    ),
    Reason(
        "an open transaction without its first batch",
        "the batch with which the oldest open transaction began is lost, or stands under another offset",
        "the last stable offset is that of the next batch that is there",
        "the last stable offset is where the transaction began",
        "there is no record in between: readers get the same",
        _transaction_lost,
    ),
    Reason(
        "transactions below the log start",
        "a segment is read again that lies wholly below the log start",
        "what snapshots say of producers below the log start is dropped between one segment and the next, so that "
        "transactions seem to begin where the segment does",
        "producers are taken from one segment to the next",
        "nobody reads these records, nor their transactions, any more",
        _below_the_start,
    ),
    Reason(
        "damage in the way of a reader",
        "a batch in a segment that is not read again has a magic byte, a length or an offset that cannot be its own",
        "a Fetch from before the damage gets an error or nothing, depending on what the field says",
        "a length that no batch has gets the same CORRUPT_MESSAGE; other damage is passed over or served as it is, "
        "and the consumer's own check finds it",
        "the batches that are sound are served unchanged by both",
        _error_in_between,
    ),
    Reason(
        "a time that is looked for by a wrong index",
        "a time index, or the segment that it belongs to, is damaged and not read again",
        "ListOffsets by time or by the highest timestamp trusts its last entry: it finds nothing or too late a record",
        "the entry must agree with the batches, else the indexes are made anew",
        "the right answer costs one look at the batches at the end of the segment",
        _time_not_found,
    ),
    Reason(
        "a time that only records below the log start have",
        "the first segment with a record of the time that is looked for has it below the log start only",
        "ListOffsets finds nothing, as it looks into that segment alone",
        "the next segments are looked at, too",
        "a consumer that asks for a time must not begin at the end because older records were deleted",
        _time_below_the_start,
    ),
    Reason(
        "a segment that reaches into the next one",
        "a segment that is not read again is another one's file: its batches lie in the range of a later segment",
        "they are served where the name puts them, whatever they skip: readers are led past the segments in between, "
        "and a reader of committed records past the last stable offset",
        "a batch in the range of the next segment is passed over, and found in the one that it belongs to",
        "readers must not be led past records that are there",
        _foreign_segment,
    ),
    Reason(
        "a corrupt snapshot that nobody needs",
        "a .snapshot below the newest is damaged, and so is the .txnindex of the segment before it",
        "that segment is read again for its .txnindex, which writes the snapshot anew",
        "the .txnindex is made anew; the snapshot stays until it is needed, and is then found corrupt and removed",
        "an older snapshot takes its place, with the batches behind it",
        _corrupt_snapshot_unread,
    ),
    Reason(
        "segments that have lost everything",
        "above what has been compacted, the last segments are empty after a crash, and the one before ends too early",
        "the log ends where the last of them begins: no follower gets over the gap, nor into the in-sync replicas",
        "the log ends behind its last record",
        "what was in between is lost either way, and a partition must be writable",
        _lost_end,
    ),
)


def explanation(outcome: Outcome, difference: Difference) -> Reason | None:
    """The first reason that explains a difference."""
    return next((reason for reason in REASONS if reason.explains(outcome, difference)), None)


_CHECKPOINT = "Kafka's log directory goes offline, with its only one the broker ends; klamm warns and takes it as empty"
_FROM_START = f"{_CHECKPOINT}: logs are read again from their start, which loses nothing"
_FIRST_SEGMENT = f"{_CHECKPOINT}: logs start with their first segment, as where Kafka cannot read a number in it"
_WATERMARK = f"{_CHECKPOINT}: a leader finds its high watermark anew"
_NOT_NEEDED = (
    "Kafka ends, as it reads the file at every start; klamm needs it only for a directory without a metadata log"
)

NODE_REASONS: dict[str, str] = {
    "recovery-point-offset-checkpoint, garbage": _FROM_START,
    "recovery-point-offset-checkpoint, wrong count": _FROM_START,
    "log-start-offset-checkpoint, garbage": _FIRST_SEGMENT,
    "log-start-offset-checkpoint, wrong count": _FIRST_SEGMENT,
    "replication-offset-checkpoint, garbage": _WATERMARK,
    "replication-offset-checkpoint, wrong count": _WATERMARK,
    "replication-offset-checkpoint, not a number": "Kafka runs and serves no partition; klamm warns and takes the file "
    "as empty: a leader finds its high watermark anew",
    "bootstrap.checkpoint, emptied": _NOT_NEEDED,
    "bootstrap.checkpoint, garbage": _NOT_NEEDED,
    "metadata log, epochs are garbage": "Kafka ends; klamm takes the epochs from the batches, as with any log",
    "partition.metadata, deleted": "Kafka takes the directory for a stray one, renames it and serves an empty log in "
    "its place; klamm serves the records: the metadata says that this replica is here, and writes the file again",
}
"""Damages of a node's files that end otherwise with klamm, and why; by the case's name without its state."""


def judge_node(name: str, kafka: NodeOutcome, klamm: NodeOutcome) -> tuple[str, str]:
    """(verdict, words) of one damage of a node's file."""
    if kafka.refusal and klamm.refusal:
        return "both refused", klamm.refusal
    told = f"kafka {kafka.refusal or list(kafka.read)}, klamm {klamm.refusal or list(klamm.read)}"
    if kafka == klamm:
        return "equal", f"both serve {list(klamm.read)}"
    reason = NODE_REASONS.get(name.removesuffix(", after SIGKILL"))
    return ("explained", f"{told}: {reason}") if reason else ("unexplained", told)

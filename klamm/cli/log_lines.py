"""Facts of a dump as lines for people. One line a fact, so that a file of any size is shown as it is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

_Fact = dict[str, Any]


def fact_lines(fact: _Fact) -> Iterator[str]:
    """The lines of a fact."""
    line = _LINES[fact["fact"]](fact)
    if line is not None:
        yield line


def time_text(timestamp: int) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC; '-' for none, the number itself where no calendar has it."""
    if timestamp < 0:
        return "-" if timestamp == -1 else str(timestamp)
    try:
        text = datetime.fromtimestamp(timestamp // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return str(timestamp)
    return f"{text}.{timestamp % 1000:03d}Z"


def size_text(size: int) -> str:
    """A size with its unit."""
    value, units = float(size), ["bytes", "KB", "MB", "GB"]
    while value >= 10_000 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{value:.0f} {units[0]}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _file(fact: _Fact) -> str:
    pending = {".deleted": ", about to be deleted", None: ""}.get(fact.get("pending"), ", of a compaction under way")
    return f"\n{fact['file']}  ({fact['kind'].replace('_', ' ')}, {size_text(fact['size'])}{pending})"


def _start(fact: _Fact) -> str:
    origin = {"directory": ", by the name of the directory", "option": "", "default": ""}[fact["decoder_from"]]
    if "base_offset" in fact:
        what = f"begins with offset {fact['base_offset']}"
    elif "end_offset" in fact:
        what = f"metadata up to offset {fact['end_offset']} (not included), epoch {fact['epoch']}"
    else:
        what = "metadata that a new cluster begins with"
    return f"  {what}; records are read as {fact['decoder']}{origin}"


def _batch(fact: _Fact) -> str:
    if "base_offset" not in fact:
        head = f"  message {fact['last_offset']}"
    else:
        head = f"  batch {fact['base_offset']}-{fact['last_offset']}"
    parts = [head, f"at {fact['position']}", size_text(fact["size"])]
    if "count" in fact:
        parts += [f"{fact['count']} records", f"epoch {fact['partition_leader_epoch']}"]
    if fact["magic"] != 2:
        parts.append(f"version {fact['magic']}")
    parts += [fact["compression"], f"{fact['timestamp_type']} {time_text(fact['max_timestamp'])}"]
    if fact.get("producer_id", -1) >= 0:
        parts.append(
            f"producer {fact['producer_id']} epoch {fact['producer_epoch']}"
            f" sequence {fact['base_sequence']}-{fact['last_sequence']}"
        )
    if fact.get("is_transactional"):
        parts.append("transactional")
    if fact.get("is_control"):
        parts.append("control")
    if fact.get("delete_horizon_ms") is not None:
        parts.append(f"delete horizon {time_text(fact['delete_horizon_ms'])}")
    parts.append(f"crc {fact['crc']}")
    parts.append("valid" if fact["is_valid"] else f"DAMAGED: {fact.get('message')}")
    return "  ".join(parts)


def _record(fact: _Fact) -> str:
    parts = [f"    | {fact['offset']}"]
    if "timestamp" in fact:
        parts.append(time_text(fact["timestamp"]))
        parts.append(f"key {fact['key_size']} value {fact['value_size']} bytes")
        if fact.get("sequence", -1) >= 0:
            parts.append(f"sequence {fact['sequence']}")
        if fact.get("header_keys") and "headers" not in fact:
            parts.append(f"headers {', '.join(fact['header_keys'])}")
    if "control_type" in fact:
        parts.append(f"{fact['control_type']} {_json(fact.get('control', {}))}")
    if "key" in fact:
        parts.append(f"key: {_json(fact['key'])}")
        parts.append(f"value: {_json(fact['value'])}")
    if "headers" in fact:
        parts.append(f"headers: {_json(dict(fact['headers']))}")
    if "error" in fact:
        parts.append(f"(not decoded: {fact['error']})")
    return "  ".join(parts)


def _producer(fact: _Fact) -> str:
    txn = fact["current_txn_first_offset"]
    parts = [
        f"  producer {fact['producer_id']}",
        f"epoch {fact['producer_epoch']}",
        f"coordinator epoch {fact['coordinator_epoch']}",
        "no open transaction" if txn is None else f"transaction open since offset {txn}",
        f"last seen {time_text(fact['last_timestamp'])}",
    ]
    if "last_sequence" in fact:
        parts.append(
            f"last batch: sequence {fact['first_sequence']}-{fact['last_sequence']}, offset {fact['last_offset']}"
        )
    return "  ".join(parts)


def _damage(fact: _Fact) -> str:
    where = "".join(f" {name.replace('_', ' ')} {fact[name]}" for name in ("position", "offset") if name in fact)
    return f"  DAMAGED{f' at{where}' if where else ''}: {fact['message']}"


_LINES: Final[dict[str, Callable[[_Fact], str | None]]] = {
    "file": _file,
    "log_start": _start,
    "snapshot_start": _start,
    "batch": _batch,
    "record": _record,
    "non_consecutive": lambda f: f"    offset {f['offset']} is followed by {f['next_offset']}",
    "trailing_bytes": lambda f: f"  DAMAGED: {f['size']} bytes at {f['position']} are no whole batch ({f['message']})",
    "damage": _damage,
    "empty": lambda f: "  empty",
    "sanity": lambda f: "  sane" if f["is_sane"] else f"  NOT SANE, Kafka makes it anew: {f['message']}",
    "index_entry": lambda f: f"  offset {f['offset']}  at {f['position']}",
    "index_mismatch": lambda f: (
        f"  DAMAGED: entry {f['index_offset']} leads to a batch that ends with {f['log_offset']}"
    ),
    "time_index_entry": lambda f: f"  {time_text(f['timestamp'])}  offset {f['offset']}",
    "time_index_mismatch": lambda f: f"  DAMAGED: entry {f['index_timestamp']}, in the log it is {f['log_timestamp']}",
    "time_index_out_of_order": lambda f: f"  DAMAGED: {f['index_timestamp']} after {f['previous_timestamp']}",
    "time_index_offset_not_found": lambda f: (
        f"  DAMAGED: no batch ends with offset {f['index_offset']}, the next one with {f['log_offset']}"
    ),
    "aborted_txn": lambda f: (
        f"  producer {f['producer_id']} aborted {f['first_offset']}-{f['last_offset']}"
        f"  last stable offset {f['last_stable_offset']}"
    ),
    "producer": _producer,
    "leader_epoch": lambda f: f"  epoch {f['epoch']}  from offset {f['start_offset']}",
    "checkpoint": lambda f: f"  {f['topic']}-{f['partition']}  {f['offset']}",
    "partition_metadata": lambda f: f"  topic id {f['topic_id']}",
    "meta_properties": lambda f: f"  cluster {f['cluster_id']}  node {f['node_id']}  directory {f['directory_id']}",
    "quorum_state": lambda f: f"  {_json(f['data'])}",
    "clean_shutdown": lambda f: f"  {_json(f['data'])}",
}

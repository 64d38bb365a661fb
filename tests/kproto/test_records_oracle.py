"""Every batch that Kafka 4.3.1 made or damaged: read as Kafka reads it, and built again to the same bytes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import batch_json, compression, records

LINES: list[dict[str, Any]] = [
    json.loads(line)
    for line in gzip.decompress((Path(__file__).parents[1] / "data" / "batches.jsonl.gz").read_bytes()).splitlines()
]
VALID = [line for line in LINES if line["valid"]]
DAMAGED = [line for line in LINES if not line["valid"]]
UNMARKED = {"broken/cut-short", "broken/header-only-11-bytes", "broken/last-offset-delta-off"} | {
    "broken/unused-attribute-bits-set"
}
"""Damage that Kafka's reader does not mind."""


def name(line: dict[str, Any]) -> str:
    return f"{line['case']}-{line['magic']}-{line['compression']}"


def test_the_corpus_is_whole() -> None:
    assert (len(LINES), len(VALID)) == (231, 198)
    assert {line["case"] for line in DAMAGED if line["error"] is None} == UNMARKED


@pytest.mark.parametrize("line", VALID, ids=name)
def test_read_as_kafka_reads_it(line: dict[str, Any]) -> None:
    expected = {key: value for key, value in line.items() if key not in ("case", "hex")}
    assert batch_json.describe(bytes.fromhex(line["hex"])) == expected


@pytest.mark.parametrize("line", DAMAGED, ids=name)
def test_damage_is_found_where_kafka_finds_it(line: dict[str, Any]) -> None:
    found = batch_json.describe(bytes.fromhex(line["hex"]))
    if line["error"] is None:
        assert found["valid"]
        assert (len(found["batches"]), len(found["records"])) == (line["batches_seen"], line["records_seen"])
    else:
        keys = ("valid", "error", "stage", "batches_seen", "records_seen")
        assert {key: found[key] for key in keys} == {key: line[key] for key in keys}
        assert found["message"]


@pytest.mark.parametrize("line", [line for line in VALID if line["magic"] == records.MAGIC], ids=name)
def test_built_again(line: dict[str, Any]) -> None:
    for batch in records.batches(bytes.fromhex(line["hex"])):
        # Under log-append time the records still hold their create times: take the flag away to see them.
        plain = batch._replace(attributes=batch.attributes & ~records.LOG_APPEND_TIME)
        built = records.build_batch(
            list(records.iter_records(plain)),
            base_offset=batch.base_offset,
            last_offset=batch.last_offset,
            compression=batch.compression,
            log_append_time=batch.max_timestamp if batch.is_log_append_time else None,
            max_timestamp=batch.max_timestamp,
            producer_id=batch.producer_id,
            producer_epoch=batch.producer_epoch,
            base_sequence=batch.base_sequence,
            transactional=batch.is_transactional if batch.producer_id >= 0 else False,
            control=batch.is_control,
            partition_leader_epoch=batch.partition_leader_epoch,
            delete_horizon_ms=batch.delete_horizon_ms,
        )
        again = records.validate_batch(built)
        if batch.compression == compression.NONE:
            assert built.hex() == bytes(batch.view).hex()
        else:  # compressors differ; everything else may not
            assert records.payload(again) == records.payload(batch)
            assert again._replace(batch_length=0, crc=0, view=batch.view) == batch._replace(batch_length=0, crc=0)


@pytest.mark.parametrize("codec", ["snappy", "lz4"])
def test_compressed_forms_are_kafkas_own(codec: str) -> None:
    """Block formats are deterministic in their frames: ours begin as Kafka's do."""
    start = {"snappy": 16, "lz4": 7}[codec]
    lines = [line for line in VALID if line["compression"] == codec and line["magic"] == records.MAGIC]
    assert lines
    for line in lines:
        for batch in records.batches(bytes.fromhex(line["hex"])):
            ours = compression.compress(batch.compression, records.payload(batch))
            assert ours[:start] == batch.view[records.HEADER_SIZE : records.HEADER_SIZE + start]

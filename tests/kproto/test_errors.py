"""The table of error codes against Kafka 4.3.1's own (tests/data/errors.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from klamm.kproto import errors

DATA = Path(__file__).parents[1] / "data" / "errors.json"
ROWS: list[dict[str, Any]] = json.loads(DATA.read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_row(row: dict[str, Any]) -> None:
    assert getattr(errors, row["name"]) == row["code"]
    info = errors.info(row["code"])
    assert (info.name, info.retriable) == (row["name"], row["retriable"])
    assert errors.name_of(row["code"]) == row["name"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_message_is_a_sentence(row: dict[str, Any]) -> None:
    message = errors.info(row["code"]).message
    assert message != row["name"]
    assert message.endswith(".")
    assert len(message) < 100


def test_no_code_beyond_kafkas() -> None:
    ours = {value for name, value in vars(errors).items() if name.isupper() and type(value) is int}
    assert ours == {row["code"] for row in ROWS}


def test_messages_tell_codes_apart() -> None:
    messages = [errors.info(row["code"]).message for row in ROWS]
    assert len(set(messages)) == len(messages)


def test_unknown_code_reads_as_unknown_server_error() -> None:
    assert errors.info(9999) == errors.info(errors.UNKNOWN_SERVER_ERROR)


def test_kafka_error_takes_the_codes_message() -> None:
    assert str(errors.KafkaError(errors.NONE + 3)).startswith("UNKNOWN_TOPIC_OR_PARTITION: The topic")
    error = errors.KafkaError(errors.INVALID_CONFIG, "because")
    assert (error.code, error.message, str(error)) == (40, "because", "INVALID_CONFIG: because")

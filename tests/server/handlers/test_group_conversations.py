"""Every answer of every group API as real Kafka 4.3.1 gave it to the same requests (tests/data/groups)."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.handlers.group_broker import InProcess
from tests.server.handlers.group_conversations import CONVERSATIONS, TOPICS

RECORDED = Path(__file__).parents[2] / "data" / "groups" / "kafka-4.3.1.jsonl.gz"


@pytest.fixture(scope="module")
def transcript() -> Iterator[list[str]]:
    loop = asyncio.new_event_loop()
    speaker = InProcess(loop, TOPICS)
    for conversation in CONVERSATIONS:
        speaker.conversation = conversation.__name__
        conversation(speaker)
    yield speaker.transcript.lines
    speaker.broker.groups.close()
    loop.close()


@pytest.fixture(scope="module")
def recorded() -> list[str]:
    return gzip.decompress(RECORDED.read_bytes()).decode().splitlines()


@pytest.mark.parametrize("name", [conversation.__name__ for conversation in CONVERSATIONS])
def test_answers_are_kafkas(name: str, transcript: list[str], recorded: list[str]) -> None:
    ours = [line for line in map(json.loads, transcript) if line[0] == name]
    theirs = [line for line in map(json.loads, recorded) if line[0] == name]
    assert theirs, "nothing was recorded"
    for number, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        assert our == their, f"answer {number}"
    assert len(ours) == len(theirs)

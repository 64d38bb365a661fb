"""`klamm kproto` as a process: a line in, a line out, whatever the line is."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data"


def kproto(direction: str, lines: list[Any]) -> list[dict[str, Any]]:
    """The answers to lines, which are sent as JSON unless they are bytes."""
    sent = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    done = subprocess.run(
        [sys.executable, "-m", "klamm", "kproto", direction], input=sent, capture_output=True, timeout=60, check=True
    )
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def sample() -> list[dict[str, Any]]:
    """Every 50th of Kafka's vectors, over all messages."""
    found: list[dict[str, Any]] = []
    for path in sorted((DATA / "vectors").glob("*.jsonl.gz")):
        found += [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return found[::50]


SAMPLE = sample()


def test_decode() -> None:
    answers = kproto("decode", SAMPLE)
    assert len(answers) == len(SAMPLE) > 150
    for line, answer in zip(SAMPLE, answers, strict=True):
        expected = {"name": line["name"], "version": line["version"], "json": line["json"], "reencoded_equal": True}
        if "unknown_tags" in line:
            expected["unknown_tags"] = line["unknown_tags"]
        assert answer == expected


def test_encode() -> None:
    answers = kproto("encode", SAMPLE)
    assert answers == [{k: line[k] for k in ("name", "version", "hex")} for line in SAMPLE]


def test_batches() -> None:
    lines = [json.loads(line) for line in gzip.decompress((DATA / "batches.jsonl.gz").read_bytes()).splitlines()]
    lines = [line for line in lines if len(line["hex"]) < 4000][::20]
    answers = kproto("batches", [{"id": i, "hex": line["hex"]} for i, line in enumerate(lines)])
    assert [answer["id"] for answer in answers] == list(range(len(lines)))
    for line, answer in zip(lines, answers, strict=True):
        assert answer["valid"] == (not line.get("error"))  # some damage Kafka does not mind
        if line["valid"]:
            assert answer["records"] == line["records"]


def test_ids_are_handed_through_in_the_order_of_the_lines() -> None:
    question = {"name": "HeartbeatResponse", "version": 0, "hex": "0007"}
    ids = [1, "two", None, [3], {"four": 4}, 5.5]
    answers = kproto("decode", [{"id": id_, **question} for id_ in ids] + [{"id": "bad", "name": "Nothing"}, question])
    assert [answer["id"] for answer in answers[:-1]] == [*ids, "bad"]
    assert "id" not in answers[-1] and answers[-1]["json"] == {"errorCode": 7}
    assert "error" in answers[-2]


BAD = {
    "no JSON": b"{",
    "no object": b"[1]",
    "not UTF-8": b'{"name": "\xff"}',
    "nested without end": b"[" * 200_000,
    "empty object": {},
    "no hex": {"name": "HeartbeatResponse", "version": 0},
    "half a byte": {"name": "HeartbeatResponse", "version": 0, "hex": "000"},
    "hex of another type": {"name": "HeartbeatResponse", "version": 0, "hex": 7},
    "no such message": {"name": "HeartbeatQuestion", "version": 0, "hex": ""},
    "name of another type": {"name": ["HeartbeatResponse"], "version": 0, "hex": "0000"},
    "no such version": {"name": "HeartbeatResponse", "version": 5, "hex": "0000"},
    "version of another type": {"name": "HeartbeatResponse", "version": "0", "hex": "0000"},
    "no version left": {"name": "LeaderAndIsrRequest", "version": 0, "hex": ""},
    "cut off": {"name": "HeartbeatResponse", "version": 1, "hex": "0000"},
    "a null that may not be": {"name": "FindCoordinatorRequest", "version": 3, "hex": "000000"},
}


@pytest.mark.parametrize("direction", ["decode", "encode", "batches"])
def test_a_bad_line_gives_an_error_and_no_more(direction: str) -> None:
    good = {"name": "HeartbeatResponse", "version": 0, "hex": "0007", "json": {"errorCode": 7}}
    lines: list[Any] = [*BAD.values(), good]
    answers = kproto(direction, lines)
    assert len(answers) == len(lines)
    if direction != "batches":
        assert all(answer["error"] for answer in answers[:-1])
        assert "error" not in answers[-1]


def test_bad_json_forms() -> None:
    def heartbeat(**changes: Any) -> dict[str, Any]:
        form = {"throttleTimeMs": 0, "errorCode": 0, **changes}
        return {"name": "HeartbeatResponse", "version": 4, "json": {k: v for k, v in form.items() if v != "absent"}}

    assert kproto("encode", [heartbeat(errorCode=-32768)])[0]["hex"] == "00000000800000"
    lines = [heartbeat(errorCode=value) for value in (32768, "absent", None, "seven", 1.5, [], {}, True)]
    lines.append({**heartbeat(), "unknown_tags": [{"path": ["nowhere"], "tag": 1, "hex": ""}]})
    lines.append(
        {**heartbeat(), "unknown_tags": [{"path": [], "tag": 2, "hex": ""}, {"path": [], "tag": 1, "hex": ""}]}
    )
    lines.append({"name": "HeartbeatRequest", "version": 4, "json": []})
    for answer in kproto("encode", lines):
        assert "error" in answer and "hex" not in answer


def test_bytes_behind_a_message_are_counted() -> None:
    """Kafka's readers leave them alone; a person wants to know."""
    answer = kproto("decode", [{"name": "HeartbeatResponse", "version": 0, "hex": "0007aabbcc"}])[0]
    assert answer["json"] == {"errorCode": 7}
    assert answer["bytes_left"] == 3 and answer["reencoded_equal"] is False


def test_strings_that_are_not_utf8_read_as_in_java() -> None:
    raw = b"\xed\xbd\xbd-\xff-\xed\xa0-\xf0\x9f"  # two surrogates, a byte that cannot be, a character cut off
    answer = kproto("decode", [{"name": "SaslHandshakeRequest", "version": 0, "hex": f"{len(raw):04x}{raw.hex()}"}])[0]
    assert answer["json"] == {"mechanism": "\ufffd-\ufffd-\ufffd-\ufffd"}


def test_it_answers_while_more_may_come() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "klamm", "kproto", "decode"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for code in range(3):
            line = json.dumps({"id": code, "name": "HeartbeatResponse", "version": 0, "hex": f"{code:04x}"})
            half = len(line) // 2
            for piece in (line[:half], line[half:] + "\n"):
                process.stdin.write(piece.encode())
                process.stdin.flush()
            assert json.loads(process.stdout.readline())["json"] == {"errorCode": code}
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(30) == 0


def test_a_last_line_without_its_end_and_empty_lines() -> None:
    sent = b'\n \n{"name": "HeartbeatResponse", "version": 0, "hex": "0001"}\r\n\n{"name": "HeartbeatResponse"'
    done = subprocess.run(
        [sys.executable, "-m", "klamm", "kproto", "decode"], input=sent, capture_output=True, timeout=60, check=True
    )
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["json"] == {"errorCode": 1} and "error" in second


def test_an_unknown_direction_is_refused() -> None:
    done = subprocess.run([sys.executable, "-m", "klamm", "kproto", "guess"], capture_output=True, timeout=60)
    assert done.returncode == 2 and b"invalid choice" in done.stderr

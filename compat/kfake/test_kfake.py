"""The kit on a server that it knows nothing about: it runs to its end, and what it finds makes sense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat.kfake.target import Kfake
from klamm.cli.main import main

pytestmark = pytest.mark.needs("java", "mvn", "go")
CASES = ("api_versions.advertised", "offsets.commit_and_fetch", "topics.create_partitions", "upkeep.retention_bytes",
         "quorum.votes")  # fmt: skip


def test_it_runs_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card.json"
    server = Kfake()
    try:
        with server:
            chosen = [part for name in CASES for part in ("--only", name)]
            status = main(["compat", "run", "--bootstrap", server.bootstrap, "--json", str(card), *chosen])
    finally:
        server.remove()
    report = json.loads(card.read_text())
    by_case = {row["case"]: row for row in report["by_case"]}
    assert set(by_case) == set(CASES)
    assert by_case["offsets.commit_and_fetch"]["equal"] > 20
    # It serves other versions of the APIs than Kafka: a difference, and none that is klamm's to explain.
    assert by_case["api_versions.advertised"]["unexplained"] > 0
    assert report["explained"] == 0
    assert status == 1
    for name in ("upkeep.retention_bytes", "quorum.votes"):
        assert by_case[name]["cut"], name
    assert report["broken"] == {}
    assert server.bootstrap in capsys.readouterr().out

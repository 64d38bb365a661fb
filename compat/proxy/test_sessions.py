"""The recorded sessions, said again to the broker under test: every answer is the one that real Kafka 4.3.1 gave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compat.kafka_jars import ROOT
from compat.targets import Target

SESSIONS = sorted((Path(__file__).parent / "sessions").glob("*.trace"))


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_session(session: Path, fresh_target: Target) -> None:
    command = [sys.executable, "-m", "klamm", "proxy", "replay", str(session), "--to", fresh_target.bootstrap]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 different" in done.stdout

"""`klamm compat`: found in a checkout, said to be missing where it is, and never loaded by the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from klamm.cli import compat as compat_command
from klamm.cli import main


def test_the_cases_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["compat", "run", "--list", "--only", "api_versions.*", "--no-suites"]) == 0
    assert "api_versions.advertised\n" in capsys.readouterr().out


def test_a_name_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["compat", "run", "--only", "no-such-case"]) == 2
    assert "--list" in capsys.readouterr().err


def test_without_the_kit_it_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compat_command, "_PLACES", (tmp_path,))
    with pytest.raises(SystemExit) as ended:
        main.main(["compat", "run", "--target", "klamm"])
    assert ended.value.code == 2
    assert str(tmp_path / "compat") in capsys.readouterr().err


def test_a_server_does_not_load_it() -> None:
    loaded = "any(module.split('.')[0] == 'compat' for module in sys.modules)"
    code = f"import sys, klamm.cli.start, klamm.server.node; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

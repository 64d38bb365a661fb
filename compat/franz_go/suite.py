"""franz-go as a suite of the kit: the shared scenario and kadm's calls."""

from __future__ import annotations

import re
from pathlib import Path

from compat.suites import Suite, run_pytest

_MODULE = re.compile(r"^\s*github\.com/twmb/franz-go v(\S+)", re.M)
VERSION = _MODULE.findall((Path(__file__).resolve().parent / "go.mod").read_text())[0]
SUITES = [Suite("franz_go", VERSION, lambda target: run_pytest("franz_go", target), needs=("go",))]

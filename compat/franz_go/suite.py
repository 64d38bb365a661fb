"""franz-go as a suite of the kit: the shared scenario and kadm's calls."""

from __future__ import annotations

import re
from pathlib import Path

from compat.suites import pytest_suite

_MODULE = re.compile(r"^\s*github\.com/twmb/franz-go v(\S+)", re.M)
VERSION = _MODULE.findall((Path(__file__).resolve().parent / "go.mod").read_text())[0]
SUITES = [pytest_suite("franz_go", VERSION, needs=("go",))]

"""Every step of the old Java clients comes out as on real Kafka: served from 2.1 on, partly or not at all before."""

from __future__ import annotations

import pytest

from compat.old_java.suite import SCRIPTS
from compat.scripted import Script, check
from compat.targets import Target

pytestmark = pytest.mark.needs("java", "mvn")


# 2.8.2 stands beside 4.3.1 in ../java too, and is left to `python -m compat.scripted` here.
@pytest.mark.parametrize("script", [s for s in SCRIPTS if s.version != "2.8.2"], ids=lambda script: script.name)
def test_script(target: Target, script: Script) -> None:
    assert check(script, target) == 0, "see the lines MUST PASS above"

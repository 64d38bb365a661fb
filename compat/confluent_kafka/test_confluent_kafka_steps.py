"""Every step of the script comes out as on real Kafka."""

from __future__ import annotations

import pytest

from compat.confluent_kafka.suite import SCRIPTS
from compat.scripted import Script, check
from compat.targets import Target


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_script(target: Target, script: Script) -> None:
    assert check(script, target) == 0, "see the lines MUST PASS above"

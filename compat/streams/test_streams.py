"""Every step of the word count comes out as on real Kafka. With exactly_once_v2: `python -m compat.scripted`."""

from __future__ import annotations

import pytest

from compat.scripted import Script, check
from compat.streams.suite import SCRIPTS
from compat.targets import Target

pytestmark = pytest.mark.needs("java", "mvn")


@pytest.mark.parametrize("script", [SCRIPTS[0]], ids=lambda script: script.name)
def test_script(target: Target, script: Script) -> None:
    assert check(script, target) == 0, "see the lines MUST PASS above"

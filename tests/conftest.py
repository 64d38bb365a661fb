"""What holds for all tests: no example has a time limit, since machines differ and speed is measured in compat/bench."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("klamm", deadline=None)
settings.load_profile("klamm")

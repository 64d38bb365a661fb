"""What holds for all tests: no example has a time limit; machines differ, and compat/bench measures speed."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("klamm", deadline=None)
settings.load_profile("klamm")

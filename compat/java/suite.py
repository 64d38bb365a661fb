"""Kafka's own Java clients (4.3.1 and 2.8.2) and command line tools as a suite of the kit."""

from __future__ import annotations

from compat.suites import pytest_suite

SUITES = [pytest_suite("java", "4.3.1, 2.8.2", needs=("java", "mvn"))]

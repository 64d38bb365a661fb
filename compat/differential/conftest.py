"""Two brokers for the whole session, and the score card at its end.

`--pair LEFT,RIGHT` names the brokers (klamm,kafka unless told; kafka,kafka shows that what the normal form leaves is
what a broker repeats). `--card FILE` writes the score as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.differential.card import Card
from compat.kit.pairs import LIVELY, Pair, Wanted, running

_card = pytest.StashKey[Card]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("compat")
    group.addoption("--pair", default="klamm,kafka", help="the two brokers to compare")
    group.addoption("--card", type=Path, help="write the differential score card to this file, as JSON")


def _wanted(request: pytest.FixtureRequest) -> Wanted:
    left, right = request.config.getoption("--pair").split(",")
    return Wanted(left, right)


@pytest.fixture(scope="session")
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Both brokers, running."""
    with running(_wanted(request)) as found:
        yield found


@pytest.fixture(scope="session")
def lively_pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two more, which look after their logs all the time."""
    with running(_wanted(request), LIVELY) as found:
        yield found


@pytest.fixture(scope="session")
def card(request: pytest.FixtureRequest) -> Card:
    """The score card of this session."""
    return request.config.stash.setdefault(_card, Card())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    card = config.stash.get(_card, None)
    if card is not None:
        terminalreporter.write_line(f"differential: {card.summary()}")
        path = config.getoption("--card")
        if path is not None:
            path.write_text(json.dumps(card.as_json(), indent=1) + "\n")

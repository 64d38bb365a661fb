"""The kill loop, short; and the proof that it can fail: each kind of broken promise is found, a cut log too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from compat.kill_loop.ledger import Ledger, Reading, make_value, parse_value
from compat.kill_loop.loop import TOPIC, Killer
from compat.targets import Target

Entry = tuple[int, int, bytes | None]


def _ledger() -> tuple[Ledger, list[Entry]]:
    """Twenty records of one producer on two partitions, acknowledged, and the log that a good broker holds."""
    ledger = Ledger(2)
    log: list[Entry] = []
    for number in range(20):
        assert ledger.send("p") == number
        ledger.acknowledge("p", number, number % 2, number // 2)
        log.append((number % 2, number // 2, make_value("p", number)))
    ledger.attempt_commit("g", {0: 5, 1: 7})
    ledger.commit("g", {0: 5, 1: 7})
    return ledger, log


def _read(ledger: Ledger, log: list[Entry]) -> list[str]:
    reading = Reading()
    ledger.check_read(reading, log)
    ledger.check_end(reading, ledger.ends())
    ledger.check_all_there(reading)
    return ledger.violations


def test_a_good_log_has_no_violation() -> None:
    ledger, log = _ledger()
    assert _read(ledger, log) == []
    ledger.check_committed("g", ledger.committed("g"), {0: 5, 1: 7})
    assert ledger.violations == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda log: log[:-1], "readable only up to"),
        (lambda log: log[:4] + log[5:], "was read after"),
        (lambda log: [*log, (0, 10, log[0][2])], "is there twice"),
        (lambda log: [(0, 0, make_value("p", 2)), log[1], (0, 1, make_value("p", 0)), *log[3:]], "is there"),
        (lambda log: [(0, 0, make_value("p", 0)[:-1] + b"?"), *log[1:]], "nobody sent"),
        (lambda log: [*log, (0, 10, make_value("p", 20))], "nobody sent"),
        (lambda log: [*log, (0, 10, None)], "nobody sent"),
    ],
    ids=["lost", "hole", "twice", "swapped", "damaged", "invented", "null"],
)
def test_a_bad_log_is_found(change: Callable[[list[Entry]], list[Entry]], complaint: str) -> None:
    ledger, log = _ledger()
    assert any(complaint in violation for violation in _read(ledger, change(log)))


@pytest.mark.parametrize(
    ("found", "complaint"), [({0: 4, 1: 7}, "went back"), ({0: 5}, "went back"), ({0: 6, 1: 7}, "nobody ever")]
)
def test_wrong_committed_offsets_are_found(found: dict[int, int], complaint: str) -> None:
    ledger, _ = _ledger()
    ledger.check_committed("g", ledger.committed("g"), found)
    assert any(complaint in violation for violation in ledger.violations)


def test_an_offset_acknowledged_twice_and_a_group_sent_back_are_found() -> None:
    ledger, _ = _ledger()
    ledger.acknowledge("p", 3, 0, 0)
    ledger.attempt_commit("g", {0: 2})
    assert len(ledger.violations) == 2


def test_values_name_their_record() -> None:
    assert parse_value(make_value("kafka-python", 12345)) == ("kafka-python", 12345)
    assert parse_value(b"p x ") is None
    assert parse_value(None) is None


def test_three_kills(fresh_target: Target) -> None:
    killer = Killer(fresh_target, seed=3, rate=2000)
    killer.run(3)
    assert killer.ledger.violations == []
    assert killer.totals()["acknowledged"] == killer.totals()["sent"] > 1500


class _Forgetful:
    """A broker whose disk loses the newest records of one partition whenever it is killed."""

    def __init__(self, target: Target, data_dir: Path) -> None:
        self._target = target
        self._log = data_dir / f"{TOPIC}-0" / "00000000000000000000.log"
        self.bootstrap = target.bootstrap
        self.start = target.start

    def kill(self) -> None:
        self._target.kill()
        data = self._log.read_bytes()
        self._log.write_bytes(data[: len(data) // 2])


def test_a_log_cut_in_half_is_found(fresh_target: Target) -> None:
    killer = Killer(_Forgetful(fresh_target, fresh_target.data_dir), seed=1, rate=2000)
    try:
        killer.run(1)
    except TimeoutError:
        pass  # producers may wait for ever for records that the broker has forgotten
    assert killer.ledger.violations

"""A share of the damaged copies, by a seed; and the proof that the comparison sees what it is there for."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from compat.damage import node_files
from compat.damage.comparing import Outcome
from compat.damage.copies import Copy, copy_sparse
from compat.damage.damages import DAMAGES, Damage, Kind
from compat.damage.facts import file_facts
from compat.damage.opening import KafkaOpener, KlammOpener
from compat.damage.page import PAGE, page
from compat.damage.reasons import judge_node
from compat.damage.run import judge, judge_copies, open_all, open_baselines, unexplained_of
from compat.damage.template import Template, templates
from klamm.log import recovery, soundness
from klamm.log.epoch_checkpoint import LeaderEpochs
from klamm.log.producer_state import ProducerState
from klamm.log.segment import LogSegment

SEED = 1
COPIES = 40
NODE_CASES = 3

pytestmark = [pytest.mark.needs("java", "mvn"), pytest.mark.timeout(600)]


def test_copies_opened_and_served(tmp_path: Path) -> None:
    verdicts = judge_copies(tmp_path, range(COPIES), SEED, is_served=True)
    assert not unexplained_of(verdicts), "\n".join(unexplained_of(verdicts))
    assert sum(verdict.kind == "equal" for verdict in verdicts) >= COPIES // 3
    print(f"{COPIES} copies, seed {SEED}")


def test_files_of_a_node(tmp_path: Path) -> None:
    outcomes = node_files.run_cases(node_files.choose(SEED, NODE_CASES), tmp_path)
    for name, (kafka, klamm) in outcomes.items():
        kind, text = judge_node(name, kafka, klamm)
        assert kind != "unexplained", f"{name}: {text}"


def test_the_page_is_that_of_the_table() -> None:
    assert PAGE.read_text() == page(), "run python -m compat.damage.page"


# -- calibration: with a fault planted in klamm the comparison must not be content --


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("calibration")


def _template(name: str) -> Template:
    return next(template for template in templates() if template.name == name)


def _judged(place: Path, template: Template, damage: Damage, recovery_point: int) -> list[str]:
    """What is not explained of one copy with that damage."""
    masters = place / "masters"
    directory = masters / "0"
    copy_sparse(template.directory, directory)
    note = damage(directory, random.Random(3))
    assert note is not None
    copy = Copy(0, template, (Kind("calibration", "one"),), note, recovery_point, template.log_start)
    kafka = KafkaOpener(place)
    theirs = open_all(kafka, [copy], masters, place)[0]
    baseline = next(iter(open_baselines(kafka, [copy], place).values()))
    kafka.close()
    klamm = KlammOpener()
    ours = open_all(klamm, [copy], masters, place)[0]
    klamm.close()
    outcome = Outcome(copy, theirs[0], ours[0], theirs[1], ours[1], baseline, file_facts(directory))
    return judge(outcome).unexplained


def _torn(place: Path) -> list[str]:
    return _judged(place, _template("rich-killed"), DAMAGES[Kind("active log", "torn")], 0)


def _flipped(place: Path) -> list[str]:
    return _judged(place, _template("rich-killed"), DAMAGES[Kind("active log", "CRC")], 0)


def _shifted(place: Path) -> list[str]:
    return _judged(place, _template("rich-clean"), DAMAGES[Kind("index", "positions shifted")], 1 << 40)


def test_without_a_fault_all_is_explained(place: Path) -> None:
    assert [_torn(place), _flipped(place), _shifted(place)] == [[], [], []]


def test_a_kept_torn_batch_is_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = LogSegment.take

    def keep_all(segment: LogSegment, part: soundness.SoundPart) -> None:
        take(segment, part._replace(size=segment.file.size()))

    monkeypatch.setattr(LogSegment, "take", keep_all)
    assert any("log:" in line for line in _torn(place))


def test_an_unchecked_crc_is_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundness, "_crc32c", _Agreeing)
    assert _flipped(place)


class _Agreeing:
    """A function whose checksum is always the stored one."""

    def __call__(self, data: memoryview, value: int = 0) -> object:
        return self

    def __ne__(self, other: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_producers_that_are_not_rebuilt_are_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundness, "take_batch", lambda producers, header, batch: None)
    assert any("snapshots" in line for line in _torn(place))


def test_a_trusted_index_is_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LogSegment, "_checked", lambda segment, offset, position: position)
    monkeypatch.setattr(LogSegment, "_check_end", lambda segment, time_index: None)

    def last_index(directory: Path, chance: object) -> str:
        path = sorted(directory.glob("*.log"))[-1].with_suffix(".index")
        path.write_bytes(struct.pack(">ii", 2, 13))  # within the first batch
        return path.name

    assert _judged(place, _template("rich-clean"), last_index, 1 << 40)


def test_unread_epochs_are_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_sound = recovery.read_sound

    def forget(segment: LogSegment, size: int, epochs: LeaderEpochs, producers: ProducerState) -> soundness.SoundPart:
        return read_sound(segment, size, LeaderEpochs(), producers)

    monkeypatch.setattr(recovery, "read_sound", forget)
    deleted = DAMAGES[Kind("epochs", "deleted")]
    assert any("epochs" in line for line in _judged(place, _template("rich-killed"), deleted, 0))

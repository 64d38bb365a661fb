"""The kinds of trouble, and what a broker is seen to do in each: one run gives one `Seen`, to be compared.

A partition in the first directory goes on or not, one in the second fails; after the trouble is over and the broker was
started again, nothing acknowledged may be missing, and nothing wrong may be read.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from compat.disk_errors.broker import Disks
from compat.disk_errors.client import TOPIC, Client, name_of
from compat.disk_errors.shim import EIO, ENOSPC, EROFS

PARTITIONS: Final = 4
OFFSETS_PARTITIONS: Final = 4
_FREE_BYTES: Final = 300_000
_TRIES: Final = 40


@dataclass(frozen=True)
class Scenario:
    """One kind of trouble. `stops`: the broker cannot go on and must end with a status that is not 0."""

    name: str
    what: str
    break_it: Callable[[Disks], None]
    heal: Callable[[Disks], None] = lambda disks: disks.rules.heal()
    configs: dict[str, str] = field(default_factory=dict)
    value_size: int = 1000
    stops: bool = False
    at_start: bool = False
    second_size_mib: int | None = None


@dataclass
class Seen:
    """What was seen of one broker. Codes are Kafka's names; `wrong` lists what was lost or changed: never anything."""

    stopped: bool = False
    first_error: str = ""
    neighbour: str = ""
    leaderless: bool = False
    later_produce: str = ""
    later_fetch: str = ""
    directories: list[str] = field(default_factory=list)
    coordinator: str = ""
    later_commit: str = ""
    neighbour_commit: str = ""
    after: str = ""
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _fill(disks: Disks) -> None:
    filler = disks.second.parent / "filler"
    free = os.statvfs(disks.second).f_bavail * os.statvfs(disks.second).f_frsize
    with open(filler, "wb") as file:
        file.write(bytes(max(free - _FREE_BYTES, 0)))


def _read_only(disks: Disks) -> None:
    disks.rules.fail("write", EROFS, disks.second)
    disks.rules.fail("open", EROFS, disks.second)


def _vanish(disks: Disks) -> None:
    disks.second.rename(disks.directory / "elsewhere")


def _back(disks: Disks) -> None:
    shutil.rmtree(disks.second, ignore_errors=True)
    (disks.directory / "elsewhere").rename(disks.second)


def _file(disks: Disks) -> None:
    _vanish(disks)
    disks.second.write_text("a file where a directory should be")


def _file_gone(disks: Disks) -> None:
    disks.second.unlink()
    _back(disks)


def _spoil_identity(disks: Disks) -> None:
    place = disks.second / "meta.properties"
    place.rename(disks.directory / "meta.properties")
    place.write_text("version=7\n")


def _restore_identity(disks: Disks) -> None:
    (disks.directory / "meta.properties").rename(disks.second / "meta.properties")


def _tear(disks: Disks) -> None:
    disks.rules.fail(
        "torn", ENOSPC, disks.second / f"{TOPIC}-"
    )  # only what is in partitions: no checkpoint comes first


def _failing(operation: str, code: int, *where: str) -> Callable[[Disks], None]:
    def break_it(disks: Disks) -> None:
        for name in where or ("second",):
            disks.rules.fail(operation, code, getattr(disks, name))

    return break_it


SCENARIOS: Final = (
    Scenario("write-eio", "writes err", _failing("write", EIO)),
    Scenario("write-enospc", "writes find no space", _failing("write", ENOSPC)),
    Scenario("torn", "half of a batch is written, then the disk is full", _tear),
    Scenario("torn-large", "the same with a large batch", _tear, value_size=400_000),
    Scenario(
        "disk-full",
        "a small file system in memory fills up",
        _fill,
        heal=lambda disks: (disks.second.parent / "filler").unlink(),
        value_size=50_000,
        second_size_mib=24,
    ),
    Scenario(
        "fsync-eio", "a sync errs that producers wait for", _failing("fsync", EIO), configs={"flush.messages": "1"}
    ),
    Scenario("fsync-eio-later", "a sync errs that nobody waits for", _failing("fsync", EIO)),
    Scenario("read-only", "the file system takes no more writes", _read_only),
    Scenario("vanished", "the directory is gone", _vanish, heal=_back),
    Scenario(
        "metadata-eio", "writes to the directory with the metadata log err", _failing("write", EIO, "first"), stops=True
    ),
    Scenario("all-eio", "writes err everywhere", _failing("write", EIO, "first", "second"), stops=True),
    Scenario("start-file", "a file where a directory should be, at the start", _file, heal=_file_gone, at_start=True),
    Scenario(
        "start-identity",
        "a meta.properties of an unknown version, at the start",
        _spoil_identity,
        heal=_restore_identity,
        at_start=True,
    ),
)


class Run:
    """One scenario on one broker."""

    def __init__(self, scenario: Scenario, kind: str) -> None:
        self.scenario = scenario
        self.disks = Disks(kind, second_size_mib=scenario.second_size_mib)
        self.seen = Seen()

    def run(self) -> Seen:
        """From the first start to the last check. Raises what the broker raises that does not start."""
        target, scenario = self.disks.target, self.scenario
        target.start()
        self.client = Client(target.bootstrap)
        self.client.create(PARTITIONS, scenario.configs)
        lost, kept = self._places()
        self.lost_group, self.kept_group = self._groups()
        for partition in range(PARTITIONS):
            for _ in range(5):
                code = self.client.produce(partition, count=3)
                assert code == 0, name_of(code)
        if scenario.at_start:
            self._stop()
        scenario.break_it(self.disks)
        if scenario.at_start:
            target.start()
            self.client.wait_for_leaders([kept])
            self.client.produce_until_led(kept)
        if scenario.stops:
            self._watch_the_end(lost)
        else:
            self._watch(lost, kept)
        self._stop()
        scenario.heal(self.disks)
        target.start()
        self._check_all()
        self._stop()
        return self.seen

    def _stop(self) -> None:
        self.client.close()
        if self.disks.is_running:
            self.disks.target.stop()

    def _places(self) -> tuple[int, int]:
        """(a partition in the second directory, one in the first)."""
        deadline = time.monotonic() + 10
        while True:
            second, first = (
                [int(path.name.rpartition("-")[2]) for path in directory.glob(f"{TOPIC}-*")]
                for directory in (self.disks.second, self.disks.first)
            )
            if len(second) + len(first) == PARTITIONS:
                return min(second), min(first)
            assert time.monotonic() < deadline, "the partitions have no directories"
            time.sleep(0.05)

    def _groups(self) -> tuple[str, str]:
        """(a group whose coordinator has its partition in the second directory, one in the first), both committed."""
        assert self.client.find_coordinator("any", timeout_s=20) == 0
        found: dict[bool, str] = {}
        for number in range(100):
            group = f"group-{number}"
            name = f"__consumer_offsets-{java_hash(group) % OFFSETS_PARTITIONS}"
            if self.client.commit(group, 7, timeout_s=20) == 0:
                found.setdefault((self.disks.second / name).is_dir(), group)
            if len(found) == 2:
                break
        time.sleep(0.5)  # the controller is told of the places a moment later
        return found[True], found[False]

    def _until_it_fails(self, partition: int) -> str:
        for _ in range(_TRIES):
            code = self.client.produce(partition, self.scenario.value_size)
            if code:
                return name_of(code)
            time.sleep(0.05)
        return "NONE"

    def _watch(self, lost: int, kept: int) -> None:
        seen, client = self.seen, self.client
        if not self.scenario.at_start:
            seen.first_error = self._until_it_fails(lost)
        seen.neighbour = name_of(client.produce(kept))
        seen.leaderless = client.wait_for_leaders([lost], there=False, timeout_s=15)
        seen.later_produce = name_of(client.produce(lost))
        seen.later_fetch = name_of(client.fetch(lost, 0)[0])
        seen.directories = [name_of(code) for code in client.directory_errors()]
        seen.coordinator = name_of(client.find_coordinator(self.lost_group))
        seen.later_commit = name_of(client.commit(self.lost_group, 8))
        seen.neighbour_commit = name_of(client.commit(self.kept_group, 8, timeout_s=5))
        for _ in range(3):
            code = client.produce(kept)
            if code:
                seen.neighbour = name_of(code)
        seen.wrong += client.check(kept)
        seen.stopped = not self.disks.is_running

    def _watch_the_end(self, partition: int) -> None:
        deadline = time.monotonic() + 20
        while self.disks.is_running and time.monotonic() < deadline:
            self.client.produce(partition)
            time.sleep(0.1)
        self.seen.stopped = self.disks.exit_status(5) not in (None, 0)

    def _check_all(self) -> None:
        client = Client(self.disks.target.bootstrap)
        client.acknowledged = self.client.acknowledged
        client._sent = 100_000
        self.client = client
        back = client.wait_for_leaders(range(PARTITIONS))
        codes = [client.produce_until_led(partition) for partition in range(PARTITIONS)]
        self.seen.after = ",".join(sorted({name_of(code) for code in codes})) if back else "leaderless"
        for partition in range(PARTITIONS):
            self.seen.wrong += client.check(partition)
        kept = 8 if self.seen.neighbour_commit == "NONE" else 7
        for group, expected in ((self.lost_group, 7), (self.kept_group, kept)):
            if client.find_coordinator(group, timeout_s=20) or client.committed(group) != expected:
                self.seen.wrong.append(f"{group} has lost its offset")


def java_hash(text: str) -> int:
    """Java's String.hashCode of ASCII text, without the sign: it picks a group's partition."""
    value = 0
    for character in text:
        value = (value * 31 + ord(character)) & 0xFFFFFFFF
    return value & 0x7FFFFFFF


def run(scenario: Scenario, kind: str, *, keep: bool = False) -> Seen:
    """One scenario on a new broker of that kind ("klamm" or "kafka"). `keep`: leave its directory."""
    one = Run(scenario, kind)
    try:
        return one.run()
    except BaseException:
        keep = True
        print(f"the broker's files are in {one.disks.directory}")
        raise
    finally:
        one.disks.target.kill()
        if not keep:
            one.disks.remove()

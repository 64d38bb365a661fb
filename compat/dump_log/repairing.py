"""`python -m compat.dump_log.repairing [--rounds N]`: damaged directories, mended by `klamm log repair`, serve again.

A round damages several files of a directory at once, by seed, and mends it. Then `klamm log verify` finds nothing, no
byte of a segment is gone, real Kafka and klamm start on copies of it, and their consumers read the same records.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from compat.dump_log.__main__ import make_directories
from compat.dump_log.damaging import damage
from compat.java.tools import Tools
from compat.shared_directory.brokers import Place
from compat.shared_directory.consuming import LEVELS, consume
from klamm.cli.main import main as klamm

DAMAGES = 6
_TOPICS = {"codecs": 2, "idempotent": 1, "append.time": 1, "segments": 1, "deleted": 1, "transactions": 2, "shared": 1}
"""What is read of both brokers, with the number of partitions: not what each may compact at a time of its own."""
_DAMAGED = (
    "*-*/*.log", "*-*/*.log", "*-*/*.index", "*-*/*.timeindex", "*-*/*.txnindex", "*-*/*.snapshot",
    "*-*/leader-epoch-checkpoint", "*-*/partition.metadata", "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint", "bootstrap.checkpoint", "__cluster_metadata-0/quorum-state",
    "__cluster_metadata-0/*.index",
)  # fmt: skip
_CUT_ONLY = ("partition.metadata", "quorum-state")
"""Files without a checksum: what else is changed in them may be another truth, which nobody can mend."""
_PIECE = re.compile(r"(?P<file>.*\.log)\.(?P<begin>\d+)-(?P<end>\d+)(?:\.\d+)?\.quarantine\Z")


def command(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and JSON lines of a `klamm log` command."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = klamm(["log", *map(str, arguments)])
    return status, [json.loads(line) for line in out.getvalue().splitlines()]


def damage_directory(directory: Path, chance: random.Random) -> list[str]:
    """Damage some files of a data directory in place; what was done."""
    done = []
    for pattern in chance.sample(_DAMAGED, DAMAGES):
        files = [path for path in sorted(directory.glob(pattern)) if 0 < path.stat().st_size < 1 << 20]
        if pattern.startswith("*"):  # the metadata's own log is not given up unasked
            files = [path for path in files if not path.parent.name.startswith("__cluster_metadata")]
        if not files:
            continue
        path = chance.choice(files)
        if path.name in _CUT_ONLY:
            path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])
            what = "cut"
        else:
            what = damage(path, chance)
        done.append(f"{what} of {path.relative_to(directory)}")
    if chance.random() < 0.5:
        (directory / ".kafka_cleanshutdown").unlink(missing_ok=True)
        done.append("no clean stop")
    return done


def lost_bytes(before: Path, after: Path) -> list[str]:
    """Segments of `before` of which a byte is neither in `after` nor in quarantine there."""
    lost = []
    for path in sorted(before.glob("*-*/*.log")):
        if path.stat().st_size == 0:
            continue
        mended = after / path.relative_to(before)
        whole = mended.with_name(mended.name + ".quarantine")
        pieces = sorted(
            (int(match["begin"]), int(match["end"]), piece.read_bytes())
            for piece in mended.parent.glob(f"{mended.name}.*.quarantine")
            if (match := _PIECE.match(piece.name)) is not None
        )
        if whole.exists():
            together = whole.read_bytes()
        else:
            kept, together = io.BytesIO(mended.read_bytes() if mended.exists() else b""), b""
            for begin, end, data in pieces:
                together += kept.read(begin - len(together)) + data
                assert len(data) == end - begin
            together += kept.read()
        original = path.read_bytes()
        if together != original and together != original.rstrip(b"\0"):
            lost.append(str(path.relative_to(before)))
    return lost


def serve(place: Place, kind: str) -> dict[str, Any]:
    """Start a broker on the place and read everything; the directory must be sound behind it."""
    partitions = [(topic, index) for topic, count in _TOPICS.items() for index in range(count)]
    broker = place.start(kind)
    try:
        told = {level: consume(broker.bootstrap, partitions, level) for level in LEVELS}
        broker.stop()
    finally:
        broker.kill()
    status, rows = command("verify", "--deep", "--json", place.data_dir)
    assert status == 0, f"after {kind}: {[r for r in rows if r.get('severity') in ('error', 'warning')]}"
    return told


def play(source: Path, seed: int) -> str:
    """One round; an AssertionError tells what is wrong. What was done, in words."""
    chance = random.Random(seed)
    directory = Path(tempfile.mkdtemp(prefix="log-repair-"))
    try:
        place = Place(directory / "mended")
        shutil.copytree(source, place.data_dir)
        done = damage_directory(place.data_dir, chance)
        damaged = directory / "damaged"
        shutil.copytree(place.data_dir, damaged)
        drop = ["--drop-damaged-batches"] if chance.random() < 0.5 else []
        status, steps = command("repair", "--deep", "--json", *drop, place.data_dir)
        assert status == 0, (done, steps)
        status, found = command("verify", "--deep", "--json", place.data_dir)
        assert status == 0, (done, found)
        assert not (lost := lost_bytes(damaged, place.data_dir)), (done, lost)
        told = {}
        for kind in ("kafka", "klamm"):
            copy = place.copy(kind)
            told[kind] = serve(copy, kind)
        assert told["kafka"] == told["klamm"], (done, told)
        count = sum(n for n, _ in told["kafka"]["read_uncommitted"].values())
        taken = sum(1 for step in steps if step["fact"] == "step")
        return f"seed {seed}: {'; '.join(done)} -> {taken} steps{' ' + drop[0] if drop else ''}, {count} records read"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m compat.dump_log.repairing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="(default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the data and of the first round (default: 1)")
    args = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="log-repair-source-"))
    tools = Tools(place)
    failed = 0
    try:
        directories = make_directories(tools, place, args.seed)
        for seed in range(args.seed, args.seed + args.rounds):
            name = "kafka, stopped" if seed % 3 else "kafka, killed"
            try:
                print(f"{name}, {play(directories[name], seed)}", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"FAILED {name}, seed {seed}: {error}", flush=True)
    finally:
        tools.close()
        shutil.rmtree(place, ignore_errors=True)
    print(f"{args.rounds} rounds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

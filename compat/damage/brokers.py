"""The copies as partitions of a running broker: one start recovers them all, then it is asked, then it is stopped.

Copies that either side refuses are left out: with Kafka one of them keeps the whole broker from starting.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from compat.damage.asking import TIMES, TOPIC, Asking, Told, expected
from compat.damage.comparing import Difference
from compat.damage.copies import Copy, copy_sparse
from compat.damage.facts import Facts, file_facts
from compat.damage.opening import Opened
from compat.damage.template import SETTINGS
from compat.targets import KafkaTarget, KlammTarget, Target

_CLEAN = ".kafka_cleanshutdown"
_KAFKA = {
    "log.initial.task.delay.ms": "600000",
    "producer.id.expiration.ms": str((1 << 31) - 1),
    "log.cleaner.enable": "false",
}
_KLAMM = {"producer.id.expiration.ms": str((1 << 31) - 1)}


class Served(NamedTuple):
    """What one broker told of a copy, and what it left on the disk."""

    told: Told
    facts: Facts


def serve(target: Target, copies: Sequence[Copy], masters: Path) -> dict[int, Served]:
    """Start the broker on those copies, all clean or none; ask; stop it cleanly."""
    target.start()
    asking = Asking(target.bootstrap)
    asking.create_topic(len(copies), SETTINGS)
    asking.close()
    target.stop()
    for partition, copy in enumerate(copies):
        directory = target.data_dir / f"{TOPIC}-{partition}"
        metadata = (directory / "partition.metadata").read_bytes()
        copy_sparse(masters / str(copy.number), directory)
        (directory / "partition.metadata").write_bytes(metadata)
    _checkpoint(target.data_dir / "recovery-point-offset-checkpoint", [copy.recovery_point for copy in copies])
    _checkpoint(target.data_dir / "log-start-offset-checkpoint", [copy.log_start for copy in copies])
    _checkpoint(target.data_dir / "replication-offset-checkpoint", [])
    if not copies[0].is_clean:
        (target.data_dir / _CLEAN).unlink()
    target.start()
    asking = Asking(target.bootstrap)
    told = asking.ask(list(range(len(copies))))
    asking.close()
    target.stop()
    return {
        copy.number: Served(told[partition], file_facts(target.data_dir / f"{TOPIC}-{partition}"))
        for partition, copy in enumerate(copies)
    }


def _checkpoint(path: Path, offsets: Sequence[int]) -> None:
    """Put those offsets of our topic into a checkpoint; other topics stay."""
    lines = path.read_text().splitlines()[2:] if path.exists() else []
    lines = [line for line in lines if not line.startswith(f"{TOPIC} ")]
    lines += [f"{TOPIC} {partition} {offset}" for partition, offset in enumerate(offsets)]
    path.write_text(f"0\n{len(lines)}\n" + "".join(f"{line}\n" for line in lines))


def serve_all(copies: Sequence[Copy], masters: Path, place: Path) -> dict[str, dict[int, Served]]:
    """Both brokers, each once for the clean copies and once for the others; by broker and number."""
    found: dict[str, dict[int, Served]] = {"kafka": {}, "klamm": {}}
    for is_clean in (True, False):
        group = [copy for copy in copies if copy.is_clean == is_clean]
        if not group:
            continue
        for target in (
            KafkaTarget(_KAFKA, heap="1g", directory=place / f"kafka-{is_clean}"),
            KlammTarget(_KLAMM, directory=place / f"klamm-{is_clean}"),
        ):
            try:
                found[target.name].update(serve(target, group, masters))
            finally:
                target.kill()
    return found


def told_differences(kafka: Told, klamm: Told, *, is_compacted: bool) -> list[Difference]:
    """What the two brokers told otherwise."""
    left_out = {f"by time {at}" for at in TIMES[:2]} if is_compacted else set()
    found = []
    for name in sorted(klamm.keys() - left_out):
        one, other = kafka[name], klamm[name]
        if isinstance(other, dict):
            found += [
                Difference(f"told {name} {part}", one[part], value)
                for part, value in other.items()
                if one[part] != value
            ]
        elif one != other:
            found.append(Difference(f"told {name}", one, other))
    return found


def told_faults(told: Told, opened: Opened, facts: Facts) -> list[str]:
    """Where klamm's answers are not what its own files say."""
    wanted = expected(opened, facts)
    found = []
    for name, value in wanted.items():
        got = told["records" if name == "batches" else "committed"]["batches"] if "batches" in name else told.get(name)
        if got != value:
            found.append(f"told {name}: {_short(got, value)} where its files say {_short(value, got)}")
    return found


def _short(value: object, other: object) -> str:
    if isinstance(value, dict) and isinstance(other, dict):
        changed = [key for key in value if other.get(key) != value[key]]
        return f"{len(value)} batches ({changed[:5]} differ)"
    return str(value)

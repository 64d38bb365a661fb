"""tests/data/damage/corpus.jsonl.xz, made by `python -m compat.damage.corpus`: damaged logs with Kafka's own answers.

One copy of every kind of damage, so that `make test` keeps what the comparison with Kafka has found without a JVM.
"""

from __future__ import annotations

import base64
import json
import logging
import lzma
import sys
import tempfile
from pathlib import Path
from typing import Any

from compat.damage.comparing import differences
from compat.damage.copies import Copy
from compat.damage.damages import DAMAGES
from compat.damage.facts import Facts
from compat.damage.opening import Opened
from compat.damage.run import Verdict, judge_copies
from compat.damage.template import SETTINGS

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "data" / "damage" / "corpus.jsonl.xz"
_SEED = 20


def _plain(value: Any) -> Any:
    """As JSON can hold it: bytes in base64, keys as text, producers in order."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(key): _plain(row) for key, row in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [_plain(row) for row in value]
    return value


def _side(opened: Opened, facts: Facts) -> dict[str, Any]:
    if opened.refusal:
        return {"refused": True}
    return {"offsets": list(opened[1:]), **_plain(facts)}


def row(verdict: Verdict, directory: Path) -> dict[str, Any]:
    """One copy: its files (bytes, and the size with the zeros behind them), its checkpoints, both answers."""
    copy: Copy = verdict.copy
    outcome = verdict.outcome
    files = {}
    for path in sorted(directory.iterdir()):
        data = path.read_bytes()
        files[path.name] = [_plain(data.rstrip(b"\0")), len(data)]
    told = {
        "label": f"{copy.kinds[0].file}, {copy.kinds[0].damage}",
        "is_clean": copy.is_clean,
        "recovery_point": copy.recovery_point,
        "log_start": copy.log_start,
        "files": files,
        "kafka": _side(outcome.kafka, outcome.kafka_facts),
        "reasons": verdict.reasons,
    }
    if differences(outcome):
        told["klamm"] = _side(outcome.klamm, outcome.klamm_facts)
    return told


def main() -> int:
    logging.getLogger("klamm").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="compat-damage-") as place:
        verdicts = judge_copies(Path(place), range(len(DAMAGES)), _SEED)
        rows = [row(verdict, Path(place) / "masters" / str(verdict.copy.number)) for verdict in verdicts]
    unexplained = [verdict for verdict in verdicts if verdict.kind == "unexplained"]
    for verdict in unexplained:
        print(verdict.copy.label, verdict.unexplained)
    rows.sort(key=lambda told: (told["files"].keys() != {}, told["label"]))
    CORPUS.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({"settings": SETTINGS})
    text = "\n".join([head, *(json.dumps(told) for told in rows)]) + "\n"
    CORPUS.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(rows)} copies, {CORPUS.stat().st_size} bytes")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())

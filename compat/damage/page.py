"""docs/recovery.md, made from the table of reasons by `python -m compat.damage.page`."""

from __future__ import annotations

import textwrap
from pathlib import Path

from compat.damage.reasons import NODE_REASONS, REASONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recovery.md"
_WIDTH = 110
_HEAD = """\
# How a log starts, and what damage does to it

Made by `python -m compat.damage.page` from `compat/damage/reasons.py`; do not edit by hand.

After a clean stop (`.kafka_cleanshutdown` is there) files are taken as they are. After any other stop a log is read
again from the segment that holds its recovery point: every batch must be whole, its CRC right, its offsets above those
before it. The first one that is not ends the log; the file is cut there and later segments go. Indexes, aborted
transactions, leader epochs and producers are made from the batches on the way. A segment whose batches lie too far from
its base offset is split (KAFKA-6264). A segment that begins below its own name is a file under a wrong name: the
directory goes offline, as Kafka ends there, and nothing is cut.

`python -m compat.damage` damages hundreds of copies of a log that real Kafka wrote, and has Kafka 4.3.1's own classes,
klamm, a Kafka broker and a klamm broker recover each. What they find must be equal: the bytes of the log, index
entries, producers, epochs, aborted transactions, offsets, and what a consumer is told. Beyond that klamm's side is
checked by itself: every batch with a right CRC is one that was written, every index entry names its batch, and what is
served is what the files hold.

Nobody can see these: a bit flipped in a part of the log that is not read again (the consumer's CRC check finds it); an
offset that a flipped bit has raised without meeting the next one (the CRC does not cover it, and it looks like the gap
that compaction leaves); a leader epoch (not covered either); a whole entry that is missing from a transaction index
which is not read again.

What follows is all that klamm does otherwise than Kafka, with the reason.
"""


def page() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for number, reason in enumerate(REASONS, 1):
        parts.append(f"## {number}. {reason.name[0].upper()}{reason.name[1:]}\n")
        rows = (("When", reason.when), ("Kafka", reason.kafka), ("klamm", reason.klamm), ("Why", reason.why))
        parts += [_wrapped(f"- {name}: {text}.") for name, text in rows]
        parts.append("")
    parts.append("## The files of a node\n")
    for name, text in sorted(NODE_REASONS.items()):
        parts.append(_wrapped(f"- {name}: {text}."))
    return "\n".join(parts).rstrip("\n") + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page())

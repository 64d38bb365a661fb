"""What the keys of client metrics subscriptions do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

CLIENT_METRICS_DOCS: Final[dict[str, str]] = {
    "interval.ms": "How often the matching clients push their metrics.",
    "match": "Which clients are meant, as selector=pattern entries that must all match; empty means every client.",
    "metrics": "Prefixes of the names of the metrics to push; empty means none, * all.",
}

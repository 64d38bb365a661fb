"""What the broker keys of `tables/broker_metrics.py` do, a sentence each.

Imported only when documentation is asked for.
"""

from __future__ import annotations

from typing import Final

METRICS_DOCS: Final[dict[str, str]] = {
    "alter.log.dirs.replication.quota.window.num": "Samples kept to measure the rate of moves between log directories.",
    "alter.log.dirs.replication.quota.window.size.seconds": (
        "Length of one sample of the rate of moves between log directories."
    ),
    "client.quota.callback.class": "Class that decides which quota a request counts against.",
    "controller.quota.window.num": "Samples kept to measure the rate of controller mutations.",
    "controller.quota.window.size.seconds": "Length of one sample of the rate of controller mutations.",
    "kafka.metrics.polling.interval.secs": "Seconds between two polls of the classes in kafka.metrics.reporters.",
    "kafka.metrics.reporters": "Classes that report the server's own (Yammer) metrics.",
    "metric.reporters": "Classes that report metrics.",
    "metrics.num.samples": "Samples that a rate or average is computed from.",
    "metrics.recording.level": "Detail of the metrics that are recorded: INFO, DEBUG or TRACE.",
    "metrics.sample.window.ms": "Length of one sample of a metric.",
    "quota.window.num": "Samples kept to measure the rates of client quotas.",
    "quota.window.size.seconds": "Length of one sample of the rates of client quotas.",
    "replication.quota.window.num": "Samples kept to measure the rate of throttled replication.",
    "replication.quota.window.size.seconds": "Length of one sample of the rate of throttled replication.",
    "telemetry.max.bytes": "Largest push of client telemetry, after compression, that is accepted.",
}

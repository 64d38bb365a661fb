"""The metrics: key, label, unit, direction, and two goals as ratios klamm / Kafka.

"Realistic" is what a release has to reach, "moonshot" what the best prototype of one hot path did alone. Both are
ratios because absolute figures belong to one machine; figures without a goal are printed for context.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """`goal` and `moonshot`: bounds of the ratio klamm / kafka; None: none is set.

    `limit`: a bound of klamm's own value, for what Kafka does not do.
    """

    key: str
    label: str
    unit: str
    more_is_better: bool
    goal: float | None = None
    moonshot: float | None = None
    limit: float | None = None

    def reaches(self, ratio: float, bound: float) -> bool:
        return ratio >= bound if self.more_is_better else ratio <= bound


def _more(key: str, label: str, unit: str, goal: float | None = None, moonshot: float | None = None) -> Metric:
    return Metric(key, label, unit, True, goal, moonshot)


def _less(key: str, label: str, unit: str, goal: float | None = None, moonshot: float | None = None) -> Metric:
    return Metric(key, label, unit, False, goal, moonshot)


RECOVERY_MB: tuple[int, ...] = (500, 1000, 2000)
PARTITION_COUNTS: tuple[int, ...] = (1000, 5000)

RATES: tuple[int, ...] = (2000, 8000)
"""Requests a second, besides the usual 500."""
SIZES: tuple[tuple[int, int], ...] = tuple(
    (record, batch) for record in (100, 1000, 10_000) for batch in (16_384, 131_072, 1_000_000)
)
"""Bytes of a record and of its batch."""

CLUSTER_SIZES: tuple[int, ...] = (100, 1000, 10_000)

METRICS: tuple[Metric, ...] = (
    _less("start_fresh_s", "start to first answer, empty directory", "s", 0.15, 0.05),
    _less("start_again_s", "start to first answer, existing directory", "s", 0.15, 0.05),
    _less("rest_resident_mb", "resident memory at rest", "MB"),
    _less("rest_anonymous_mb", "anonymous memory at rest", "MB", 0.1, 0.04),
    _less("loaded_resident_mb", "resident memory after the load", "MB"),
    _less("loaded_anonymous_mb", "anonymous memory after the load", "MB", 0.1, 0.04),
    _more("tiny_per_s", "produce 1 x 100 B, 32 connections", "req/s", 0.8, 2.0),
    _less("tiny_cpu_us", "  broker CPU", "us/req", 1.2, 0.5),
    _more("tiny_pipelined_per_s", "produce 1 x 100 B, 16 connections x 5", "req/s", 0.8, 2.0),
    _less("tiny_pipelined_cpu_us", "  broker CPU", "us/req", 1.2, 0.5),
    _more("synced_1_per_s", "produce 1 x 100 B, flush.messages=1, 32 connections, 1 partition", "req/s", 1.0),
    _less("synced_1_p99_ms", "  p99 latency", "ms"),
    _more("synced_32_per_s", "produce 1 x 100 B, flush.messages=1, 32 connections, 32 partitions", "req/s", 1.0),
    _less("synced_32_p99_ms", "  p99 latency", "ms"),
    _more("produce_16k_mb_s", "produce 16 KB batches", "MB/s", 1.5, 3.0),
    _less("produce_16k_cpu", "  broker CPU", "s/GB", 0.6, 0.3),
    _more("produce_1m_mb_s", "produce 1 MB batches", "MB/s"),
    _less("produce_1m_cpu", "  broker CPU", "s/GB"),
    _less("produce_1m_p99_ms", "  p99 latency", "ms"),
    _more("fetch_mb_s", "fetch, 1 connection, 1 MB a partition", "MB/s", 0.9, 1.5),
    _less("fetch_cpu", "  broker CPU", "s/GB", 1.2, 0.6),
    _more("fetch_sealed_mb_s", "fetch, the same from sealed segments", "MB/s", 0.9, 1.5),
    _less("fetch_sealed_cpu", "  broker CPU", "s/GB", 1.2, 0.6),
    _less("rate_p50_us", "produce latency at 500/s, p50", "us", 0.9, 0.6),
    _less("rate_p99_us", "produce latency at 500/s, p99", "us", 1.2, 0.5),
    _less("beside_large_p50_us", "the same beside 1 MB batches, p50", "us"),
    _less("beside_large_p99_us", "the same beside 1 MB batches, p99", "us", 1.5, 1.0),
    _less("e2e_p50_us", "produce to consume at 500/s, p50", "us", 0.9, 0.6),
    _less("e2e_p99_us", "produce to consume at 500/s, p99", "us"),
    _less("metadata_cached_us", "Metadata of 10,000 partitions, p50", "us", 0.3, 0.05),
    _less("metadata_changed_us", "  first one after a new topic, p50", "us", 3.0, 1.0),
    _less("metadata_uncached_us", "  first one in a version, p50", "us", 3.0, 1.0),
    _more("connections_per_s", "connections opened, each asks ApiVersions", "1/s", 1.5, 2.5),
    *(
        metric
        for rate in RATES
        for metric in (
            _less(f"rate_{rate}_p50_us", f"produce latency at {rate:,}/s, 4 connections, p50", "us"),
            _less(f"rate_{rate}_p99_us", "  p99", "us"),
        )
    ),
    _more("many_connections_per_s", "produce 1 x 100 B, 1,000 connections", "req/s"),
    _less("many_connections_p99_ms", "  p99 latency", "ms"),
    Metric("idle_connections_mb", "anonymous memory of 2,000 idle connections", "MB", False, limit=20.0),
    _less("rebalance_p50_ms", "rebalance of a group of 100 members, p50", "ms"),
    _less("rebalance_p99_ms", "  p99", "ms"),
    *(
        _more(f"{kind}_{record}_{batch}_mb_s", f"{kind}, {record:,} B records, {batch:,} B batches", "MB/s")
        for kind in ("produce", "fetch")
        for record, batch in SIZES
    ),
    _more("java_produce_mb_s", "ProducerPerformance 1000 B, defaults", "MB/s", 0.9, 1.3),
    _less("java_produce_cpu", "  broker CPU", "s/GB"),
    _more("java_tuned_mb_s", "ProducerPerformance, batch 128 K, linger 5", "MB/s", 0.95, 1.2),
    _less("java_tuned_cpu", "  broker CPU", "s/GB"),
    _more("java_lz4_mb_s", "ProducerPerformance, the same with lz4", "MB/s", 0.95, 1.2),
    _more("java_consume_mb_s", "ConsumerPerformance", "MB/s", 0.9, 1.15),
    _less("java_consume_cpu", "  broker CPU", "s/GB"),
    _more("librdkafka_produce_mb_s", "confluent-kafka produce 1000 B, linger 5", "MB/s", 1.0, 1.5),
    _more("librdkafka_consume_mb_s", "confluent-kafka consume", "MB/s", 0.9, 1.15),
    _more("append_1_mb_s", "append, 1 partition, 16 KB batches", "MB/s", 1.0),
    _less("append_1_cpu", "  broker CPU", "s/GB"),
    _more("append_100_mb_s", "append, 100 partitions", "MB/s", 1.0),
    _less("append_100_cpu", "  broker CPU", "s/GB"),
    _more("read_1_mb_s", "read, 1 partition", "MB/s", 1.0),
    _less("read_1_cpu", "  broker CPU", "s/GB"),
    _more("read_100_mb_s", "read, 100 partitions", "MB/s", 1.0),
    _less("read_100_cpu", "  broker CPU", "s/GB"),
    *(_less(f"recovery_{mb}_s", f"SIGKILL to serving again, {mb:,} MB in 2 logs", "s", 1.5) for mb in RECOVERY_MB),
    *(
        metric
        for count in PARTITION_COUNTS
        for metric in (
            _less(f"partitions_{count}_start_s", f"start with {count:,} partitions", "s", 0.5),
            _less(f"partitions_{count}_stop_s", "  clean stop", "s"),
            _less(f"partitions_{count}_anonymous_mb", "  anonymous memory", "MB", 0.25),
            _less(f"partitions_{count}_resident_mb", "  resident memory", "MB", 0.25),
            _less(f"partitions_{count}_files", "  open files", ""),
        )
    ),
    _more("replicated_java_mb_s", "3 nodes: ProducerPerformance acks=all, batch 128 K, linger 5", "MB/s", 1.0),
    _less("replicated_java_cpu", "  CPU of all nodes", "s/GB"),
    _more("replicated_librdkafka_mb_s", "3 nodes: confluent-kafka acks=all, linger 5", "MB/s", 1.0),
    _less("replicated_librdkafka_cpu", "  CPU of all nodes", "s/GB"),
    _less("replicated_p50_us", "3 nodes: latency of acks=all at 500/s, p50", "us", 1.0),
    _less("replicated_p99_us", "3 nodes: latency of acks=all at 500/s, p99", "us", 1.0),
    _less("replicated_request_cpu_us", "  CPU of all nodes", "us/req"),
    *(
        metric
        for key, label, service in (
            ("leader_killed", "3 nodes: SIGKILL of a leader", "writes"),
            ("leader_stopped", "3 nodes: SIGTERM of a leader", "writes"),
            ("controller_killed", "3 nodes: SIGKILL of the active controller", "topics"),
            ("controller_stopped", "3 nodes: SIGTERM of the active controller", "topics"),
        )
        for metric in (
            _less(f"{key}_ms", f"{label}, no {service} for", "ms", 1.0),
            _less(f"{key}_back_s", "  start to full ISR", "s", 1.0),
        )
    ),
    *(
        metric
        for size in CLUSTER_SIZES
        for metric in (
            _less(f"cluster_{size}_create_s", f"3 nodes: {size:,} partitions created, led and in sync", "s", 1.0),
            _less(f"cluster_{size}_metadata_us", "  Metadata of all, p50", "us", 1.0),
            _less(f"cluster_{size}_anonymous_mb", "  anonymous memory of all nodes", "MB", 0.25),
            _less(f"cluster_{size}_grown_mb", "  of that since the start", "MB"),
            _less(f"cluster_{size}_failover_s", "  SIGKILL of a broker until all are led", "s", 1.0),
            _less(f"cluster_{size}_back_s", "  start to full ISR", "s", 1.0),
        )
    ),
    Metric("cluster_ready_ms", "klamm.testing.Cluster ready, modules imported", "ms", False, limit=50.0),
)  # fmt: skip

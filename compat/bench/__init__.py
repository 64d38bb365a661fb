"""klamm beside real Kafka on the same machine: `python -m compat.bench` (docs/benchmarks.md)."""

"""Damaged log directories, recovered by klamm and by real Kafka: what both make of them must be equal."""

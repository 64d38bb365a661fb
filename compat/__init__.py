"""Tests against the real thing: unmodified clients and tools, on klamm or on real Kafka."""

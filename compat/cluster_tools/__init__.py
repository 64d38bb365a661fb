"""Kafka's administration tools against three klamm nodes and three real ones: the same steps, the same output."""

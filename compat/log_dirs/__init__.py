"""Replicas that move between the log directories of brokers, by Kafka's own tools."""

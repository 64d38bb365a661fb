"""The configuration keys of Kafka 4.3, a module per subject: tables only, no code."""

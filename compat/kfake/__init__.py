"""A server that is neither klamm nor Kafka, for the kit to try."""

"""Controllers of klamm and of real Kafka in one quorum."""

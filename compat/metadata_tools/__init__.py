"""What Kafka's own tools read in `__cluster_metadata` and its snapshots when klamm has written them."""

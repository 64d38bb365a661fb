"""A recording proxy between any Kafka client and any server: shows, records, replays, and disturbs by rule."""

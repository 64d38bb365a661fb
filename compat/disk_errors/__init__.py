"""Disks that fill up, become read-only, err or vanish under a broker: klamm and real Kafka through the same trouble."""

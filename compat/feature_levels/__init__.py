"""Clusters that were formatted at older releases: klamm beside real Kafka, and the records of each at each level."""

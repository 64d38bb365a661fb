"""Consumers that read from the replica in their own rack (KIP-392)."""

"""Coordinators: replicated state machines on the partitions of internal topics (groups; later transactions, share)."""

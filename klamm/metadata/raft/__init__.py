"""The consensus of the metadata log: KRaft's rules as values."""

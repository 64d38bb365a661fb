"""Nodes of a cluster cut off from each other: what was acknowledged, records and metadata, outlives every partition."""

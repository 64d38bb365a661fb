"""Immutable images of the cluster's metadata, and the deltas that lead from one to the next."""

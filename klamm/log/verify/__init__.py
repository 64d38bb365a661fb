"""Checking the files of a data directory against each other. For people and tools: no broker imports this."""

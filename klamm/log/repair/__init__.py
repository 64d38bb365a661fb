"""Mending the files of a data directory. For people and tools: no broker imports this."""

"""Reading the files of a data directory as facts. For people and tools: no broker imports this."""

"""Log compaction: what is cleaned, by which rules, and who does it (docs/compaction.md)."""

"""One handler module per API; each docstring says which versions changed what."""
